"""What a pass on a graphics card does that one on a processor does not.

- Batches are copied from pinned memory on a stream of their own, while the batch before them computes.
- The number of rows doubles until memory fails. It is kept beside the cached rows, for this model and device.
- The network is compiled where the rest of the pass is long enough to repay it.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from headstart.store import RowStore

MOST_ROWS = 1024  # more are no faster
COMPILE_SECONDS = 60.0
COMPILE_GAIN = 0.2  # of the time that is left


def accelerated(device: torch.device) -> bool:
    """Whether a pass on this device is tuned to it."""
    return device.type != "cpu"


def compile_pays(remaining_seconds: float) -> bool:
    """Whether what is left of a pass is long enough to compile the network.

    Example:
        >>> compile_pays(600.0), compile_pays(60.0)
        (True, False)
    """
    return remaining_seconds * COMPILE_GAIN >= COMPILE_SECONDS


class Copies:
    """Copies batches to a device; on a CUDA card from pinned memory, beside what it computes."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        on_cuda = device.type == "cuda"
        self.stream = torch.cuda.Stream(device) if on_cuda else None  # type: ignore[no-untyped-call]  # torch has no types

    def begin(self, batch: Any) -> Any:
        """The batch on the device; the copy may still be on its way."""
        if self.stream is None:
            return _each(batch, lambda tensor: tensor.to(self.device))
        with torch.cuda.stream(self.stream):
            return _each(batch, lambda tensor: tensor.pin_memory().to(self.device, non_blocking=True))

    def end(self, batch: Any) -> None:
        """Let what computes with the batch wait until it is there."""
        if self.stream is not None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_stream(self.stream)
            _each(batch, lambda tensor: tensor.record_stream(stream))


def _each(batch: Any, call: Callable[[Tensor], Any]) -> Any:
    if isinstance(batch, Mapping):
        return {key: call(value) if isinstance(value, Tensor) else value for key, value in batch.items()}
    return call(batch) if isinstance(batch, Tensor) else batch


class Fit:
    """The rows of a batch that fit into a device's memory, as an earlier pass found them.

    Args:
        store: The cached rows of the model; None remembers nothing.
        device: Where it runs.
    """

    def __init__(self, store: RowStore | None, device: torch.device) -> None:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        self.file = None if store is None else store.folder / f"{re.sub(r'[^0-9A-Za-z]+', '-', name)}.fit"

    def known(self) -> int | None:
        """The number found before."""
        with suppress(OSError, ValueError):
            return max(1, int(self.file.read_text())) if self.file else None
        return None

    def keep(self, rows: int) -> None:
        """Remember a number."""
        if self.file:
            with suppress(OSError):  # it is found again
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self.file.write_text(str(rows))
