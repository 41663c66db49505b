"""Tables and sentences as records, with the renderers that every face of headstart uses.

A view is a sequence of `Table` and `Prose`. `as_text` shows it in a terminal and for `print`, `as_html` in a notebook,
`as_markdown` in a document.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import zip_longest
from textwrap import fill
from typing import Literal

from headstart.wording import in_markdown, shortened_inside

Tone = Literal["plain", "title", "good", "warning", "failure", "quiet"]  # what a line is to its reader
Line = tuple[str, Tone]
GAP = "  "  # between two columns
NARROWEST = 24  # characters of a name that stay when a narrow terminal shortens it
COLOURS: dict[Tone, str] = {"warning": "#8a4700", "failure": "#a1242b"}
STYLE = """<style>
.headstart p { margin: .4em 0; }
.headstart table { border-collapse: collapse; width: auto; }
.headstart th, .headstart td { text-align: left; vertical-align: middle; padding: .3em .7em; }
.headstart .number, .headstart .place { text-align: right; white-space: nowrap; }
.headstart .leads { background: rgba(11, 107, 102, .1); }
.headstart th { font-weight: 600; }
.headstart small { font-weight: 400; opacity: .8; }
.headstart small, .headstart strong, .headstart svg { display: block; overflow: visible; }
.headstart .warning, .headstart .reason { color: #a1242b; }
.headstart .axis, .headstart .plot { min-width: 12em; }
.headstart .axis text { text-anchor: middle; font-size: .75em; fill: currentcolor; }
.headstart .axis .grid { display: none; }
.headstart .plot .grid { display: inline; }
.headstart .grid { stroke: rgba(128, 128, 128, .3); }
.headstart .span { stroke: #737b83; stroke-width: 8; stroke-opacity: .4; }
.headstart circle, .headstart .fill { fill: #0b6b66; }
.headstart .track { fill: rgba(128, 128, 128, .2); }
</style>"""  # a report has its own style sheet


@dataclass(frozen=True)
class Column:
    """A title and one cell of text for each row; a cell may hold several lines."""

    title: str
    cells: tuple[str, ...]
    right: bool = True  # numbers are aligned to the right, words to the left
    html: tuple[str, ...] = ()  # the cells as HTML, already escaped, where a page shows more than the text
    head: str = ""  # likewise the title
    css: str = ""  # class of the cells on a page

    @property
    def width(self) -> int:
        """Characters of the longest line of a cell or of the title."""
        return max(len(line) for cell in (self.title, *self.cells) for line in (cell.splitlines() or [""]))

    @property
    def css_class(self) -> str:
        """Class of the cells on a page."""
        return self.css or ("number" if self.right else "words")

    def cell(self, place: int, *, names: bool) -> str:
        """One cell as HTML; `names` says that the column names the rows."""
        content = self.html[place] if self.html else breakable(self.cells[place])
        kind = 'th role="rowheader" scope="row"' if names else 'td role="cell"'
        return f'<{kind} class="{self.css_class}" data-label="{escape(self.title)}">{content}</{kind[:2]}>'


@dataclass(frozen=True)
class Table:
    """Columns of equal length, from left to right.

    Example:
        >>> sizes = Table((Column("model", ("a", "bc"), right=False), Column("size", ("1", "20"))))
        >>> print(as_text([sizes]))
        model  size
        a         1
        bc       20
        >>> print(as_markdown([sizes]))
        | model | size |
        | --- | ---: |
        | a | 1 |
        | bc | 20 |
    """

    columns: tuple[Column, ...]
    tones: tuple[Tone, ...] = ()  # one for each row; all plain by default
    lead: int = 1  # how many columns are repeated where a narrow terminal cuts the table into parts

    @property
    def width(self) -> int:
        """Characters of a row."""
        return sum(column.width for column in self.columns) + len(GAP) * (len(self.columns) - 1)

    @property
    def height(self) -> int:
        """How many rows there are below the titles."""
        return len(self.columns[0].cells or self.columns[0].html)

    def rows(self, first: int, last: int | None) -> "Table":
        """The rows from `first` up to `last`, which is left out."""
        part = slice(first, last)
        columns = (replace(one, cells=one.cells[part], html=one.html[part]) for one in self.columns)
        return replace(self, columns=tuple(columns), tones=self.tones[part])

    def parts(self, width: int) -> list["Table"]:
        """The table cut into as few tables of at most `width` characters as can be, each with the leading columns.

        Names that would make more tables of it are shortened in their middle; where two would then look alike, they go
        on in the next line instead.
        """
        if self.width <= width:
            return [self]
        longest = max(NARROWEST, *(column.width for column in self.columns[: self.lead]))
        found = self._cut(NARROWEST, width)
        while longest > NARROWEST and len(wider := self._cut(longest, width)) > len(found):
            longest -= 1
        return wider if longest > NARROWEST else found

    def _cut(self, room: int, width: int) -> list["Table"]:
        """The tables where a name has `room` characters."""
        lead = tuple(column if column.right else _narrowed(column, room) for column in self.columns[: self.lead])
        found = [replace(self, columns=lead)]
        for column in self.columns[self.lead :]:
            longer = replace(self, columns=(*found[-1].columns, column))
            if longer.width <= width or found[-1].columns == lead:
                found[-1] = longer
            else:
                found.append(replace(self, columns=(*lead, column)))
        return found

    def lines(self) -> Iterator[Line]:
        """Title line and rows as text, each with its tone."""
        tones: list[Tone] = ["title", *(self.tones or ["plain"] * self.height)]
        for row, tone in zip(self._rows(), tones, strict=True):
            for cells in zip_longest(*(cell.splitlines() or [""] for cell in row), fillvalue=""):
                padded = [
                    cell.rjust(column.width) if column.right else cell.ljust(column.width)
                    for column, cell in zip(self.columns, cells, strict=True)
                ]
                yield GAP.join(padded).rstrip(), tone

    def _rows(self) -> Iterator[tuple[str, ...]]:
        """The titles, then the cells of each row."""
        return zip(*((column.title, *column.cells) for column in self.columns), strict=True)

    def html(self, css: str = "", label: str = "") -> str:
        """The table as an HTML fragment; every text is escaped. The first column of words names the rows.

        Args:
            css: Class of the table, for a style sheet.
            label: Identifies the heading that names the table on its page.
        """
        names = next((place for place, column in enumerate(self.columns) if not column.right), 0)
        head = "".join(
            f'<th role="columnheader" scope="col" class="{c.css_class}">{c.head or escape(c.title)}</th>'
            for c in self.columns
        )
        rows = "".join(
            f'<tr role="row" class="{"leads" if tone == "good" else "trails"}">'
            + "".join(column.cell(place, names=names == i) for i, column in enumerate(self.columns))
            + "</tr>"
            for place, tone in enumerate(self.tones or ["plain"] * self.height)
        )
        named = f' aria-labelledby="{label}"' if label else ""
        return (
            f'<table class="{css}" role="table"{named}><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
            f'<tbody role="rowgroup">{rows}</tbody></table>'
        )

    def markdown(self) -> str:
        """The table in Markdown."""
        rule = ["---:" if column.right else "---" for column in self.columns]
        titles, *rows = self._rows()
        lines = [titles, rule, *rows]
        return "\n".join("| " + " | ".join(in_markdown(cell) for cell in line) + " |" for line in lines)


@dataclass(frozen=True)
class Prose:
    """Sentences, each on a line of its own, below an optional title."""

    sentences: tuple[str, ...] = ()
    tone: Tone = "plain"
    title: str = ""

    def lines(self, width: int) -> Iterator[Line]:
        """Wrapped lines with their tones; sentences are indented below a title."""
        if self.title:
            yield from ((line, "title") for line in fill(self.title, width, break_long_words=False).splitlines())
        indent = GAP if self.title else ""
        for said in self.sentences:
            wrapped = fill(
                said,
                width,
                break_long_words=False,
                break_on_hyphens=False,
                initial_indent=indent,
                subsequent_indent=indent,
            )
            yield from ((line, self.tone) for line in wrapped.splitlines())

    def html(self) -> str:
        """A heading and a paragraph for each sentence."""
        head = f"<p><strong>{escape(self.title)}</strong></p>" if self.title else ""
        style = f' style="color:{COLOURS[self.tone]}"' if self.tone in COLOURS else ""
        return head + "".join(f"<p{style}>{escape(said)}</p>" for said in self.sentences)

    def markdown(self) -> str:
        """The title in bold, the sentences as a list."""
        title = [f"**{in_markdown(self.title)}**"] if self.title else []
        said = "\n".join(f"- {in_markdown(sentence)}" for sentence in self.sentences)
        return "\n\n".join([*title, *([said] if said else [])])


View = Sequence[Table | Prose]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1, lead: int | None = None) -> Table:
    """A table from its rows; the first `words` columns hold words, the others numbers.

    Example:
        >>> print(table(["model", "size"], [["a", "1"], ["bc", "20"]]).markdown().splitlines()[-1])
        | bc | 20 |
    """
    cells = list(zip(*rows, strict=True)) or [()] * len(header)
    columns = [Column(title, tuple(cells[place]), right=place >= words) for place, title in enumerate(header)]
    return Table(tuple(columns), lead=words if lead is None else lead)


def titled(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = (), *, words: int = 1
) -> list[Table | Prose]:
    """A table with its title above and its notes below.

    Example:
        >>> print(as_markdown(titled("Sizes", ["model", "size"], [["a", "1"]], ["size: in megabytes"])))
        **Sizes**
        <BLANKLINE>
        | model | size |
        | --- | ---: |
        | a | 1 |
        <BLANKLINE>
        - size: in megabytes
    """
    said = tuple(notes)
    return [Prose(title=title), table(header, rows, words=words), *([Prose(said)] if said else [])]


def as_lines(view: View, width: int = 100) -> Iterator[Line]:
    """The lines of a view in a terminal of that width, each with its tone; an empty line between its parts."""
    blocks = [block for part in view for block in (part.parts(width) if isinstance(part, Table) else [part])]
    for place, block in enumerate(blocks):
        if place:
            yield "", "plain"
        yield from block.lines() if isinstance(block, Table) else block.lines(width)


def as_text(view: View, width: int = 100) -> str:
    """A view as plain text."""
    return "\n".join(line for line, _ in as_lines(view, width))


def as_html(view: View) -> str:
    """A view as an HTML fragment, for a notebook."""
    return f'<div class="headstart">{STYLE}{"".join(part.html() for part in view)}</div>'


def as_markdown(view: View) -> str:
    """A view as Markdown."""
    return "\n\n".join(part.markdown() for part in view)


def breakable(name: str) -> str:
    """A name as escaped HTML that breaks after an underscore or a dot, if it must, rather than inside a word.

    Example:
        >>> breakable("zoo/lite_0 <b>")
        'zoo/lite_<wbr>0 &lt;b&gt;'
    """
    return "<wbr>".join(escape(part) for part in re.split(r"(?<=[_.])(?=\w)", name))


def _narrowed(column: Column, room: int) -> Column:
    cells = tuple(shortened_inside(cell, room) for cell in column.cells)
    if len(set(cells)) < len(set(column.cells)):
        cells = tuple("\n".join(cell[i : i + room] for i in range(0, len(cell), room)) for cell in column.cells)
    return replace(column, cells=cells)
