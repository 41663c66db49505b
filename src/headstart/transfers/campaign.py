"""Several methods and seeds on one target, with training from scratch beside them, compared."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.errors import InputError
from headstart.evaluation import evaluate
from headstart.records import Comparison, results
from headstart.records.shown import Shown
from headstart.records.table import View
from headstart.runner.progress import Event, Progress, listener
from headstart.transfers.method import METHODS, Method
from headstart.transfers.opening import Model, open_parts, open_source
from headstart.transfers.run import Run
from headstart.transfers.setting import (
    all_options,
    check_via,
    effective,
    given,
    refuse_without_effect,
)
from headstart.transfers.single import transfer


@dataclass(frozen=True, eq=False, repr=False)
class Campaign(Shown):
    """All runs, and the comparison of each method with scratch where scratch was among them."""

    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    folders: tuple[Path, ...]  # of the runs, where they were kept

    def view(self) -> View:
        """Results run by run, and what each method gained over training from scratch."""
        return results.view([run.outcome for run in self.runs], self.comparisons)


def campaign(
    target: object,
    model: Model,
    methods: Sequence[str | Method],
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
        model: As in `transfer`.
        methods: Names of methods, methods with their options, or "auto".
        seeds: How many, counted up from `seed`. Only the training changes with them: the parts stay the same.
        scratch: Train from scratch too, once per seed, and compare.
        out: Folder for one run, or the folder above one folder per run (`METHOD-seed0`, ...).
        margin: The smallest difference that matters in the comparison.
        progress: As in `transfer`; "runs" is one more counter.
        arguments: As in `transfer`; a setting must belong to at least one of the methods.

    Raises:
        InputError: No method, no seed, a setting of none of them, or what `transfer` raises.
    """
    found = methods_of(methods, scratch, arguments)
    names = [_name_of(one) for one in found]
    if seeds < 1:
        raise InputError(f"`seeds` must be at least 1; got {seeds}.")
    several = len(names) * seeds > 1
    tell = listener(progress)
    parts, left = open_parts(target, arguments)
    source = open_source(model, parts, trust_pickle=bool(left.get("trust_pickle")))
    runs: list[Run] = []
    folders: list[Path] = []
    for number in range(seeds):
        for one, name in zip(found, names, strict=True):
            title = f"{name}-seed{seed + number}" if several else name
            count = len(names) * seeds
            tell(Event("runs", len(runs), count, f"[{len(runs) + 1}/{count}] {title}"))
            place = None if out is None else Path(out) / title if several else Path(out)
            own = arguments_of(one, left)
            runs.append(transfer(parts, source, method=one, seed=seed + number, out=place, progress=tell, **own))
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


def methods_of(methods: Sequence[str | Method], scratch: bool, arguments: Mapping[str, Any]) -> list[str | Method]:
    """The methods, each once, training from scratch among them where it is wanted.

    Raises:
        InputError: There is none, or a setting is out of its range or has no effect with any of them.
    """
    found = list(dict.fromkeys([*methods, *(["scratch"] if scratch else [])]))
    if not found:
        raise InputError("name at least one method.")
    check_via(arguments.get("via"), arguments.get("via_method"))
    settings = given({name: value for name, value in arguments.items() if name in all_options()})
    if "auto" not in found:  # else it is not known yet which method takes the settings; `transfer` checks
        refuse_without_effect(settings, [_class_of(one) for one in found], after_another=_after_another(arguments))
    return found


def arguments_of(method: str | Method, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What of the arguments goes to this method: not the settings that are others' alone."""
    if method == "auto":
        return dict(arguments)
    own = set(all_options())
    settings = {name: value for name, value in arguments.items() if name in own}
    taken = effective(_class_of(method), settings, after_another=_after_another(arguments))
    return {name: value for name, value in arguments.items() if name not in own or name in taken}


def _after_another(arguments: Mapping[str, Any]) -> bool:
    return any(arguments.get(data) is not None for data in ("via", "source_data"))


def _class_of(method: str | Method) -> type[Method]:
    return METHODS.find(method) if isinstance(method, str) else type(method)


def _name_of(method: str | Method) -> str:
    return method if isinstance(method, str) else method.name
