"""Options of several commands: common ones as types, and those generated from the dataclasses that define them."""

import inspect
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from headstart.cli._commands import OPEN
from headstart.data.reading import Reading
from headstart.errors import HeadstartError, InputError
from headstart.sources import ADAPTERS

if TYPE_CHECKING:
    from headstart.records.options import Option

DATA, HOW, RESULT = "Reading the data", "Running", "Writing the result"
METAVARS = {int: "N", float: "X", str: "NAME"}
SEVERAL = 4  # an option of more methods than this is listed under one heading


def named(*names: str, help: str, metavar: str | None = None, panel: str | None = None, **more: Any) -> Any:
    """A `typer.Option`, shorter to write."""
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, **more)


def complete_models(incomplete: str) -> list[str]:
    """Names of models that begin like this; timm's 1,800 names only after `timm/`."""
    from headstart.sources import list_models

    if "/" not in incomplete:
        kinds = ["auto", "zoo", *(one.prefix for one in ADAPTERS.values() if one.typed)]
        return [name for name in kinds if name.startswith(incomplete)]
    if not any(incomplete.startswith(one.prefix) for one in ADAPTERS.values() if one.listed):
        return []
    try:
        return [card.name for card in list_models(f"{incomplete}*")]
    except HeadstartError:  # no model is called so, or the library of the models is not installed
        return []


