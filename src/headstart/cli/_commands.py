"""What the command-line library lacks: commands imported when they are used, and options of several values."""

import inspect
import logging
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from headstart.cli._guard import guarded

GROUP = "headstart.commands"
VERBOSE = "--verbose"
VARIADIC = ("--models", "-m", "--data", "--with", "--meta-data", "--exclude", "--licence", "--sources", "--stack")
OPEN = "headstart.open"  # in a context: the variadic option that the words end with
CONTEXT = {"help_option_names": ["-h", "--help"]}
OWN = {
    "rank": "rank:rank",
    "run": "run:run",
    "transfer": "transfer:app",
    "adapt": "adapt:app",
    "evaluate": "saved:evaluate",
    "few-shot": "few_shot:few_shot",
    "predict": "saved:predict",
    "cluster": "cluster:cluster",
    "zero-shot": "zero_shot:zero_shot",
    "report": "saved:report",
    "export": "saved:export",
    "push": "saved:push",
    "calibrate": "saved:calibrate",
    "models": "models:models",
    "scores": "scores:scores",
    "benchmark": "benchmark:benchmark",
    "cache": "cache:cache",
}  # name -> where it is in this room
WHOLE = ("transfer", "adapt")  # their files have `whole`, the command with all its options


class WithAdded(TyperGroup):
    """The commands of headstart, then those of other installed packages. Only the one that runs is imported.

    A package declares its command, a `typer.Typer` of one command, in its `pyproject.toml`:

        [project.entry-points."headstart.commands"]
        reproduce = "headstart_paper.cli:app"
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name) for name in OWN}  # the names; `get_command` imports what they run

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        if name in WHOLE:
            found = guarded(lambda: _loaded(name, import_module(f"headstart.cli.{name}").whole()))()
        return name, found, rest

    def get_params(self, ctx: Any) -> list[Any]:
        return _untyped(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(_added()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = OWN.get(cmd_name)
        entry = EntryPoint(cmd_name, f"headstart.cli.{place}", GROUP) if place else _added().get(cmd_name)
        return None if entry is None else _loaded(cmd_name, entry.load())


class VariadicCommand(TyperCommand):
    """A command whose `--models` (and `--data`, `--with`, `--meta-data`) takes every word up to the next option."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _untyped(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if VERBOSE in args:  # also where it stands after the command's name
            be_verbose()
        words, ctx.meta[OPEN] = spread(["--scores" if arg == "--score" else arg for arg in args if arg != VERBOSE])
        return super().parse_args(ctx, words)


def command(
    *options: inspect.Parameter, epilog: str | None = None, resumes: bool = False, needs_words: bool = True
) -> Callable[[Callable[..., None]], typer.Typer]:
    """Make a function an application of one command (decorator).

    Args:
        options: More options, in place of the function's `**` keywords.
        epilog: Examples, below the options.
        resumes: Whether the same command resumes from what its `--out` holds.
        needs_words: Whether the command without a word shows its help.
    """

    def made(function: Callable[..., None]) -> typer.Typer:
        app = typer.Typer(add_completion=False, rich_markup_mode="rich", context_settings=CONTEXT)
        run = guarded(with_options(function, *options), resumes=resumes)
        app.command(cls=VariadicCommand, no_args_is_help=needs_words, epilog=epilog)(run)
        return app

    return made


def with_options(function: Callable[..., None], *parameters: inspect.Parameter) -> Callable[..., None]:
    """The function with more options in its signature, in place of its `**` keywords."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]

    @wraps(function)
    def run(*args: Any, **options: Any) -> None:
        function(*args, **options)

    run.__signature__ = signature.replace(parameters=[*own, *parameters])  # type: ignore[attr-defined]
    return run


def be_verbose() -> None:
    """Print what the logger `headstart` is told, and what only a reader of the papers asks for."""
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("headstart").setLevel(logging.INFO)


def spread(args: Sequence[str]) -> tuple[list[str], str | None]:
    """The words with a variadic option before each of its values, and the option whose values the words end with.

    Example:
        >>> spread(["photos", "--models", "a", "b", "--limit", "9"])
        (['photos', '--models', 'a', '--models', 'b', '--limit', '9'], None)
        >>> spread(["photos", "--models=a", "b"])
        (['photos', '--models=a', '--models', 'b'], '--models')
    """
    words: list[str] = []
    option: str | None = None  # the variadic option whose values are being read
    for place, arg in enumerate(args):
        if arg == "--":
            return [*words, *args[place:]], None
        if arg.startswith("-") and arg != "-":
            name = arg.partition("=")[0]
            option = name if name in VARIADIC else None
        elif option and words[-1] != option:
            words.append(option)
        words.append(arg)
    return words, option


def _loaded(name: str, app: typer.Typer) -> Any:
    """The one command of an application, under this name."""
    found = typer.main.get_command(app)
    found.name = name
    return found


def _untyped(parameters: list[Any]) -> list[Any]:
    """The parameters, whose help names no Python type beside a flag or an argument, such as `<bool>`."""
    for one in parameters:
        if one.param_type_name == "argument" or one.is_flag:
            one.display_type_rich = lambda ctx: ""
    return parameters


def _added() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
