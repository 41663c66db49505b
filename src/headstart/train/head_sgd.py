"""The head re-training of the LEEP paper: plain SGD on cached features, for many tasks in one batched product."""

import numpy as np
import torch
from torch import Tensor

from headstart.train.head import LinearHead
from headstart.train.side_by_side import side_by_side

CHUNK = 16  # tasks whose features stay in the processor's cache


def fit_heads_sgd(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int | None = None,
    epochs: int = 100,
    rate: float = 0.01,
    batch_size: int = 10,
    seed: int = 0,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    weights: np.ndarray | None = None,
) -> list[LinearHead]:
    """Softmax heads of t tasks of the same shape, by SGD on the cross entropy (Nguyen et al. 2020, section 5).

    Every task sees its examples in the same order, drawn anew each epoch.

    Args:
        features: (t, n, d).
        labels: (t, n) codes.
        start: Weights (t, C, d) and biases (t, C) to begin with; zero without.
        weights: (n,) of the examples.

    Example:
        >>> x = np.array([[[-1.0], [-2.0], [1.0], [2.0]]])
        >>> head, = fit_heads_sgd(x, np.array([[0, 0, 1, 1]]), epochs=20, batch_size=2)
        >>> head.outputs(x[0]).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    x = torch.as_tensor(np.asarray(features), dtype=torch.float32)
    t, _, d = x.shape
    count = int(np.max(labels)) + 1 if classes is None else classes
    y = torch.nn.functional.one_hot(torch.as_tensor(np.asarray(labels)).long(), count).float()
    weight, bias = torch.zeros(t, d, count), torch.zeros(t, 1, count)
    if start is not None:
        weight = torch.as_tensor(start[0], dtype=torch.float32).mT.clone()
        bias = torch.as_tensor(start[1], dtype=torch.float32)[:, None].clone()

    share = torch.ones(x.shape[1], 1) if weights is None else torch.as_tensor(weights, dtype=torch.float32)[:, None]

    def descend(part: slice) -> list[LinearHead]:
        return _descend(x[part], y[part], share, weight[part], bias[part], epochs, rate, batch_size, seed)

    pieces = [slice(first, first + CHUNK) for first in range(0, t, CHUNK)]
    return [head for heads in side_by_side(descend, pieces) for head in heads]


def _descend(
    x: Tensor,
    y: Tensor,
    share: Tensor,
    weight: Tensor,
    bias: Tensor,
    epochs: int,
    rate: float,
    batch_size: int,
    seed: int,
) -> list[LinearHead]:
    """Steps of SGD on `weight` (t, d, C) and `bias` (t, 1, C), in place."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = torch.as_tensor(rng.permutation(x.shape[1]))
        for part in torch.split(order, batch_size):
            batch = x[:, part]
            error = (torch.baddbmm(bias, batch, weight).softmax(dim=2) - y[:, part]) * (share[part] / len(part))
            weight.baddbmm_(batch.mT, error, alpha=-rate)
            bias.sub_(error.sum(dim=1, keepdim=True), alpha=rate)
    logits = torch.baddbmm(bias, x, weight)
    losses = (logits.logsumexp(dim=2) - (logits * y).sum(dim=2)).mean(dim=1).tolist()
    return [
        LinearHead(w.T.double().numpy(), b[0].double().numpy(), 0.0, loss, "SGD")
        for w, b, loss in zip(weight, bias, losses, strict=True)
    ]
