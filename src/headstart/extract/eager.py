"""The network run by torch, on copies laid out for speed.

Four things make it faster than a plain loop and change the numbers by rounding only:

- convolution weights and images lie in channels-last order;
- batch norms are folded into the convolutions before them (`folding.py`);
- a batch is cut into slices small enough that what one layer hands to the next stays in the processor's cache. Their
  size follows from the largest activation of one image, so it is the same in every run;
- on the CPU several lanes run one slice each, instead of all threads sharing every layer and waiting for each other.

EfficientNet-Lite0 at 224 pixels on 2 cores, images/s: plain 40; channels-last slices of 4 on two threads 65; two lanes
of one thread, slices of 2 or 4, 100.
"""

import math
from collections.abc import Mapping
from functools import partial
from queue import SimpleQueue
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from headstart.data.media import MEDIA
from headstart.extract.accelerator import MOST_ROWS, Copies, Fit, accelerated
from headstart.extract.folding import folded
from headstart.extract.outputs import OutOfMemoryError, Outputs, guarded, rows_of
from headstart.sources.network import placed, share_weights
from headstart.sources.source import Source

SLICE_BYTES = 12 << 20  # of the largest activation in each lane; 8 to 16 MB were fastest on five networks
GPU_ROWS = 256
GPU_SHARE = 0.5  # of the free memory
GPU_ACTIVATIONS = 8  # tensors of the largest size that may be alive at once


class Eager:
    """Runs batches, at most `lanes` at once, and returns float32 rows on the CPU.

    The source's module is not edited; the copies share every tensor that may stay where it is. `rows` is how many
    examples one forward pass takes. For images it is 1 until `measure` has seen the size of the activations; on a
    graphics card it then doubles until memory fails, unless an earlier pass left the number in `fit`.
    """

    name = "eager"

    def __init__(
        self,
        source: Source,
        device: torch.device,
        batch_size: int | None,
        lanes: int = 1,
        *,
        bf16: bool = False,
        fit: Fit | None = None,
    ) -> None:
        self.source, self.device, self.batch_size, self.lanes, self.bf16 = source, device, batch_size, lanes, bf16
        self.copies, self.fit = Copies(device), fit
        self.known = fit.known() if fit and not batch_size else None
        self.grows = accelerated(device) and batch_size is None and self.known is None
        copy = partial(placed, source.network, device, turn=source.channels_last)
        network = guarded(copy, f"a copy for {device}")
        self._networks: SimpleQueue[nn.Module] = SimpleQueue()  # two passes of one network must not overlap
        for one in (network, *(share_weights(network) for _ in range(lanes - 1))):
            self._networks.put(one)
        self.measured = not MEDIA[source.card.kind].one_shape
        self.rows = 1 if not self.measured else self.known or self._limit()

    def batch(self, items: list[Any]) -> Any:
        """Prepared examples as the network takes them."""
        return guarded(lambda: self.source.collate(items), "joining examples to a batch")

    def run(self, batch: Any, count: int) -> Outputs:
        """Features (b, d) and logits (b, z) of a batch of `count`; in smaller slices where memory runs out."""
        network = self._networks.get()
        try:
            outputs = self.forward(network, batch, count)
        finally:
            self._networks.put(network)
        if self.grows and count == self.rows:
            self.rows = min(2 * count, MOST_ROWS)
            self._settle(self.rows == MOST_ROWS)
        return outputs

    def _settle(self, found: bool) -> None:
        """The number of rows is found: no batch grows any more, in this pass or a later one."""
        if found and accelerated(self.device) and self.batch_size is None:
            self.grows = False
            if self.fit is not None:
                self.fit.keep(self.rows)

    def measure(self, batch: Any) -> Outputs:
        """Run one example and choose `rows` by the largest tensor that a layer returns."""
        largest = 0

        def record(module: nn.Module, inputs: object, output: object) -> None:
            nonlocal largest
            if isinstance(output, Tensor):
                largest = max(largest, output.nbytes)

        handle = register_module_forward_hook(record)  # a global hook: no module is touched
        try:
            outputs = self.run(batch, 1)
        finally:
            handle.remove()
        self.rows, self.measured = self.known or self._rows_for(largest), True
        self._fold(batch, outputs)
        return outputs

    def _fold(self, batch: Any, outputs: Outputs) -> None:
        """Replace the networks by copies with fewer layers, if those give the same outputs."""
        network = self._networks.get()
        better = folded(network, lambda one: self.forward(one, batch, 1), outputs) or network
        for _ in range(self._networks.qsize()):
            self._networks.get()
        for one in (better, *(share_weights(better) for _ in range(self.lanes - 1))):
            self._networks.put(one)

    def compiled(self) -> nn.Module:
        """The network, compiled when it first runs."""
        network = self._networks.get()
        self._networks.put(network)
        return cast(nn.Module, torch.compile(network, dynamic=True))

    def forward(self, network: nn.Module, batch: Any, count: int) -> Outputs:
        """The outputs of one network for a batch of `count`; in smaller slices where memory runs out."""

        def forward() -> Outputs:
            self.copies.end(batch)
            with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                return rows_of(network(self.source.laid_out(batch)), count)

        try:
            outputs: Outputs = guarded(forward, "a forward pass")
            return outputs
        except OutOfMemoryError:
            if count == 1:
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()
        self.rows = middle = count // 2
        first = self.forward(network, _cut(batch, slice(None, middle)), middle)
        second = self.forward(network, _cut(batch, slice(middle, None)), count - middle)
        self._settle(found=True)
        logits = None if first[1] is None or second[1] is None else torch.cat([first[1], second[1]])
        return torch.cat([first[0], second[0]]), logits

    def _limit(self) -> int:
        return self.batch_size or (MEDIA[self.source.card.kind].rows if self.device.type == "cpu" else GPU_ROWS)

    def _rows_for(self, activation: int) -> int:
        if self.device.type == "cpu":
            return min(self._limit(), slice_for(activation))
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
            return min(self._limit(), max(1, int(free * GPU_SHARE / (GPU_ACTIVATIONS * max(1, activation)))))
        return min(self._limit(), MEDIA[self.source.card.kind].rows)


def slice_for(activation: int) -> int:
    """Rows of one slice, a power of two, from the bytes of one image's largest activation.

    Example:
        >>> slice_for(96 * 112 * 112 * 4), slice_for(16 * 112 * 112 * 4), slice_for(32 * 32 * 32 * 4)
        (2, 16, 64)
    """
    exponent = min(max(round(math.log2(SLICE_BYTES / max(1, activation))), 0), 6)
    return 1 << exponent


def _cut(batch: Any, rows: slice) -> Any:
    return {key: value[rows] for key, value in batch.items()} if isinstance(batch, Mapping) else batch[rows]
