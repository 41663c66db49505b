"""A network's outputs on labelled examples, in evaluation mode and as large a batch as memory allows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart.errors import TrainingError
from headstart.train.batches import Batch, Batches, to_device


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whichever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    words = ("out of memory", "not enough memory", "can't allocate memory")  # the last is Linux
    return isinstance(error, RuntimeError) and any(said in text for said in words)


def outputs_of(
    network: Callable[[Any], Tensor], batches: Batches, *, batch_size: int = 64, device: torch.device | str = "cpu"
) -> Tensor:
    """Outputs (n, C) in float32 on the CPU; a module is left in evaluation mode.

    Raises:
        TrainingError: Memory runs out even for one example.
    """
    if isinstance(network, nn.Module):
        network.eval()
    parts: list[Tensor] = []
    n, start = len(batches.labels), 0
    while start < n:
        indices = np.arange(start, min(n, start + batch_size))
        try:
            parts.append(_forward(network, batches.load(indices, None), torch.device(device)))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if batch_size == 1:
                raise TrainingError("memory ran out on a single example. Choose a smaller model or input.") from error
            batch_size //= 2
            continue
        start += len(indices)
    return torch.cat(parts)


def _forward(network: Callable[[Any], Tensor], batch: Batch, device: torch.device) -> Tensor:
    with torch.inference_mode():
        return network(to_device(batch, device)).float().cpu()
