"""Several sources in one answer: each has the weight that its answers to left-out examples earn, which may be 0."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from scipy.optimize import nnls

from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.errors import HeadstartError, InputError
from headstart.evaluation import gain, judge
from headstart.extract import extract
from headstart.records import Extraction, Failure, Predictions
from headstart.records.shown import Shown
from headstart.records.stack import GUESS, StackedSource, StackRecord
from headstart.records.table import View
from headstart.scores import Inputs, left_out_probs
from headstart.sources import candidates
from headstart.stats import share_interval
from headstart.store import folder_of
from headstart.tasks import task_of
from headstart.transfers import Answers, Run, load, transfer
from headstart.transfers.parts import split_target

if TYPE_CHECKING:
    from headstart.sources.lookup import Model


@dataclass(frozen=True, eq=False, repr=False)
class Stacked(Shown):
    """The record, and a head on every source that counts."""

    record: StackRecord
    runs: tuple[Run, ...]  # of the sources whose weights are above 0

    def predict(self, examples: object, ids: Sequence[str] | None = None, *, batch_size: int = 64) -> Answers:
        """Weighted probabilities for new inputs; see `Run.predict`."""
        found = [one.predict(examples, ids, batch_size=batch_size) for one in self.runs]
        if not found:
            raise InputError("no source has any weight, so nothing better than the class frequencies is known.")
        return replace(found[0], outputs=self.mixed([one.outputs for one in found]))

    def mixed(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """The answers (n, C) of all runs as one."""
        weights = {one.source: one.weight for one in self.record.sources}
        parts = [weights[run.outcome.source] * one for run, one in zip(self.runs, outputs, strict=True)]
        return np.asarray(sum(parts) + weights[GUESS] * np.array(self.record.frequencies))

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the record, and the head of every source that counts, into `folder`, which `headstart.load` reads."""
        place = Path(folder)
        names = tuple(f"source-{number + 1}" for number in range(len(self.runs)))
        for name, run in zip(names, self.runs, strict=True):
            run.save(place / name)
        replace(self.record, folders=names).save(place)
        return place

    def view(self) -> View:
        """The weights, what each source and all together reach, and the gain over the best alone."""
        return self.record.view()


def load_stack(folder: str | os.PathLike[str], *, trust_pickle: bool = False) -> Stacked:
    """Read back what `Stacked.save` wrote.

    Raises:
        InputError: It is damaged; ModelError: a source cannot be found.
    """
    place = Path(folder)
    record = StackRecord.load(place)
    return Stacked(record, tuple(load(place / name, trust_pickle=trust_pickle) for name in record.folders))


