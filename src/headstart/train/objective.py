"""What is minimised for each task, and the one number by which epochs are compared."""

from torch import Tensor
from torch.nn import functional

from headstart.records import Task


def loss(outputs: Tensor, labels: Tensor, task: Task, *, smoothing: float = 0.0) -> Tensor:
    """Mean loss of a batch: cross entropy, mean squared error, or binary cross entropy over the labels.

    Args:
        outputs: (b, C) logits, or (b, t) values for regression.
        labels: (b,) codes; or (b, C) class probabilities (mixup) or 0/1; or (b, t) values.
        smoothing: Label smoothing in [0, 1), for classification.
    """
    if task == "classification":
        return functional.cross_entropy(outputs, labels, label_smoothing=smoothing)
    if task == "multi-label":
        return functional.binary_cross_entropy_with_logits(outputs, labels.to(outputs.dtype))
    return functional.mse_loss(outputs, labels.to(outputs.dtype).reshape(outputs.shape))


def quality(outputs: Tensor, labels: Tensor, task: Task) -> float:
    """Accuracy (for multi-label: share of right labels; for regression: R2). Higher is better.

    Labels of a regression that are all alike have no variance to explain: then it is minus the mean squared error.
    """
    if task == "classification":
        return (outputs.argmax(1) == labels).double().mean().item()
    if task == "multi-label":
        return ((outputs > 0) == (labels > 0)).double().mean().item()
    labels = labels.reshape(outputs.shape).double()
    error = (outputs.double() - labels) ** 2
    moved = labels - labels[0]  # 0 for equal labels, whose mean may be a rounding away
    spread = ((moved - moved.mean(0)) ** 2).sum()
    return (1 - error.sum() / spread if spread > 0 else -error.mean()).item()
