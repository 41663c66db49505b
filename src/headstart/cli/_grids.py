"""Tables of experiments on the terminal and, where asked for, as a page."""

from collections.abc import Sequence
from pathlib import Path

import typer

from headstart.cli._output import on_stdout, write
from headstart.cli._show import show
from headstart.records import Grid, page
from headstart.records.table import Prose, table


def present(grids: Sequence[Grid | None], markdown: Path | None = None, *, errors: bool = False) -> None:
    """Print the tables that are there, on the error stream if wanted, and write them to `markdown`."""
    there = [grid for grid in grids if grid is not None]
    for grid in there:
        _print(grid, errors)
    if markdown is not None:
        write(markdown, page(there))
        if not on_stdout(markdown):
            typer.echo(f"Wrote {markdown}", err=errors)


def _print(grid: Grid, errors: bool) -> None:
    cells = table(grid.header, grid.cells, words=grid.text_columns)
    typer.echo(err=errors)
    show([Prose(title=grid.title), cells, Prose(tuple(f"- {note}" for note in grid.notes))], errors=errors)
