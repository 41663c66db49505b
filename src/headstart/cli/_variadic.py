"""Options that take several values, as in `--models a b c`, which the command-line library has for arguments only."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

VARIADIC = ("--models", "-m", "--data", "--with", "--meta-data")


def spread(args: Sequence[str], names: Sequence[str] = VARIADIC) -> list[str]:
    """Repeat a variadic option before each of its values, which end at the next option.

    Example:
        >>> spread(["photos", "--models", "a", "b", "--limit", "9"])
        ['photos', '--models', 'a', '--models', 'b', '--limit', '9']
        >>> spread(["photos", "--models=a", "b", "--", "c"])
        ['photos', '--models=a', '--models', 'b', '--', 'c']
    """
    spread_out: list[str] = []
    option: str | None = None  # the variadic option whose values are being read
    due = False  # the option itself stands before the value already
    for place, arg in enumerate(args):
        if arg == "--":
            return [*spread_out, *args[place:]]
        if arg.startswith("-") and arg != "-":
            name = arg.split("=", 1)[0]
            option, due = (name, "=" not in arg) if name in names else (None, False)
            spread_out.append(arg)
            continue
        if option and not due:
            spread_out.append(option)
        due = False
        spread_out.append(arg)
    return spread_out


class VariadicCommand(TyperCommand):
    """A command whose `--models` (and `--data`, `--with`, `--meta-data`) takes every word up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(["--scores" if arg == "--score" else arg for arg in args]))
