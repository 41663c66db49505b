"""What a transfer takes on this machine: seconds and memory, measured on a few steps and kept in the cache."""

import platform
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from inspect import signature
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from headstart.data import limit
from headstart.data.target import Target
from headstart.errors import WriteError
from headstart.extract import extract
from headstart.records import Cost
from headstart.records.files import remember, remembered
from headstart.records.options import options_of
from headstart.sources.source import Source
from headstart.train.training import Training
from headstart.transfers.carry_out import train_once
from headstart.transfers.opening import open_setting
from headstart.transfers.parts import Parts
from headstart.transfers.single import transfer
from headstart.transfers.tuning import EXAMPLES, TRIALS

PROBE = 32  # examples of the steps that are measured: a usual batch
NUMBER = 4  # bytes
COPIES = 4  # of every weight in training: itself, its gradient and the two moments of AdamW
FOLDER = "costs"
EPOCHS = options_of(Training)["epochs"].default
TUNED = TRIALS / 5  # whole trainings on at most `EXAMPLES` examples that the choice of a rate takes


@dataclass(frozen=True)
class Steps:
    """What was measured: seconds of an example in a forward pass and in an epoch of training, and bytes."""

    forward: float
    trained: float
    weights: int
    kept: int  # what a step keeps for its way back
    width: int  # features


def costs_of(target: Target, source: Source, *, device: str = "auto", cache: Path | None = None) -> tuple[Cost, ...]:
    """What a head on the source and its fine-tuning take on all examples of the target, rates chosen as usual.

    A head takes a forward pass, and memory for the weights and all features. Measured on `PROBE` examples: a forward
    pass, and two epochs of training, of which the second counts.

    Args:
        cache: Folder in which the measurement is kept.

    Raises:
        HeadstartError: The source cannot be trained.
    """
    n, steps = len(target), _kept(target, source, device, cache)
    tuning = TUNED * min(n, EXAMPLES)
    return (
        Cost("head", steps.forward * n, steps.weights + steps.width * n * 2 * NUMBER, n),
        Cost("fine-tune", steps.trained * EPOCHS * (n + tuning), steps.weights * COPIES + steps.kept, n, EPOCHS),
    )


def _kept(target: Target, source: Source, device: str, cache: Path | None) -> Steps:
    machine = (platform.node(), platform.processor(), torch.get_num_threads(), torch.__version__, device)
    about = f"{source.cache_key} {len(target.classes)} {target.task} {machine}"
    file = cache and cache / FOLDER / f"{blake2b(about.encode(), digest_size=16).hexdigest()}.json"
    if (found := remembered(file, about, Steps)) is None:  # measured again where it cannot be read
        found = _measured(target, source, device)
        with suppress(WriteError):  # a cache that cannot be written to only costs time
            remember(file, about, found)
    return found


def _measured(target: Target, source: Source, device: str) -> Steps:
    few = limit(target, min(PROBE, len(target)), 0)
    seen = extract(few, source, cache=None, device=device)
    parts = Parts(few, None, None, "", ())
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        trained = seconds_of_example(parts, source, "fine-tune", device=device)
    weights = NUMBER * sum(one.numel() for one in source.module.parameters())
    width = np.asarray(seen.features).shape[1]
    return Steps(seen.seconds / len(few), trained, weights, sum(sizes.values()), width)


def seconds_of_example(parts: Parts, source: Source, method: str, *, device: str = "auto", seed: int = 0) -> float:
    """Seconds of one example in an epoch of training, from the second of two epochs on few of them."""
    few = limit(parts.train, min(PROBE, len(parts.train)), 0)
    probe = Parts(few, None, None, parts.split, ())
    shared = {"seed": seed, "device": device, "cache": False, "progress": False, "epochs": 2}
    asked = signature(transfer).bind(probe, source, method=method, **shared)
    asked.apply_defaults()
    first, second = train_once(open_setting(transfer, asked.arguments)).curve  # the first warms up
    return max(second.seconds - first.seconds, 1e-6) / len(few)
