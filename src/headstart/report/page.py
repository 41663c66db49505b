"""The page: the record goes in, one self-contained HTML file comes out. No network, no torch.

Its only script sorts the ranking; the page's policy names it by its hash, so that no other one can run.
"""

import os
import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headstart.errors import InputError
from headstart.records import (
    AdaptationRecord,
    Clustering,
    Evaluation,
    FewShot,
    Outcome,
    Project,
    Provenance,
    Ranking,
    TargetSummary,
    View,
    text,
    write_atomically,
)
from headstart.records.axis import axis_svg, bar_svg, interval_svg
from headstart.records.ranking_page import ranking_table
from headstart.records.results import by_class, quality
from headstart.records.search import spared, unreached
from headstart.records.shown import Shown
from headstart.records.table import Table, as_html, breakable
from headstart.records.text import description
from headstart.report.answer import headline, support
from headstart.report.heads import LEVELS, head_views
from headstart.report.panels import score_panels, score_title
from headstart.wording import NOUNS, percentage, plural, shortened

SCRIPT = "\n" + resources.files("headstart.report").joinpath("templates", "sort.js").read_text(encoding="utf-8")
IN_VIEW = 24  # classes; more are folded away
# Only these are embedded: an SVG may carry a script, and any other address would reach for the network.
THUMBNAIL = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}")
LONGEST_TEXT = 280
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")  # no HTML page may hold them


def write_results(evaluation: Evaluation, path: str | os.PathLike[str]) -> Path:
    """Write what transfers reached and gained as one HTML file, whole or not at all, and return its path.

    Raises:
        WriteError: The file cannot be written.
    """
    parts = [*evaluation.view(), *(part for run in _best_runs(evaluation) for part in by_class(run))]
    facts = [run.provenance for run in evaluation.outcomes]
    return _write_view(path, parts, facts, f"Transfers to {evaluation.outcomes[0].target}", "headstart transfers")


def write_adaptation(record: AdaptationRecord, path: str | os.PathLike[str]) -> Path:
    """Write what adapting to a new domain did as one HTML file, whole or not at all, and return its path.

    Raises:
        WriteError: The file cannot be written.
    """
    title = f"From {record.labelled} to {record.unlabelled}"
    return _write_view(path, record.view(), [record.provenance], title, "headstart adapt")


def _write_view(
    path: str | os.PathLike[str], parts: View, made: Sequence[Provenance], title: str, eyebrow: str
) -> Path:
    """A page of tables and sentences, with the commands that made them."""
    commands = [one.command for one in made]
    given = {"title": title, "eyebrow": eyebrow, "created": made[0].created, "parts": parts, "commands": commands}
    return write_page(path, filled("results.html.jinja", **given))


def _best_runs(evaluation: Evaluation) -> list[Outcome]:
    """The run of each source and method with the largest metric."""
    found: dict[tuple[str, str], Outcome] = {}
    for one in evaluation.outcomes:
        before = found.get((one.source, one.method))
        if before is None or one.metrics[one.metric] > before.metrics[one.metric]:
            found[one.source, one.method] = one
    return list(found.values())


def write_report(record: Shown, path: str | os.PathLike[str]) -> Path:
    """Write the report of a record as one HTML file, whole or not at all, and return its path.

    Args:
        record: A ranking, a project, transfers, a clustering or few-shot accuracies; nothing else is read.
        path: The file to write; its folder is made if need be, an old file is replaced.

    Raises:
        InputError: The record has no page.
        WriteError: The file cannot be written.
    """
    if isinstance(record, Outcome | Evaluation):
        return write_results(Evaluation((record,), ()) if isinstance(record, Outcome) else record, path)
    if isinstance(record, AdaptationRecord):
        return write_adaptation(record, path)
    if isinstance(record, Clustering):
        from headstart.report.clusters import write_clusters

        return write_clusters(record, path)
    if isinstance(record, FewShot):
        from headstart.report.few_shot import write_few_shot

        return write_few_shot(record, path)
    story = as_html(record.view()) if isinstance(record, Project) else ""
    record = record.ranking if isinstance(record, Project) else record
    if not isinstance(record, Ranking):
        raise InputError(
            f"there is no page for a {type(record).__name__}, "
            "only for rankings, projects, transfers, clusterings and few-shot accuracies."
        )
    return write_page(path, render(record, story))


def render(ranking: Ranking, story: str = "") -> str:
    """The report of a ranking as HTML text. Every text of the record is escaped."""
    heads, not_drawn = head_views(ranking)
    classes = list(zip(ranking.target.classes, ranking.target.counts, strict=True))
    unfinished = unreached(ranking.search) if ranking.search else ()
    return filled(
        "page.html.jinja",
        ranking=ranking,
        story=Markup(story),
        script=Markup(SCRIPT),
        script_hash=b64encode(sha256(SCRIPT.encode()).digest()).decode(),
        target=ranking.target,
        provenance=ranking.provenance,
        headline=headline(ranking),
        support=support(ranking, score_title(ranking.sort)),
        sort_title=score_title(ranking.sort),
        description=description(ranking),
        table=ranking_table(ranking, score_title(ranking.sort)),
        panels=score_panels(ranking),
        by_class=_by_class(ranking),
        course=[*spared(ranking.left_out), *text.course(ranking), *unfinished],
        spent=percentage(ranking.search.share if ranking.search else None),
        classes=classes,
        in_view=len(classes) if len(classes) <= IN_VIEW + 6 else IN_VIEW,  # folding a handful away saves nothing
        samples=_samples(ranking.target),
        heads=heads,
        not_drawn=not_drawn,
        levels=LEVELS,
        noun=NOUNS[ranking.target.kind],
    )


def _by_class(ranking: Ranking) -> Table | None:
    """Quality of each class in left-out predictions from the best source's features, the hardest first."""
    found = ranking.rows[0].by_class if ranking.rows else ()
    return quality(sorted(found, key=lambda one: one.f1 or 0.0)) if found else None


def _samples(target: TargetSummary) -> dict[str, list[str]]:
    """What a page may show of each class: thumbnails, or the beginnings of texts."""
    kept = {
        name: [value for value in values if THUMBNAIL.fullmatch(value)]
        if target.pictures
        else [shortened(value, LONGEST_TEXT) for value in values]
        for name, values in target.samples.items()
    }
    return {name: values for name, values in kept.items() if values}


def write_page(path: str | os.PathLike[str], page: str) -> Path:
    """Write a page to a file, whole or not at all, and return its path; lone surrogates in file names become "?"."""
    write_atomically(Path(path), page.encode("utf-8", errors="replace"))
    return Path(path)


def filled(template: str, **values: object) -> str:
    """A template with its values as HTML text, in which every text is escaped."""
    page = _environment().get_template(template).render(**values)
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
