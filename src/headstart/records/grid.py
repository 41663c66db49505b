"""A table of words and numbers, for a terminal or a page."""

from collections.abc import Iterable
from dataclasses import dataclass

MISSING = "-"


def counted(count: int, thing: str) -> str:
    """A number and what it is of, one or many.

    Example:
        >>> counted(1, "task"), counted(200, "task")
        ('1 task', '200 tasks')
    """
    return f"{count} {thing}" + ("" if count == 1 else "s")


@dataclass(frozen=True)
class Grid:
    """A table as text: for a terminal or a page."""

    title: str
    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    text_columns: int = 4  # the first so many are words

    def markdown(self) -> str:
        """The table in Markdown, its title in bold, the notes below."""
        rule = ["---"] * self.text_columns + ["---:"] * (len(self.header) - self.text_columns)
        rows = [self.header, rule, *self.cells]
        text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        notes = "".join(f"\n- {note}" for note in self.notes)
        return f"**{self.title}**\n\n{text}\n{notes}\n"


def page(grids: Iterable[Grid]) -> str:
    """Tables one under the other in Markdown."""
    return "\n".join(grid.markdown() for grid in grids)
