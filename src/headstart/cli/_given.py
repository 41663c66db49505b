"""Options that were typed but that the rest of the command has no use for: refused, not passed over."""

from collections.abc import Collection

import typer

from headstart.errors import InputError
from headstart.wording import listing


def refuse_given(context: typer.Context, names: Collection[str], where: str, why: str, instead: str = "") -> None:
    """Say that what was typed changes nothing; an option's default says nothing.

    Args:
        context: Of the command.
        names: Its parameters that are of no use.
        where: What has no use for them: "`--show`".
        why: The reason, to follow "it".
        instead: What else the user may do than leave them out.

    Raises:
        InputError: One of them was typed.
    """
    typed = [
        f"`{parameter.opts[0]}`"
        for parameter in context.command.params
        if parameter.name in names and _is_typed(context, parameter.name)
    ]
    if typed:
        them = "it" if len(typed) == 1 else "them"
        raise InputError(f"{where} has no use for {listing(typed)}: it {why}. Leave {them} out{instead}.")


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
