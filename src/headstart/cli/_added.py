"""Commands that other installed packages add: entry points in the group `headstart.commands`, loaded when used."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from headstart.cli._guard import guarded

GROUP = "headstart.commands"


def added() -> dict[str, EntryPoint]:
    """Entry points by the name of their command; each holds a `typer.Typer` of one command.

    The package that brings a command declares it in its `pyproject.toml`:

        [project.entry-points."headstart.commands"]
        reproduce = "headstart_paper.cli:app"
    """
    return {entry.name: entry for entry in entry_points(group=GROUP)}


class WithAdded(TyperGroup):
    """The commands of headstart, then those added by other packages. Only the one that is run is imported."""

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

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(added()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        entry = added().get(cmd_name) if own is None else None
        if entry is None:
            return own
        command = typer.main.get_command(entry.load())
        command.name = cmd_name
        return command
