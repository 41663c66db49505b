"""Regression trains on values of mean 0 and spread 1, whatever their unit."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from headstart.data.target import Target
from headstart.tasks import task_of
from headstart.train.head import LinearHead


class Scale:
    """The values' mean and spread on the training part; does nothing for other tasks."""

    def __init__(self, target: Target) -> None:
        self.amounts = task_of(target.task).amounts
        values = target.labels.reshape(len(target), -1).astype(np.float64) if self.amounts else np.zeros((1, 1))
        self.mean, spread = values.mean(axis=0), values.std(axis=0)
        self.spread = np.where(spread > 0, spread, 1.0)

    def of(self, target: Target) -> Target:
        """The target with scaled values."""
        if not self.amounts:
            return target
        values = (target.labels.reshape(len(target), -1) - self.mean) / self.spread
        return replace(target, labels=values.astype(np.float32))

    def shrink(self, head: LinearHead) -> LinearHead:
        """A head for the values' own unit, as one for scaled values."""
        if not self.amounts:
            return head
        return replace(head, weight=head.weight / self.spread[:, None], bias=(head.bias - self.mean) / self.spread)

    def unfold(self, head: nn.Linear) -> None:
        """Turn a head for scaled values, in place, into one for their own unit."""
        if self.amounts:
            with torch.no_grad():
                head.weight.mul_(torch.as_tensor(self.spread, dtype=head.weight.dtype)[:, None])
                head.bias.mul_(torch.as_tensor(self.spread, dtype=head.bias.dtype))
                head.bias.add_(torch.as_tensor(self.mean, dtype=head.bias.dtype))
