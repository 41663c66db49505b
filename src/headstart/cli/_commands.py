"""What the command-line library lacks: commands of other packages, and options that take several values."""

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from headstart.cli._guard import guarded

GROUP = "headstart.commands"
VERBOSE = "--verbose"
VARIADIC = ("--models", "-m", "--data", "--with", "--meta-data", "--exclude", "--licence", "--sources", "--stack")
OPEN = "headstart.open"  # in a context: the variadic option that the words end with


class WithAdded(TyperGroup):
    """The commands of headstart, then those of other installed packages. Only the one that runs is imported.

    A package declares its command, a `typer.Typer` of one command, in its `pyproject.toml`:

        [project.entry-points."headstart.commands"]
        reproduce = "headstart_paper.cli:app"
    """

    wholes: ClassVar[dict[str, Callable[[], typer.Typer]]] = {}

    @classmethod
    def whole(cls, name: str) -> Callable[[Callable[[], typer.Typer]], Callable[[], typer.Typer]]:
        """Register what makes a command with all its options, for when it is run or completed (decorator)."""

        def register(make: Callable[[], typer.Typer]) -> Callable[[], typer.Typer]:
            cls.wholes[name] = make
            return make

        return register

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name not in self.wholes:
            return name, command, rest
        made = guarded(lambda: typer.main.get_command(self.wholes[name]()))()
        made.name = name
        return name, made, rest

    def get_params(self, ctx: Any) -> list[Any]:
        return _untyped(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(_added()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        entry = _added().get(cmd_name) if own is None else None
        if entry is None:
            return own
        command = typer.main.get_command(entry.load())
        command.name = cmd_name
        return command


class VariadicCommand(TyperCommand):
    """A command whose `--models` (and `--data`, `--with`, `--meta-data`) takes every word up to the next option."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _untyped(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if VERBOSE in args:  # also where it stands after the command's name
            be_verbose()
        words, ctx.meta[OPEN] = spread(["--scores" if arg == "--score" else arg for arg in args if arg != VERBOSE])
        return super().parse_args(ctx, words)


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


def _untyped(parameters: list[Any]) -> list[Any]:
    """The parameters, whose help names no Python type beside a flag or an argument, such as `<bool>`."""
    for one in parameters:
        if one.param_type_name == "argument" or one.is_flag:
            one.display_type_rich = lambda ctx: ""
    return parameters


def _added() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
