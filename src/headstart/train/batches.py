"""Batches for the training loop: from tensors, or from a target's examples through a source's preprocessing."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from headstart.data.target import Target
from headstart.errors import InputError
from headstart.sources.source import Source
from headstart.train.training import Training

Batch = Tensor | Mapping[str, Any]
MEMORY = 512 * 2**20  # bytes of prepared examples that are kept between epochs


class Batches(Protocol):
    """Labelled examples that can be asked for by index. `epoch` is None in evaluation: no augmentation then."""

    labels: Tensor  # (n,) codes, or (n, t)
    in_memory: bool  # loading costs nothing, so nothing is loaded ahead

    def load(self, indices: np.ndarray, epoch: int | None) -> Batch: ...


class TensorBatches:
    """Inputs that are in memory already."""

    in_memory = True

    def __init__(self, inputs: Batch, labels: Tensor | np.ndarray) -> None:
        self.inputs = inputs
        self.labels = torch.as_tensor(labels)

    def load(self, indices: np.ndarray, epoch: int | None) -> Batch:
        return take(self.inputs, torch.as_tensor(indices))


class ExampleBatches:
    """A target's examples, prepared as the source wants them and kept while memory lasts.

    Args:
        augment: (example, random generator) -> example, before the preparation; each (seed, epoch, example) has its
            own generator, so the same example looks the same again in a resumed run. Nothing is kept then.
    """

    in_memory = False

    def __init__(
        self,
        target: Target,
        prepare: Callable[[object], object],
        collate: Callable[[list[Any]], Batch],
        *,
        augment: Callable[[Any, np.random.Generator], object] | None = None,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> None:
        self.target = target
        self.prepare = prepare
        self.collate = collate
        self.augment = augment
        self.seed = seed
        self.labels = torch.as_tensor(target.labels)
        self._kept: dict[int, object] = {}
        self._room = memory

    def load(self, indices: np.ndarray, epoch: int | None) -> Batch:
        if self.augment is None or epoch is None:
            return self.collate([self._prepared(int(i)) for i in indices])
        examples = []
        for i in indices:
            rng = np.random.default_rng([self.seed, epoch, int(i)])
            examples.append(self.prepare(self.augment(self.target.examples.load(int(i)), rng)))
        return self.collate(examples)

    def _prepared(self, index: int) -> object:
        if index in self._kept:
            return self._kept[index]
        value = self.prepare(self.target.examples.load(index))
        size = value.element_size() * value.nelement() if isinstance(value, Tensor) else 1024
        if size <= self._room:
            self._room -= size
            self._kept[index] = value
        return value


def batches_of(target: Target, source: Source, **options: Any) -> ExampleBatches:
    """A target's examples through the source's own preprocessing."""
    return ExampleBatches(target, source.prepare, source.join, **options)  # type: ignore[arg-type]  # a batch


def take(batch: Batch, index: slice | Tensor) -> Batch:
    """Some rows of a batch; entries without a row per example stay whole."""
    if isinstance(batch, Tensor):
        return batch[index]
    n = rows(batch)
    return {k: v[index] if isinstance(v, Tensor) and v.ndim and len(v) == n else v for k, v in batch.items()}


def rows(batch: Batch) -> int:
    """How many examples a batch holds."""
    if isinstance(batch, Tensor):
        return len(batch)
    for value in batch.values():
        if isinstance(value, Tensor) and value.ndim:
            return len(value)
    raise InputError("a batch must be a tensor, or a mapping that holds one with a row per example; it holds none.")


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    return {k: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v for k, v in batch.items()}


def epoch_order(n: int, batch_size: int, seed: int, epoch: int, shares: np.ndarray | None = None) -> list[np.ndarray]:
    """The batches of one epoch, a function of seed and epoch alone. A last batch of one joins the one before it.

    Args:
        shares: (n,) probabilities; with them, examples are drawn with replacement.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(n) if shares is None else rng.choice(n, n, p=shares)
    batches = [order[start : start + batch_size] for start in range(0, n, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1 and batch_size > 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def stream_order(n: int, training: Training, name: str, step: int) -> tuple[np.ndarray, int]:
    """Which of n examples of a stream beside the labelled one a step sees, and in which round over them."""
    seed = int(np.random.SeedSequence([training.seed, crc32(name.encode())]).generate_state(1)[0])
    per_round = len(epoch_order(n, training.batch_size, seed, 0))
    turn, position = divmod(step, per_round)
    return epoch_order(n, training.batch_size, seed, turn)[position], turn
