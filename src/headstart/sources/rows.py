"""Features that were computed elsewhere, as a source: a network that starts as the identity and can train."""

import numpy as np
import torch
from torch import Tensor, nn

from headstart.records import ModelCard
from headstart.sources.source import Source

HIDDEN = 64


class Rows(nn.Module):
    """rows (b, d) -> rows + up(relu(down(rows))), where `up` starts at 0: the rows at first, a network to train."""

    def __init__(self, width: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.down, self.up = nn.Linear(width, HIDDEN), nn.Linear(HIDDEN, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, rows: Tensor) -> tuple[Tensor, None]:
        """The features, and no logits."""
        return rows + self.up(torch.relu(self.down(rows))), None


class Collate:
    """Rows as a batch. No rows make two rows of zeros: what a network of this width is tried on."""

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, rows: list[Tensor]) -> Tensor:
        return torch.stack(rows) if rows else torch.zeros(2, self.width)


def prepare(row: object) -> Tensor:
    """One row in the width that networks compute in."""
    return torch.as_tensor(np.asarray(row, dtype=np.float32))


def row_source(card: ModelCard, width: int) -> Source:
    """The source whose features are the examples themselves."""
    network = Rows(width).eval()
    return Source(card, network, network, prepare, Collate(width), None, "the rows", f"rows-{width}")