def complete_target(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of models where the words end inside `--models`; else the shell completes the name of a file."""
    return complete_models(incomplete) if ctx.meta.get(OPEN) in ("--models", "-m") else []


def complete_scores(incomplete: str) -> list[str]:
    """Names of scores, also after a comma."""
    from headstart.scores import SCORES

    return _after_comma(incomplete, ["all", *SCORES])


def complete_methods(incomplete: str) -> list[str]:
    """Names of methods, also after a comma."""
    from headstart.transfers import METHODS

    return _after_comma(incomplete, ["auto", *METHODS])


def _after_comma(incomplete: str, names: Iterable[str]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in names if name.startswith(last)]


Cache = Annotated[
    str | None,
    named(
        metavar="DIR", panel=HOW, help="Where forward passes are kept: a folder, or a URL such as s3://bucket/passes."
    ),
]
TrustPickle = Annotated[
    bool, named("--trust-pickle", panel=HOW, help="Load checkpoints that can run code on this machine.")
]
Track = Annotated[
    str | None,
    named(metavar="NAME", panel=RESULT, help="Also log the result to trackio, mlflow or wandb (an extra each)."),
]
Workers = Annotated[
    str,
    named(metavar="N", panel=HOW, help="Processes that work side by side; or ray, or ray://HOST:PORT (extra ray)."),
]
Report = Annotated[Path | None, named(metavar="FILE", panel=RESULT, help="Write a self-contained HTML page.")]
Json = Annotated[
    str | None, named("--json", metavar="FILE", panel=RESULT, help="Write the records as JSON; - is standard output.")
]
Csv = Annotated[
    str | None,
    named("--csv", metavar="FILE", panel=RESULT, help="Write one line per example; - is standard output."),
]
Margin = Annotated[float, named(min=0, metavar="X", panel=RESULT, help="Smallest difference that matters.")]
Models = Annotated[
    list[str] | None,
    named(
        *("--models", "-m"),
        metavar="NAME...",
        help=f"Models to rank: auto, zoo, or {', '.join(one.usage for one in ADAPTERS.values() if one.typed)}; see "
        "`headstart models`. Quote names with wildcards, as in 'timm/resnet*'.",
        autocompletion=complete_models,
        show_default=False,
    ),
]
Scores = Annotated[
    str | None,
    named("--scores", metavar="NAME,...", help="all, or some of `headstart scores`.", autocompletion=complete_scores),
]


def command_line() -> str:
    """This command as it was typed, for the record."""
    return shlex.join(["headstart", *sys.argv[1:]])


def cache_of(cache: str | None, no_cache: bool) -> str | bool:
    """The value of `cache=` that the two options ask for.

    Raises:
        InputError: Both are given.
    """
    if cache and no_cache:
        raise InputError("`--cache` and `--no-cache` exclude each other; give one of them.")
    return False if no_cache else cache or True


RUNNING: dict[str, tuple[Any, Any, object]] = {
    "limit": (
        int | None, named(min=1, metavar="N", panel=DATA, help="Use N examples, with every class in proportion."), None,
    ),
    "seed": (int, named(metavar="N", min=0, panel=HOW, help="Seed of every random choice."), 0),
    "device": (str, named(metavar="NAME", panel=HOW, help="auto, cpu, cuda or mps."), "auto"),
    "batch_size": (
        int | None, named(min=1, metavar="N", panel=HOW, help="Examples per forward pass; by default what fits."), None,
    ),
    "workers": (*get_args(Workers), "1"),
    "cache": (*get_args(Cache), None),
    "no_cache": (bool, named("--no-cache", panel=HOW, help="Keep no results of forward passes."), False),
    "trust_pickle": (*get_args(TrustPickle), False),
    "history": (
        Path | None,
        named(metavar="DIR", panel=HOW, help="Keep records here, and forecast by what calibrate learnt here."),
        None,
    ),
}  # name -> type, option and default  # fmt: skip


def running_options(*, without: Sequence[str] = ()) -> list[inspect.Parameter]:
    """How a command that passes data through models runs, as options; `running_from` takes their values."""
    return [
        _parameter(name, hint, default, option)
        for name, (hint, option, default) in RUNNING.items()
        if name not in without
    ]


def running_from(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call from the options of a command: those of running, and `reading`.

    Raises:
        InputError: Both `--cache` and `--no-cache` are given; TargetError: a field of `Reading` cannot be used.
    """
    reading, no_cache = reading_from(options), options.pop("no_cache")
    return {**options, "cache": cache_of(options["cache"], no_cache), "reading": reading}


def reading_options(*names: str) -> list[inspect.Parameter]:
    """The fields of `Reading` as options; all of them, or those named."""
    names_of_columns = dict.fromkeys(("text_column", "label_column"), list[str] | None)
    types: dict[str, Any] = {**names_of_columns, "root": Path, "download": bool, "max_bad": float}
    types["white_level"] = float | None
    return [
        _parameter(
            field.name,
            types.get(field.name, str | None),
            Path("data") if field.name == "root" else field.default,
            named(
                "--" + field.name.replace("_", "-"),
                help=str(field.metadata["help"]),
                metavar=field.metadata["metavar"],
                panel=DATA,
            ),
        )
        for field in fields(Reading)
        if not names or field.name in names
    ]


def reading_from(options: dict[str, Any]) -> Reading:
    """Take the fields of `Reading` out of the options of a command.

    Raises:
        TargetError: One of them cannot be used.
    """
    found = {field.name: options.pop(field.name) for field in fields(Reading) if field.name in options}
    return Reading(**{**found, **{name: found.get(name) or None for name in ("label_column", "text_column")}})


def method_options(
    methods: "Mapping[str, dict[str, Option]]", training: "dict[str, Option]"
) -> list[inspect.Parameter]:
    """The options of all methods, each under the methods that have it, then the settings of the training.

    Args:
        methods: Name of a method -> its options.
        training: The settings of the training.
    """
    owners: dict[str, list[str]] = {}
    for method, options in methods.items():
        for name in options:
            owners.setdefault(name, []).append(method)
    found = []
    for name, who in owners.items():
        if name in training:
            continue
        panel = f"Options of {', '.join(who) if len(who) <= SEVERAL else 'several methods'}"
        options = {each: methods[each][name] for each in who}
        found.append((who, _from_option(options[who[0]], _help(options), panel)))
    ordered = sorted(found, key=lambda entry: -len(entry[0]))  # stable: what most methods share comes first
    shared = []
    for name, one in training.items():
        own = {method: methods[method][name] for method in owners.get(name, ())}
        shared.append(_from_option(one, _help({"training": one, **own}), "Training"))
    return [one for _, one in ordered] + shared


def options_of_methods(methods: Mapping[str, type[Any]]) -> list[inspect.Parameter]:
    """The options of all these methods and of the training; needs torch."""
    from headstart.records.options import options_of
    from headstart.train.training import Training

    return method_options({name: options_of(made) for name, made in methods.items()}, options_of(Training))


def epilog_of(methods: Mapping[str, type[Any]], examples: str) -> str:
    """Every method in one line, then examples."""
    lines = (f"{name}: {(made.__doc__ or '').splitlines()[0]}" for name, made in methods.items())
    return "\n\n".join(["Methods:", *lines, examples])


def _help(options: "Mapping[str, Option]") -> str:
    """The help of one option in several methods."""
    by_text: dict[str, list[str]] = {}
    for method, one in options.items():
        by_text.setdefault(one.text, []).append(method)
    if len(by_text) == 1:
        return next(iter(by_text))
    if len(options) > SEVERAL or len({one.help for one in options.values()}) == 1:
        return f"{next(iter(options.values())).help}; the default depends on the method."
    return " ".join(f"{', '.join(methods)}: {text}" for text, methods in by_text.items())


def _from_option(one: "Option", help: str, panel: str) -> inspect.Parameter:
    metavar = None if one.type is bool else METAVARS[one.type]
    return _parameter(one.name, one.type | None, None, named(one.flag, help=help, metavar=metavar, panel=panel))


def _parameter(name: str, hint: Any, default: object, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, option])


FORWARD = (*running_options(without=("workers", "history")), *reading_options())
