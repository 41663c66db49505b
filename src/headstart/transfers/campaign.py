"""Several methods and seeds on one target, with training from scratch beside them, compared."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from headstart.errors import InputError
from headstart.evaluation import evaluate
from headstart.records import Comparison
from headstart.runner.progress import Event, Progress, listener
from headstart.sources.source import Source
from headstart.train.training import SETTINGS
from headstart.transfers.adapt import transfer
from headstart.transfers.augment import check_augment
from headstart.transfers.options import NAMES, refuse_unused
from headstart.transfers.run import Run
from headstart.transfers.setting import check_via, read_settings, settings_given
from headstart.transfers.table import find

OWN = (*NAMES, *SETTINGS, "augment")  # arguments that some methods take and others do not


@dataclass(frozen=True, eq=False)
class Campaign:
    """All runs, and the comparison of each method with scratch where scratch was among them."""

    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    folders: tuple[Path, ...]  # of the runs, where they were kept


def campaign(
    target: object,
    source: str | nn.Module | Source,
    methods: Sequence[str],
    *,
    seeds: int = 1,
    seed: int = 0,
    scratch: bool = False,
    out: str | os.PathLike | None = None,
    margin: float = 0.01,
    progress: Progress | bool | None = None,
    **arguments: Any,
) -> Campaign:
    """Carry out every method with every seed; a method takes the options that are its own.

    Args:
        target: As in `transfer`.
        source: As in `transfer`.
        methods: Names of strategies, or "auto".
        seeds: How many, counted up from `seed`. Only the training changes with them: the parts stay the same.
        scratch: Train from scratch too, once per seed, and compare.
        out: Folder for one run, or the folder above one folder per run (`METHOD-seed0`, ...).
        margin: The smallest difference that matters in the comparison.
        progress: As in `transfer`; "runs" is one more counter.
        arguments: As in `transfer`; a setting must belong to at least one of the methods.

    Raises:
        InputError: No method, no seed, a setting of none of them, or what `transfer` raises.
    """
    names = methods_of(methods, scratch, arguments)
    if seeds < 1:
        raise InputError(f"`seeds` must be at least 1; got {seeds}.")
    several = len(names) * seeds > 1
    tell = listener(progress)
    runs: list[Run] = []
    folders: list[Path] = []
    for number in range(seeds):
        for name in names:
            title = f"{name}-seed{seed + number}" if several else name
            count = len(names) * seeds
            tell(Event("runs", len(runs), count, f"[{len(runs) + 1}/{count}] {title}"))
            place = None if out is None else Path(out) / title if several else Path(out)
            own = arguments_of(name, arguments)
            runs.append(transfer(target, source, method=name, seed=seed + number, out=place, progress=tell, **own))
            folders += [] if place is None else [place]
    tell(Event("runs", len(runs), len(runs)))
    return Campaign(tuple(runs), _compared(names, runs, margin), tuple(folders))


def _compared(names: Sequence[str], runs: Sequence[Run], margin: float) -> tuple[Comparison, ...]:
    """Each method on its own: "auto" may have chosen one that is named too."""
    if not {"scratch"} < set(names) or runs[0].predictions is None:
        return ()
    by_name = {name: list(runs[i :: len(names)]) for i, name in enumerate(names)}
    scratch = by_name.pop("scratch")
    return tuple(found for mine in by_name.values() for found in evaluate([*mine, *scratch], margin=margin))


def methods_of(methods: Sequence[str], scratch: bool, arguments: Mapping[str, Any]) -> list[str]:
    """The methods, each once, training from scratch among them where it is wanted.

    Raises:
        InputError: There is none, or a setting is out of its range or of no use to any of them.
    """
    names = list(dict.fromkeys([*methods, *(["scratch"] if scratch else [])]))
    if not names:
        raise InputError("name at least one method.")
    check_via(arguments.get("via"), arguments.get("via_method"))
    given = settings_given({name: arguments.get(name) for name in OWN})
    check_augment(given.get("augment", "none"))
    read_settings({name: value for name, value in given.items() if name != "augment"}, seed=0)
    if "auto" not in names:  # else it is not known yet which method takes the settings; `transfer` checks
        used = frozenset[str]().union(*(_taken(name, arguments) for name in names))
        refuse_unused(given, used, " and ".join(names))
    return names


def arguments_of(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What of the arguments goes to this method: not the settings that are others' alone."""
    if name == "auto":
        return dict(arguments)
    taken = _taken(name, arguments)
    return {key: value for key, value in arguments.items() if key not in OWN or key in taken}


def _taken(name: str, arguments: Mapping[str, Any]) -> frozenset[str]:
    after_another = any(arguments.get(data) is not None for data in ("via", "source_data"))
    return find(name).takes(arguments, after_another=after_another)
