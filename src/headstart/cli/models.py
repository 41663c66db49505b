"""`headstart models`: which models can be named."""

from collections.abc import Sequence
from textwrap import fill
from typing import Annotated

import typer

from headstart.cli._commands import command
from headstart.cli._options import named
from headstart.cli._output import show
from headstart.records import ModelCard
from headstart.records.table import Column, Table, table
from headstart.wording import MISSING, listing, magnitude

ROOM = 48  # characters that what a model was trained on may take of a line


@command(needs_words=False)
def models(
    glob: Annotated[
        str | None,
        typer.Argument(metavar="GLOB", help="Models whose names match, as in 'timm/resnet*'.", show_default=False),
    ] = None,
    near: Annotated[
        str | None,
        named(
            metavar="DATA",
            help="Order them by how near the names of their classes are to those of these labelled data. No example is "
            "read, and no model runs on one.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the models: the zoo, or those that match a glob. Pass their names to `--models`."""
    from headstart.sources import ADAPTERS, list_models

    if near is not None:
        _by_names(near, glob or "zoo/*")
        return
    cards = list_models(glob or "zoo/*")
    known = _table(cards)
    show([known], width=known.width)  # a name is never cut
    if any(not card.local for card in cards):
        typer.echo("\nhub: loading the model may need a network.")
    if glob is None:
        typer.echo("\nWhat a name can be, and the extra of headstart that it needs:")
        kinds = [(one.usage, "[" + one.extra + "]", listing(one.media), one.about) for one in ADAPTERS.values()]
        ways = table(("name", "extra", "reads", "models"), kinds, words=4)
        show([ways], width=ways.width)


def _by_names(data: str, glob: str) -> None:
    """Print models that name their classes, or what they were trained on, nearest first."""
    from headstart.data import open_target
    from headstart.zeroshot import names_of, rank_by_names

    target = open_target(data)
    found = rank_by_names(target.classes, names_of(glob, target.kind))
    rows = ((one.source, f"{one.value:.3f}", _pairs(one.nearest)) for one in found)
    show([table(("model", "near", "nearest classes"), rows, words=3, lead=1)])


def _pairs(nearest: Sequence[tuple[str, str]]) -> str:
    """One pair a line, the first three; one line for a description of what the model was trained on."""
    others = {other for _, other in nearest}
    if len(nearest) > 1 and len(others) == 1:
        return fill(f"all ~ {others.pop()}", ROOM)
    said = [f"{own} ~ {other}" for own, other in nearest[:3]]
    return "\n".join([*said, *([f"and {len(nearest) - 3} more"] if len(nearest) > 3 else [])])


def _table(cards: list[ModelCard]) -> Table:
    """The known facts; empty columns are left out."""
    columns = [
        Column("model", tuple(card.name for card in cards), right=False),
        Column("params", tuple(magnitude(card.parameters) for card in cards)),
        Column("input", tuple(_size(card) for card in cards)),
        Column("classes", tuple(MISSING if card.num_classes is None else str(card.num_classes) for card in cards)),
        Column("top-1", tuple(_percent(card.imagenet_top1) for card in cards)),
        Column("where", tuple("here" if card.local else "hub" for card in cards), right=False),
    ]
    return Table(tuple(column for column in columns if set(column.cells) != {MISSING}))


def _size(card: ModelCard) -> str:
    return MISSING if card.input_size is None else "x".join(map(str, card.input_size[1:]))


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{share:.1%}"
