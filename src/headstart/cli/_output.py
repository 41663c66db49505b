"""Where results go: a table for people, files for programs. Standard output carries one of them only."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from headstart.errors import InputError
from headstart.records.files import as_csv, check_destination, write_atomically
from headstart.records.table import Prose, Tone, View, as_lines, as_markdown
from headstart.wording import printable

if TYPE_CHECKING:
    from headstart.records import AdaptationRecord, Clustering, FewShot, Outcome, Ranking, ZeroShot

STDOUT = "-"
RANKED, NOTHING, SOME_FAILED = 0, 1, 3
STYLES: Mapping[Tone, str] = {
    "plain": "", "title": "bold", "good": "green", "warning": "yellow", "failure": "red", "quiet": "dim",
}  # fmt: skip


@dataclass(frozen=True)
class Output:
    """The destinations a user named. When standard output carries JSON or CSV, the table goes to the error stream."""

    json: str | None = None
    csv: str | None = None

    def __post_init__(self) -> None:
        check_places(json=self.json, csv=self.csv)

    @cached_property
    def errors(self) -> Console:
        """For progress."""
        return console(errors=True)

    def finish(
        self,
        record: "AdaptationRecord | Clustering | FewShot | Ranking | ZeroShot",
        *saved: Path | None,
        tracker: str | None = None,
    ) -> NoReturn:
        """Write a record where it was asked for, print it, and exit with its code.

        0: all is well; 1: nothing could be ranked; 3: some models failed.

        Args:
            record: What the command found.
            saved: What the call has written already; None for what was not asked for.
            tracker: Where a ranking is logged too.
        """
        nothing = not record.rows or getattr(record.rows[0], "rank", 1) is None
        places = [place for place in saved if place]
        if record.rows:
            write(self.json, record.to_json() + "\n")
            write(self.csv, rows_as_csv(record.to_rows()) if self.csv else "")
            places += [Path(place) for place in (self.json, self.csv) if place and not on_stdout(place)]
        told = [Prose(wrote(places))] if places and not nothing else []
        show([*record.view(), *told], errors=on_stdout(self.json, self.csv))
        log_to(tracker, record)  # type: ignore[arg-type]  # only `rank` names one
        raise typer.Exit(NOTHING if nothing else SOME_FAILED if record.failures else RANKED)


def wrote(places: Iterable[Path]) -> tuple[str, ...]:
    """Where results were written, one sentence each."""
    return tuple(f"Wrote {place}" for place in places)


def rows_as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Flat dictionaries as CSV; missing values are empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return as_csv([columns, *([row.get(name) for name in columns] for row in rows)])


def check_places(**places: str | Path | None) -> None:
    """Say at once that results cannot go where an option of that name wants them.

    Raises:
        InputError: Two are for standard output, or there is a folder where a file is wanted, or no right to write.
        WriteError: No file can have the name.
    """
    here = [f"`--{option}`" for option, place in places.items() if on_stdout(place)]
    if len(here) > 1:
        raise InputError(f"standard output cannot hold both {' and '.join(here)}; give one of them a file name.")
    for place in places.values():
        check_destination(None if on_stdout(place) else place, folder=False)


def check_tracker(track: str | None) -> None:
    """Say at once that results cannot go to a tracker: there is none of that name, or it is not installed."""
    if track:
        from headstart.tracking import library_of

        library_of(track)


def log_to(tracker: str | None, record: "Ranking | Sequence[Outcome]") -> None:
    """Log results to a tracker, if one was asked for."""
    if tracker:
        from headstart.tracking import track

        track(record, tracker)


def on_stdout(*places: str | Path | None) -> bool:
    """Is one of them for standard output?"""
    return STDOUT in map(str, places)


def write(place: str | Path | None, text: str) -> None:
    """Write a result where it is wanted, if it is."""
    content = text.encode("utf-8", "backslashreplace")  # a name that is not UTF-8 shows escaped
    if on_stdout(place):
        sys.stdout.write(content.decode())
    elif place:
        write_atomically(Path(place), content)


def present(view: View, markdown: Path | None = None, *, errors: bool = False) -> None:
    """Print tables and notes, on the error stream if wanted, and write them to `markdown`."""
    show(view, errors=errors)
    if markdown is not None:
        write(markdown, as_markdown(view) + "\n")
        if not on_stdout(markdown):
            print(f"Wrote {markdown}", file=sys.stderr if errors else sys.stdout)


def show(view: View, *, errors: bool = False, width: int | None = None) -> None:
    """Print a view on standard output, or on the error stream where standard output carries data.

    Args:
        view: Tables and sentences.
        errors: Print on the error stream.
        width: Characters a line may have; the terminal's width by default.
    """
    out = console(errors=errors)
    for line, tone in as_lines(view, width or out.width):
        out.print(Text(printable(line), style=STYLES[tone]), soft_wrap=True)


def console(*, errors: bool = False) -> Console:
    """A stream that shows text as it is: a name that holds `[b]` or `:m:` is no markup and no emoji."""
    return Console(stderr=errors, highlight=False, markup=False, emoji=False)


def terminal_width() -> int:
    """Characters of a line on the terminal; 80 where there is none."""
    return Console().width
