"""Records on a terminal, in colour where it has colours."""

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from headstart.records.table import Tone, View, as_lines

STYLES: Mapping[Tone, str] = {
    "plain": "", "title": "bold", "good": "green", "warning": "yellow", "failure": "red", "quiet": "dim",
}  # fmt: skip


def show(view: View, *, errors: bool = False, width: int | None = None) -> None:
    """Print a view on standard output, or on the error stream where standard output carries data.

    Args:
        view: Tables and sentences.
        errors: Print on the error stream.
        width: Characters a line may have; the terminal's width by default.
    """
    console = Console(stderr=errors, highlight=False, markup=False)
    for line, tone in as_lines(view, width or console.width):
        console.print(Text(line, style=STYLES[tone]), soft_wrap=True)


def terminal_width() -> int:
    """Characters of a line on the terminal; 80 where there is none."""
    return Console().width
