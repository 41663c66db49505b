"""One transfer, opened and checked: everything that is needed to carry it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from headstart.errors import InputError
from headstart.runner.progress import Progress
from headstart.sources.source import Source
from headstart.train.training import SETTINGS, Training
from headstart.transfers.options import NAMES, Options, described, refuse_unused
from headstart.transfers.parts import Parts
from headstart.transfers.table import Strategy


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything one run needs, opened and checked."""

    parts: Parts
    source: Source
    strategy: Strategy
    options: Options
    training: Training
    augment: str
    seed: int
    device: torch.device
    cache: Path | None
    out: Path | None
    command: str
    progress: Progress
    reason: str = ""  # why this method, where it was chosen for the user


def read_settings(settings: Mapping[str, Any], seed: int) -> tuple[Options, Training]:
    """Split keyword settings into options of the strategy and settings of the training; None counts as not given."""
    given = settings_given(settings)
    refuse_unused(given, (*NAMES, *SETTINGS), "transfer")
    training = Training(seed=seed, **{name: value for name, value in given.items() if name in SETTINGS})
    return Options(**{name: value for name, value in given.items() if name in NAMES}), training


def settings_given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something: None and no augmentation do not."""
    nothing = {"augment": "none"}
    return {name: value for name, value in settings.items() if value is not None and value != nothing.get(name)}


def check_via(via: object, via_method: str | None) -> None:
    """Raises InputError where it is said how to adapt to other data first, and there are none."""
    if via is None and via_method is not None:
        raise InputError(
            "`via_method` says how to adapt to the data of `via=...` first, and none are given. Give them, or leave "
            "`via_method` out."
        )


def identity_of(setting: Setting) -> str:
    """Hash of everything that decides the numbers."""
    parts = (
        setting.source.fingerprint,
        setting.strategy.name,
        repr(described(setting.options)),
        repr(setting.training),
        setting.augment,
        setting.parts.split,
        setting.parts.train.task,
    )
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
