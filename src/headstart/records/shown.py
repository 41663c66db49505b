"""How records show themselves: `repr` in a few lines, `print` as text, a notebook as HTML."""

from dataclasses import fields, is_dataclass
from importlib import import_module
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

from headstart.records.table import View, as_html, as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 60  # characters of one field
WIDTH, MOST = 100, 400  # characters of a line and of the whole `repr`: at most five lines


class Brief:
    """A dataclass whose `repr` fits in five lines: what is large is given by its size.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(repr=False)
        ... class Many(Brief):
        ...     name: str
        ...     values: tuple[int, ...]
        >>> Many("a", tuple(range(1000)))
        Many(name='a', values=<1000 of tuple>)
    """

    def __repr__(self) -> str:
        assert is_dataclass(self)
        parts = (f"{field.name}={_brief(getattr(self, field.name))}" for field in fields(self))
        return fill(shorten(f"{type(self).__name__}({', '.join(parts)})", MOST, placeholder=" ...)"), WIDTH)


class Shown(Brief):
    """A record that a person can read: give it a `view`."""

    def view(self) -> View:
        """Tables and sentences, in order."""
        raise NotImplementedError

    def __str__(self) -> str:
        return as_text(self.view())

    def _repr_html_(self) -> str:
        return as_html(self.view())


def draw(function: str, record: Shown, *args: object) -> "Figure":
    """A figure of a record, made by the room that reads records and knows matplotlib, which is loaded only now."""
    figure: Figure = getattr(import_module("headstart.report.plots"), function)(record, *args)
    return figure


def _brief(value: Any) -> str:
    if hasattr(value, "shape"):
        return f"<array {'x'.join(map(str, value.shape))}>"
    if isinstance(value, (tuple, list, dict)) and value:
        return f"<{len(value)} of {type(value).__name__}>"
    if is_dataclass(value):
        return f"<{type(value).__name__}>"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
