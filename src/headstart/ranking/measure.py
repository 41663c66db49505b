"""One source, measured: its scores, and the table that LEEP counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from jaxtyping import Float, Int
from scipy.special import softmax

from headstart.ranking.evidence import Evidence, evidence_of
from headstart.records import Extraction, HeadView
from headstart.scores import Evaluation, Inputs, evaluate_on
from headstart.tasks import task_of

SKILL = "leep_skill"  # the score behind the verdict
BLOCK = 4_000_000  # probabilities held at once


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is kept of a source once its arrays are released."""

    extraction: Extraction  # without features and logits
    evaluations: Mapping[str, Evaluation]  # with `leep_skill`, for the verdict, whether it was requested or not
    unavailable: Mapping[str, str]  # score -> why this source has none
    head: HeadView | None = None
    evidence: Evidence | None = None  # what left-out predictions from its features say; None without features

    @property
    def source(self) -> str:
        """The source's name."""
        return self.extraction.source


def measure(
    extraction: Extraction,
    scores: Sequence[str],
    *,
    groups: np.ndarray,
    classes: Sequence[str],
    task: str = "classification",
    seed: int = 0,
    metric: str | None = None,
) -> Measurement:
    """Score one extraction.

    Args:
        extraction: The source's arrays.
        scores: Names of the scores.
        groups: (n,) jackknife group of each row; an example must have the same group for all sources.
        classes: Names of the target's classes.
        task: What the labels are.
        seed: For scores that draw random numbers.
        metric: What is to be forecast; the task's first metric if None.

    Raises:
        InputError: The arrays do not fit one another, or hold numbers that are not finite.
    """
    wanted = [*scores, *([SKILL] if SKILL not in scores and extraction.logits is not None else [])]
    inputs = Inputs(
        extraction.labels,
        groups=groups,
        logits=extraction.logits,
        features=extraction.features,
        card=extraction.card,
        task=task,
        seed=seed,
    )
    evaluations, unavailable = evaluate_on(wanted, inputs)
    head = None
    if extraction.logits is not None and task_of(task).single_class:
        head = head_view(extraction.logits, extraction.labels, classes, extraction.source_classes)
    evidence = evidence_of(inputs, extraction, task, metric, groups)
    missing = {name: why for name, why in unavailable.items() if name in scores}
    return Measurement(replace(extraction, features=None, logits=None), evaluations, missing, head, evidence)


def head_view(
    logits: Float[np.ndarray, "n z"],
    labels: Int[np.ndarray, " n"],
    classes: Sequence[str],
    source_classes: Sequence[str] | None = None,
    *,
    most: int = 20,
) -> HeadView:
    """P(target class | source class) for the source classes that carry most of the target's probability mass.

    With J[y, z] the mass that examples of class y put on source class z, the table is J[y, z] / sum_y J[y, z]: the
    counts that plain LEEP is made of.

    Args:
        logits: Over the source's classes; probabilities are their softmax.
        labels: Codes 0..C-1 into `classes`.
        classes: Names of the target's classes.
        source_classes: Names of the source's; "class 17" where they are not known.
        most: How many source classes are kept at most, the heaviest first.

    Example:
        >>> view = head_view(np.log([[0.9, 0.1], [0.7, 0.3]]), np.array([0, 1]), ["cat", "dog"], ["tabby", "wolf"])
        >>> view.source_classes, np.round(view.weights, 3).tolist(), np.round(view.conditional, 4).tolist()
        (('tabby', 'wolf'), [0.8, 0.2], [[0.5625, 0.25], [0.4375, 0.75]])
    """
    joint = np.zeros((len(classes), logits.shape[1]))
    step = max(1, BLOCK // max(1, logits.shape[1]))
    for start in range(0, len(labels), step):
        probs = softmax(np.asarray(logits[start : start + step], dtype=np.float64), axis=1)
        places = labels[start : start + step], np.arange(len(probs))
        joint += scipy.sparse.csr_array((np.ones(len(probs)), places), (len(classes), len(probs))) @ probs
    mass = joint.sum(axis=0)
    columns = np.argsort(-mass, kind="stable")[:most]
    columns = columns[mass[columns] > 0]
    conditional = joint[:, columns] / mass[columns]
    return HeadView(
        source_classes=tuple(source_classes[z] if source_classes else f"class {z}" for z in columns),
        weights=tuple((mass[columns] / len(labels)).tolist()),
        conditional=tuple(tuple(row) for row in conditional.tolist()),
        classes=tuple(classes),
    )