def stack_weights(answers: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Weights (k,), at least 0 and 1 in sum, under which k sources' probabilities (n, C) come nearest to the labels.

    They minimise the squared distance of the weighted probabilities from the labels' indicators. Each source answers
    for examples that it was not fitted to; a source that adds nothing has weight 0.

    Example:
        >>> good, blind = np.array([[0.9, 0.1], [0.2, 0.8]]), np.full((2, 2), 0.5)
        >>> stack_weights([good, blind], np.array([0, 1])).tolist()
        [1.0, 0.0]

    Reference: Breiman, "Stacked Regressions", Machine Learning 24, 1996. https://doi.org/10.1007/BF00117832
    """
    truth = np.eye(answers[0].shape[1])[labels]
    errors = np.stack([(one - truth).ravel() for one in answers], axis=1) / np.sqrt(len(labels))
    short = np.linalg.qr(errors, mode="r")
    # For weights s w with sum(w) = 1, |errors s w|^2 + (s - 1)^2 is smallest where |errors w| is.
    found, _ = nnls(np.vstack([short, np.ones(len(answers))]), np.append(np.zeros(len(short)), 1.0))
    return np.asarray(found / found.sum())


def stack(
    target: object,
    models: "Model | Sequence[Model]",
    *,
    test: object = None,
    limit: int | None = None,
    split_seed: int = 0,
    seed: int = 0,
    device: str = "auto",
    cache: Any = True,
    trust_pickle: bool = False,
    margin: float = 0.01,
    reading: Reading | None = None,
    **options: Unpack[ReadingOptions],
) -> Stacked:
    """Answer with several sources at once, so that one that hurts counts for nothing.

    A head is solved on each source's cached features. Their weights come from leave-one-out predictions of a linear
    probe on the same features; the class frequencies take part too, so a source of noise earns nothing.

    Args:
        target: Labelled data with classes, whatever `open_target` reads.
        models: The sources.
        test: A test part that lies elsewhere; else the target's own, or a quarter.
        limit: Train on so many examples.
        split_seed: Who is held out.
        seed: Of the heads.
        device: "auto", "cpu", "cuda" or "mps".
        cache: True keeps forward passes in the usual place, a path there, False or None nowhere.
        trust_pickle: Load checkpoints that can run code.
        margin: The smallest difference in accuracy that matters.
        reading: How the data are read, as one `headstart.Reading`; `options` are its fields.

    Raises:
        InputError: The target has no classes, or no source can be used.
    """
    how_read = reading_of(reading, options, stack)
    parts = split_target(target, test=test, most=limit, split_seed=split_seed, reading=how_read)
    train, whole = parts.train, parts.together
    if not task_of(train.task).single_class:
        raise InputError(f"stacking weighs probabilities of classes, and the task of {train.name} is {train.task}.")
    runs, answers, failures = list[Run](), list[np.ndarray](), list[Failure]()
    with TemporaryDirectory() as spare:
        place = folder_of(cache) or Path(spare)
        for one in candidates(models, kind=train.kind):
            try:
                source = one.load(trust_pickle)
                run = transfer(parts, source, method="head", seed=seed, progress=False, cache=place, device=device)
                answers.append(_left_out(extract(whole, source, cache=place, device=device), len(train.classes)))
            except HeadstartError as error:
                failures.append(Failure.of(one.name, error))
                continue
            runs.append(run)
    if not runs:
        raise InputError(f"no model could be used: {failures[0].source}: {failures[0].reason}")
    counts = np.bincount(whole.labels, minlength=len(train.classes))
    answers.append((counts - np.eye(len(counts))[whole.labels]) / (len(whole) - 1))  # a guess, the example left out
    weights = stack_weights(answers, whole.labels)
    rows = [
        StackedSource(name, float(weight), float((one.argmax(axis=1) == whole.labels).mean()))
        for name, weight, one in zip([*(run.outcome.source for run in runs), GUESS], weights, answers, strict=True)
    ]
    shares = tuple(float(share) for share in counts / len(whole))
    record = StackRecord(
        train.name, len(whole), tuple(rows), failures=tuple(failures), notes=parts.notes, frequencies=shares
    )
    used = tuple(run for run, row in zip(runs, rows, strict=False) if row.weight > 0)
    found = Stacked(record, used)
    return found if parts.test is None else replace(found, record=_tested(found, runs, margin))


def _left_out(seen: Extraction, classes: int) -> np.ndarray:
    """Probabilities (n, C) of a linear probe for labelled examples that it was not fitted to."""
    found = np.zeros((len(seen.labels), classes))
    inputs = Inputs(seen.labels, features=np.asarray(seen.features, dtype=np.float64))
    found[:, np.unique(seen.labels)] = left_out_probs(inputs)
    return found


def _tested(found: Stacked, runs: Sequence[Run], margin: float) -> StackRecord:
    """The record with what each source and all together reach, and the gain over the one that does best alone."""
    tests = [run.predictions for run in runs if run.predictions is not None]
    mixed = replace(tests[0], outputs=found.mixed([one.predictions.outputs for one in found.runs if one.predictions]))
    record, rows = found.record, found.record.sources[: len(runs)]
    place = int(np.argmax([row.left_out or 0.0 for row in rows]))
    gained = gain([mixed] * 2, [tests[place]] * 2, metric="accuracy")  # a solved head is the same for every seed
    return replace(
        record,
        sources=(*(_reached(row, one) for row, one in zip(rows, tests, strict=True)), record.sources[-1]),
        together=_reached(StackedSource("all, weighted", 1.0), mixed),
        best=rows[place].source, gain=gained.value, gain_low=gained.low, gain_high=gained.high,
        verdict=judge(gained, margin=margin)[0],
    )  # fmt: skip


def _reached(row: StackedSource, answers: Predictions) -> StackedSource:
    hits = answers.outputs.argmax(axis=1) == answers.labels
    low, high = share_interval(float(hits.sum()), len(hits))
    return replace(row, accuracy=float(hits.mean()), low=low, high=high)
