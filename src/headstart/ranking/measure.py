"""One source, measured: its scores and what else a ranking shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from headstart.ranking.heads import head_view
from headstart.ranking.verdicts import SCORE as SKILL
from headstart.records import Extraction, HeadView, ModelCard
from headstart.scores import Evaluation, evaluate
from headstart.tasks import task_of


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is kept of a source once its arrays are let go."""

    source: str
    card: ModelCard
    evaluations: Mapping[str, Evaluation]  # also `leep_skill`, for the verdict, whether it was asked for or not
    unavailable: Mapping[str, str]  # score -> why this source has none
    ids: tuple[str, ...]  # of the examples it was measured on
    forward_seconds: float = 0.0
    computed: int = 0
    layer: str = ""
    fingerprint: str = ""
    head: HeadView | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""
    notes: tuple[str, ...] = ()


def measure(
    extraction: Extraction,
    scores: Sequence[str],
    *,
    groups: np.ndarray,
    classes: Sequence[str],
    task: str = "classification",
    seed: int = 0,
) -> Measurement:
    """Score one extraction.

    Args:
        extraction: The source's arrays.
        scores: Names of the scores.
        groups: (n,) jackknife group of each row of the extraction; the same example has the same group for all sources.
        classes: Names of the target's classes.
        task: What the labels are.
        seed: For scores that draw random numbers.

    Raises:
        InputError: The arrays do not fit one another, or hold numbers that are not finite.
    """
    asked = [*scores, *([SKILL] if SKILL not in scores and extraction.logits is not None else [])]
    evaluations, unavailable = evaluate(
        asked,
        labels=extraction.labels,
        groups=groups,
        logits=extraction.logits,
        features=extraction.features,
        card=extraction.card,
        task=task,
        seed=seed,
    )
    head = None
    if extraction.logits is not None and task_of(task).single_class:
        head = head_view(extraction.logits, extraction.labels, classes, extraction.source_classes)
    return Measurement(
        source=extraction.source,
        card=extraction.card or ModelCard(extraction.source, "arrays"),
        evaluations=evaluations,
        unavailable={name: why for name, why in unavailable.items() if name in scores},
        ids=extraction.ids,
        forward_seconds=extraction.seconds,
        computed=extraction.computed,
        layer=extraction.layer,
        fingerprint=extraction.fingerprint,
        head=head,
        skipped=extraction.skipped,
        engine=extraction.engine,
        notes=extraction.notes,
    )
