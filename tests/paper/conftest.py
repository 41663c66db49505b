"""The command runs here as in the tests of the command line; tables are read row by row."""

from tests.cli.conftest import run

from headstart.records import Prose, Table, View

__all__ = ["run"]


def cells(view: View, which: int = 0) -> list[tuple[str, ...]]:
    """The rows of a view's table."""
    table = [part for part in view if isinstance(part, Table)][which]
    return list(zip(*(column.cells for column in table.columns), strict=True))


def notes(view: View) -> tuple[str, ...]:
    """What stands below the last table."""
    last = view[-1]
    assert isinstance(last, Prose)
    return last.sentences
