"""`headstart scores`: what can be measured, and how to read it."""

from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from headstart.cli._commands import command
from headstart.cli._output import show, terminal_width
from headstart.records.table import GAP, Column, Prose, Table, table
from headstart.tasks import TASKS
from headstart.wording import bounds

if TYPE_CHECKING:
    from headstart.scores import Score


@command(needs_words=False)
def scores(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show all there is to know of one.", show_default=False)
    ] = None,
) -> None:
    """List the scores: what each reads, its range and what it means. For all of them, higher is better."""
    from headstart.scores import SCORES

    if name is not None:
        _details(SCORES.find(name))
        return
    rows = ((one.name + "*" * bool(one.default), one.needs, bounds(one.low, one.high)) for one in SCORES.values())
    names = table(("score", "reads", "range"), rows, words=3)
    room = max(terminal_width() - names.width - len(GAP), 24)
    meanings = Column("meaning", tuple(fill(score.meaning, room) for score in SCORES.values()), right=False)
    about = "* shown when you name no score. Higher is better for all. For details: `headstart scores NAME`."
    show([Table((*names.columns, meanings)), Prose((about,))])


def _details(score: "Score") -> None:
    title = f"{score.name} ({score.title})"
    facts = {
        "meaning": score.meaning,
        "reads": score.needs,
        "for": ", ".join(filter(score.suits, TASKS)),
        "range": f"{bounds(score.low, score.high)}; higher is better",
        "cost": score.cost,
        "source": score.citation,
    }
    rows = [(name, fill(fact, max(terminal_width() - 10, 24), break_long_words=False)) for name, fact in facts.items()]
    show([table(("score", title), rows, words=2)])
