"""`method="auto"`: the small table that practitioners use, with its reason.

                 the source tells much about the labels      it tells little
    few examples    head                                        head on an earlier layer
    many            fine-tune                                   layer-decay

Few are under 1,000 examples or under 50 a class. How much a source tells is the share of the labels' entropy that the
source's classes explain, by leave-one-out (the skill of LEEP over guessing the class frequencies); for a source without
a classifier, the share of errors that 5-nearest-neighbours on its features avoid. Much is 0.3 or more. The thresholds
are rules of thumb.
"""

from dataclasses import dataclass

import numpy as np

from headstart.records import Extraction
from headstart.scores import knn, leep_skill
from headstart.tasks import softmax, task_of

FEW, FEW_PER_CLASS, MUCH = 1000, 50, 0.3
DEPTH = 0.6  # of the blocks, where the earlier layer is taken


@dataclass(frozen=True)
class Advice:
    """A method with its reason."""

    method: str
    reason: str
    layer: str | None = None


def recommend(extraction: Extraction, task: str, blocks: tuple[str, ...]) -> Advice:
    """The method for this target and source.

    Args:
        extraction: The source's features (and logits) on the training part.
        task: Similarity is known for classification only; other tasks go by size alone.
        blocks: Names of the blocks below the head that can serve as features, from input to output.
    """
    n = len(extraction.labels)
    single = task_of(task).single_class
    classes = len(np.unique(extraction.labels)) if single else 1
    few = n < FEW or n / classes < FEW_PER_CLASS
    size = f"{n} training examples" + (f" in {classes} classes" if single else "")
    if not single:
        method = "head" if few else "fine-tune"
        return Advice(method, f"{size} are {'few' if few else 'many'}; similarity is not known for {task}")
    share, how = similarity(extraction)
    told = f"the source explains {share:.0%} of what there is to know about the labels ({how})"
    reason = f"{size} are {'few' if few else 'many'}, and {told}"
    if not few:
        return Advice("fine-tune" if share >= MUCH else "layer-decay", reason)
    if share >= MUCH or not blocks:
        return Advice("head", reason)
    return Advice("head", reason, blocks[min(len(blocks) - 1, int(DEPTH * len(blocks)))])


def similarity(extraction: Extraction) -> tuple[float, str]:
    """The share of the labels' uncertainty that the source removes, at most 1, and how it was measured."""
    labels = extraction.labels
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    if extraction.logits is not None:
        return leep_skill(softmax(extraction.logits), labels) / float(-(shares * np.log(shares)).sum()), "skill of LEEP"
    assert extraction.features is not None, "a source gives features"
    chance = float(shares.max())
    return (knn(extraction.features, labels) - chance) / max(1 - chance, 1e-12), "nearest neighbours"
