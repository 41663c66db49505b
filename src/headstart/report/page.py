"""The page: the record goes in, one self-contained HTML file comes out. No network, no script, no torch."""

import os
import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headstart.records import Ranking, text, write_atomically
from headstart.records.axis import axis_svg, bar_svg, interval_svg
from headstart.records.ranking_page import ranking_table
from headstart.records.search import unreached
from headstart.records.table import breakable
from headstart.records.text import description
from headstart.report.answer import headline, support
from headstart.report.classes import class_list
from headstart.report.heads import LEVELS, head_views
from headstart.report.panels import score_panels, score_title
from headstart.wording import NOUNS, percentage, plural

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")  # no HTML page may hold them


def write_report(ranking: Ranking, path: str | os.PathLike[str]) -> Path:
    """Write the report of a ranking as one HTML file, whole or not at all, and return its path.

    Args:
        ranking: The record, fresh or from `Ranking.load`; nothing else is read.
        path: The file to write; its folder is made if need be, an old file is replaced.

    Raises:
        WriteError: The file cannot be written.
    """
    path = Path(path)
    # A file name that is not UTF-8 reaches us as lone surrogates, which no page can hold: they show as "?".
    write_atomically(path, render(ranking).encode("utf-8", errors="replace"))
    return path


def render(ranking: Ranking) -> str:
    """The report of a ranking as HTML text. Every text of the record is escaped."""
    page = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            ranking=ranking,
            target=ranking.target,
            provenance=ranking.provenance,
            headline=headline(ranking),
            support=support(ranking, score_title(ranking.sort)),
            sort_title=score_title(ranking.sort),
            description=description(ranking),
            table=ranking_table(ranking, score_title(ranking.sort)),
            panels=score_panels(ranking),
            course=[*text.course(ranking), *(unreached(ranking.search) if ranking.search else ())],
            spent=percentage(ranking.search.share if ranking.search else None),
            classes=class_list(ranking.target),
            heads=head_views(ranking),
            levels=LEVELS,
            noun=NOUNS[ranking.target.kind],
        )
    )
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", page)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("headstart.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plural": plural, "breakable": lambda name: Markup(breakable(name))}
    environment.globals |= {"axis_svg": axis_svg, "interval_svg": interval_svg, "bar_svg": bar_svg}
    return environment
