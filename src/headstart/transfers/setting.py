"""One transfer, opened and checked: everything that is needed to carry it out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.data import open_unlabelled
from headstart.data.media import MEDIA
from headstart.errors import InputError, did_you_mean
from headstart.records import CurvePoint
from headstart.records.options import Option, is_idle, options_of, refuse_idle
from headstart.runner.progress import Progress
from headstart.sources.source import Source
from headstart.train.batches import Batches, batches_of
from headstart.train.training import Training
from headstart.transfers.method import METHODS, Method, Tuning
from headstart.transfers.parts import Parts
from headstart.wording import listing

TUNING = "tuning 2"  # raised when other options would be chosen


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything one run needs, opened and checked."""

    parts: Parts
    source: Source
    method: Method
    training: Training
    seed: int
    device: torch.device
    cache: Path | None
    out: Path | None
    command: str
    progress: Progress
    given: Source | nn.Module | None = None  # the model, where it was not given by a name that can be found again
    reason: str = ""  # why this method, where it was chosen for the user
    against: tuple[CurvePoint, ...] = ()  # of a training that this one is stopped for, once it is surely behind
    opened: dict[str, Any] = field(default_factory=dict)  # what the method opens once for the run, by name

    def unlabelled(self, spec: str | Path | None = None) -> Batches:
        """New inputs without labels, as a stream of a recipe.

        Args:
            spec: Whatever `headstart predict` reads; None takes the other domain that the parts hold.
        """
        train, target = self.parts.train, self.parts.unlabelled
        if spec is not None:
            found = open_unlabelled(spec, train.kind, white_level=train.white_level)
            target = replace(train, examples=found.examples, labels=np.zeros(len(found.ids)), ids=found.ids)
        assert target is not None, "no other domain was given"
        augment = MEDIA[target.kind].augment(self.training.augment)
        plain = replace(self.source, channels_last=False)  # as every network takes them while it trains
        return batches_of(target, plain, augment=augment, seed=self.seed)


def all_options() -> dict[str, Option]:
    """Every option of every method and every setting of a training, by name."""
    return {name: one for made in METHODS.values() for name, one in options_of(made).items()} | options_of(Training)


def given(settings: Mapping[str, Any], beside: Iterable[str] = ()) -> dict[str, Any]:
    """The settings that were given (None counts as not given), each with a known name and a value in its range.

    Args:
        beside: Other names that the caller takes, to suggest.

    Raises:
        InputError: There is no such setting, or its value is of the wrong type or out of range.
    """
    known = all_options()
    found = {name: value for name, value in settings.items() if value is not None}
    for name, value in found.items():
        if name not in known:
            raise InputError(
                f"there is no option `{name}`.{did_you_mean(name, [*known, *beside])} A method that trains by epochs "
                f"has {listing(list(options_of(Training)))}, and each method has options of its own."
            )
        known[name].check(value)
    return found


def effective(made: type[Method], settings: Mapping[str, Any]) -> frozenset[str]:
    """Names of the options that have an effect with a method, beside the other settings that were given."""
    known = options_of(Training) | options_of(made)
    usual = {name: one.default for name, one in known.items()} | dict(made.settings)
    values = usual | {name: value for name, value in settings.items() if value is not None}
    unused = made.unused() - set(options_of(made))
    return frozenset(name for name, one in known.items() if name not in unused and not is_idle(one, values))


def methods_before(arguments: Mapping[str, Any]) -> dict[type[Method], Any]:
    """Methods by which the source is trained on other data first, with those data: `source_data`, then `via`.

    Raises:
        InputError: `via_method` has no data, or does not train the network itself.
    """
    data, via, how = (arguments.get(name) for name in ("source_data", "via", "via_method"))
    if via is None and how is not None:
        raise InputError(
            "`via_method` says how to adapt to the data of `via=...` first, and none are given. Give them, or leave "
            "`via_method` out."
        )
    found = {} if data is None else {METHODS.find("scratch"): data}
    if via is not None:
        made = METHODS.find(how or "fine-tune")
        if not made.trains or made.inserts:
            raise InputError(f"`via_method` must train the network itself, as `fine-tune` does; `{how}` does not.")
        found[made] = via
    return found


def refuse_without_effect(
    settings: Mapping[str, Any], methods: Iterable[type[Method]], first: Iterable[type[Method]] = ()
) -> None:
    """An option that would change nothing is an error, not a silence.

    Args:
        first: Methods that train on other data first: they take the settings of a training.

    Raises:
        InputError: An option has no effect with any of the methods.
    """
    methods = list(methods)
    taken = {name for made in first for name in effective(made, settings) & options_of(Training).keys()}
    taken |= {name for made in methods for name in effective(made, settings)}
    for name in settings:
        if name in taken:
            continue
        for made in methods:
            known = options_of(Training) if name in options_of(Training) else options_of(made)
            if name in known and name not in made.unused():
                usual = {other: one.default for other, one in known.items()} | dict(made.settings)
                refuse_idle(known[name], usual | dict(settings))
        names = listing([f"`{made.name}`" for made in methods])
        raise InputError(
            f"`{name}` has no effect with method{'s' if len(methods) > 1 else ''} {names}. "
            f"Options of {names}: {', '.join(sorted(taken)) or 'none'}.{did_you_mean(name, sorted(taken))}"
        )


def method_of(made: type[Method], settings: Mapping[str, Any]) -> Method:
    """The method with its own among the settings."""
    return made(**{name: value for name, value in settings.items() if name in options_of(made)})


def training_of(made: type[Method], settings: Mapping[str, Any], seed: int) -> Training:
    """The training with its own among the settings, else the method's usual ones."""
    usable = effective(made, settings).intersection(options_of(Training))
    mine = {name: value for name, value in settings.items() if name in usable}
    return Training(seed=seed, **{**made.settings, **mine})


def identity_of(setting: Setting) -> str:
    """Hash of everything that decides the numbers."""
    parts = (
        setting.source.cache_key,
        setting.method.name,
        setting.method.identity(setting),
        repr(setting.training),
        setting.parts.split,
        TUNING if isinstance(setting.method, Tuning) and setting.method.rate is None else "",
        setting.parts.train.task,
        *(f"against {point.valid_quality}" for point in setting.against),
    )
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
