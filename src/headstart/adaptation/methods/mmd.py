"""Maximum mean discrepancy with several kernels, minimised while the network trains.

Long et al., "Learning Transferable Features with Deep Adaptation Networks", ICML 2015. https://arxiv.org/abs/1502.02791
Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.adaptation.aligned import Aligning, Distance
from headstart.adaptation.method import adaptation

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # times the mean squared distance: the kernels' widths


def mmd_squared(old: Tensor, new: Tensor, factors: tuple[float, ...] = FACTORS) -> Tensor:
    """Squared maximum mean discrepancy of features (b, d) and (c, d), at least 0; 0 where the batches are alike.

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over all pairs, equal ones too (the biased estimate, eq. 5 of Gretton
    et al.). k is the mean of Gaussian kernels exp(-|a - b|^2 / (factor * m)), m the mean squared distance between two
    different rows, which no gradient passes.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> mmd_squared(x, x).item(), bool(mmd_squared(x, x + 5) > 0.5)
        (0.0, True)
    """
    rows, n = torch.cat([old, new]), len(old)
    squares = rows.square().sum(dim=1)
    apart = (squares[:, None] + squares[None] - 2 * rows @ rows.T).clamp_min(0)
    width = apart.detach().sum() / (len(rows) * (len(rows) - 1))
    width = width.clamp_min(torch.finfo(width.dtype).tiny)
    kernel = torch.stack([(-apart / (factor * width)).exp() for factor in factors]).mean(dim=0)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


@adaptation("mmd")
@dataclass(frozen=True)
class Mmd(Aligning):
    """Fine-tune while the multi-kernel discrepancy of the two domains' features is minimised (Long et al., 2015)."""

    def distance(self, width: int) -> tuple[Distance, Mapping[str, nn.Module]]:
        """The squared discrepancy."""
        return lambda old, new, share: mmd_squared(old, new), {}
