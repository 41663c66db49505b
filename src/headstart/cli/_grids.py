"""Tables of experiments on the terminal and, where asked for, as a page."""

from collections.abc import Sequence
from pathlib import Path

import typer

from headstart.experiments.grid import Grid, page
from headstart.records import text, write_atomically


def present(grids: Sequence[Grid | None], markdown: Path | None = None) -> None:
    """Print the tables that are there, and write them to `markdown`."""
    there = [grid for grid in grids if grid is not None]
    for grid in there:
        _print(grid)
    if markdown is not None:
        write_atomically(markdown, page(there))
        typer.echo(f"Wrote {markdown}")


def _print(grid: Grid) -> None:
    columns = [
        text.Column(title, tuple(row[place] for row in grid.cells), right=place >= grid.text_columns)
        for place, title in enumerate(grid.header)
    ]
    typer.echo(f"\n{grid.title}\n")
    for line in text.lines(columns):
        typer.echo(line)
    typer.echo()
    for note in grid.notes:
        typer.echo(f"- {note}")
