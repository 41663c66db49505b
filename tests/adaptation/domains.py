"""Two tiny domains of coloured images or of texts, and settings of a run of `adapt`'s deep methods on them."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.transfers.tiny import source, target, text_source, texts
from torch import nn

from headstart.adaptation import ADAPTATIONS
from headstart.data import open_target
from headstart.data.target import Target
from headstart.runner.progress import silent
from headstart.sources.source import Source
from headstart.train.training import Training
from headstart.transfers.carry_out import carry_out
from headstart.transfers.parts import Parts, split_target
from headstart.transfers.run import Run
from headstart.transfers.setting import Setting, identity_of

SHORT = {"epochs": 3, "batch_size": 16}


def without_labels(found: Target) -> Target:
    return replace(found, labels=np.zeros(len(found)), ids=tuple(f"new/{name}" for name in found.ids))


def parts(kind: str = "image") -> Parts:
    if kind == "image":
        old, new = target(60), target(40, seed=5)
    else:
        old, new = open_target(texts(60)), open_target(texts(40, seed=5))
    return replace(split_target(old), unlabelled=without_labels(new))


def setting(
    name: str, *, kind: str = "image", of: Source | None = None, out: Any = None, progress: Any = silent, **options: Any
) -> Setting:
    of = of or (source() if kind == "image" else text_source())
    training = Training(**SHORT | {key: options.pop(key) for key in list(options) if key in vars(Training())})
    method = ADAPTATIONS[name](**{"rate": 0.01, "ratio": 3.0} | options)
    return Setting(parts(kind), of, method, training, 0, torch.device("cpu"), None, out, "", progress)


def run(name: str, **options: Any) -> Run:
    found = setting(name, **options)
    return carry_out(found, identity_of(found))


def same_state(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def same(a: Run, b: Run) -> bool:
    return same_state(a.network, b.network)
