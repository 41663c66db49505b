"""The source's published accuracy on ImageNet: a baseline that never looks at the target."""

from headstart.records import ModelCard
from headstart.scores._checks import NotApplicableError
from headstart.scores._inputs import Inputs
from headstart.scores._table import ANY_TASK, SCORES, Measured, Score


def source_accuracy(card: ModelCard, labels: object = None) -> float:
    """Published ImageNet top-1 accuracy of the source (higher is better).

    Args:
        card: Static facts about the source.
        labels: Not read; here so that it is called like every other score.

    Returns:
        A share from 0 to 1.

    Raises:
        InputError: None is known for this source.

    Example:
        >>> source_accuracy(ModelCard("timm/resnet18", "image", imagenet_top1=0.7))
        0.7
    """
    if card.imagenet_top1 is None:
        raise NotApplicableError(f"no ImageNet accuracy is known for {card.name}")
    return float(card.imagenet_top1)


def _measure(inputs: Inputs) -> Measured:
    assert inputs.card is not None, "asked for by `needs`"
    return Measured(source_accuracy(inputs.card))


SCORES.add(
    Score(
        title="source accuracy",
        function=source_accuracy,
        needs="card",
        tasks=ANY_TASK,
        low=0.0,
        high=1.0,
        cost="none",
        citation="Kornblith, Shlens, Le, CVPR 2019, https://arxiv.org/abs/1805.08974",
        meaning="How good the source is at its own task; it never sees yours, and is hard to beat all the same.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure,
    )
)
