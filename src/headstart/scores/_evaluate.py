"""Score one source by many scores at once: shared work done once, each value with its leave-one-group-out values."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from headstart.records import ModelCard
from headstart.scores._checks import NotApplicableError
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out, measured
from headstart.scores._threads import one_matrix_thread

# What linear algebra raises; only the score that met it is lost.
NUMERICAL = (np.linalg.LinAlgError, ArithmeticError)
ROUNDED = "features differ in size by more than 1e8, so that rounding may change the value; rescale them"
LARGE = 1 << 23  # entries of the features from which several threads on one product pay


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One score of one source: its value, and its value with each group of examples left out."""

    value: float
    deleted: np.ndarray | None  # (G,); None: the score has no sampling error, or its notes say why there is none
    seconds: float
    notes: tuple[str, ...] = ()


def evaluate(
    names: Sequence[str],
    *,
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    probs: np.ndarray | None = None,
    logits: np.ndarray | None = None,
    features: np.ndarray | None = None,
    card: ModelCard | None = None,
    task: str = "classification",
    seed: int = 0,
) -> tuple[dict[str, Evaluation], dict[str, str]]:
    """Evaluate scores by name on one source's arrays.

    Args:
        names: Names out of `SCORES`.
        labels: (n,) classes, or the targets of another task.
        groups: (n,) group of each example; each score's value without each group is returned for the jackknife. Where
            the rows are pixels or tokens, give the image or sentence that each belongs to.
        probs: (n, z) over the source's classes; may be None when `logits` are given.
        logits: (n, z) over the source's classes.
        features: (n, d) what goes into the source's head.
        card: Static facts about the source.
        task: What the labels are.
        seed: For scores that draw random numbers.

    Returns:
        Evaluations by name, and for each score that does not apply here the reason in words.

    Raises:
        InputError: A name is unknown, or the arrays do not fit one another.

    The order of the examples does not change a value by more than 1e-6 on features of ordinary scale. Where single
    features differ in size by more than about 1e8, rounding depends on the order of sums and may exceed that.

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7]])
        >>> scores, missing = evaluate(["nce", "logme"], labels=np.array([0, 0, 1, 1]), probs=probs)
        >>> scores["nce"].value
        0.0
        >>> missing
        {'logme': 'the source gave no features'}
    """
    inputs = Inputs(
        labels, groups=groups, probs=probs, logits=logits, features=features, card=card, task=task, seed=seed
    )
    return evaluate_on(names, inputs)


def evaluate_on(names: Sequence[str], inputs: Inputs) -> tuple[dict[str, Evaluation], dict[str, str]]:
    """`evaluate` on inputs that stay open, so that what the scores computed serves the caller too."""
    rows = [SCORES.find(name) for name in names]
    features = inputs.given("features")
    done: dict[str, Evaluation] = {}
    reasons: dict[str, str] = {}
    for row in rows:
        started = time.perf_counter()
        try:
            with one_matrix_thread() if features is None or np.size(features) < LARGE else nullcontext():
                measured = _measure(row, inputs)
        except NotApplicableError as error:
            reasons[row.name] = str(error).removesuffix(".")  # a reason is put into a sentence
            continue
        except NUMERICAL as error:
            reasons[row.name] = f"its calculation failed on these arrays ({type(error).__name__}: {error})".rstrip(".")
            continue
        seconds = time.perf_counter() - started
        uneven = (ROUNDED,) if row.needs == "features" and inputs.uneven else ()
        done[row.name] = Evaluation(measured.value, measured.deleted, seconds, (*measured.notes, *uneven))
    return done, reasons


def _measure(row: Score, inputs: Inputs) -> Measured:
    """The row's own way of measuring, else its function: once, and once for each group left out."""
    if not row.suits(inputs.task):
        raise NotApplicableError(f"{row.name} is for {' and '.join(sorted(row.tasks))}, the target is a {inputs.task}")
    missing = inputs.missing(row.needs)
    if missing is not None:
        raise NotApplicableError(missing)
    if row.measure is not None:
        return measured(row, inputs)
    array = inputs.array(row.needs)
    options = {"task": inputs.task} if len(row.tasks) > 1 else {}
    value = row.function(array, inputs.labels, **options)
    return leave_groups_out(inputs, value, lambda kept: row.function(array[kept], inputs.labels[kept], **options))
