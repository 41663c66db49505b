# ruff: noqa: RUF001 (the page prints a true minus sign)
"""The page as a whole: complete, self-contained, escaped, bounded, and written whole or not at all."""

import base64
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.test_compare import draw, run
from tests.report.parsed_page import Page

from headstart.evaluation import evaluate
from headstart.records import HeadView, Ranking, TargetSummary
from headstart.records.outcome import ClassResult
from headstart.report import write_report, write_results
from headstart.report.page import SCRIPT, render

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(2)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "a&amp;b &lt;c&gt;",
    "קטגוריה ראשונה",
    "猫 🐈 ñandú",
    "x" * 300,
    "tab\tand\nnewline",
)
EVENT_HANDLER = re.compile(r"on[a-z]+")
REACHES_OUT = {"src", "srcset", "data", "poster", "background", "action", "formaction", "ping"}


def hostile(ranking: Ranking, name: str) -> Ranking:
    """The same ranking with one name in every place that holds text."""
    target = ranking.target
    first = ranking.rows[0]
    assert first.head is not None
    head = replace(
        first.head,
        classes=(name, *first.head.classes[1:]),
        source_classes=(name, *first.head.source_classes[1:]),
    )
    row = replace(
        first,
        source=name,
        scores={score: replace(found, source=name, notes=(name,)) for score, found in first.scores.items()},
        unavailable={"source_accuracy": name},
        card=replace(first.card, name=name, trained_on=name, license=name, url=name),
        verdict=name,
        advised_against=True,
        head=head,
        layer=name,
        by_class=(ClassResult(name, 3, None, 0.0, 0.0),),
    )
    return replace(
        ranking,
        target=replace(
            target, name=name, split=name, classes=(name, *target.classes[1:]), notes=(name,), skipped={name: name},
            samples={name: (name, "javascript:alert(1)", "data:text/html;base64,PHNjcmlwdD4=")},
        ),
        rows=(row, *ranking.rows[1:]),
        failures=(replace(ranking.failures[0], source=name, reason=name),),
        provenance=replace(
            ranking.provenance, command=name, created=name, device=name, target_hash=name, versions={name: name},
            source_hashes={name: name},
        ),
        notes=(name,),
        scores=(*ranking.scores, name),
        sort_reason=name,
    )  # fmt: skip


def many_classes(count: int) -> TargetSummary:
    classes = tuple(f"class number {i}" for i in range(count))
    thumbnail = "data:image/jpeg;base64," + "A" * 2000
    return TargetSummary(
        name="many", kind="image", task="classification", n=7 * count, split=None, classes=classes,
        counts=(7,) * count, samples=dict.fromkeys(classes[:30], (thumbnail,) * 3),  # as a ranking records them
    )  # fmt: skip


def many_sources(ranking: Ranking, count: int) -> Ranking:
    rows = [
        replace(
            row := ranking.rows[i % 7],
            source=f"timm/model_{i}",
            rank=i + 1,
            scores={name: replace(found, source=f"timm/model_{i}") for name, found in row.scores.items()},
        )
        for i in range(count)
    ]
    return replace(ranking, rows=tuple(rows))


def test_every_section_of_a_full_record_is_there_with_its_facts(ranking):
    page = Page(render(ranking))
    ids = {element.attributes.get("id") for element in page.all("section")}
    assert ids == {"ranking", "scores", "failures", "target", "heads", "provenance"}
    links = {e.attributes["href"] for e in page.first("nav").inside if e.tag == "a"}
    assert links == {f"#{name}" for name in ids}
    rows = [row for row in page.first("table", "ranking").inside if row.tag == "tr"][1:]
    for row, source in zip(rows, ranking.rows, strict=True):
        assert source.source in row.text
    assert "−0.562" in rows[0].text
    assert "−0.598 to −0.526" in rows[0].text
    assert "6.1 M" in rows[0].text
    assert "the source has no classifier" in rows[-1].text
    assert "not on this machine" in page.by_id("failures").text
    assert "truncated file" in page.by_id("target").text
    assert ranking.provenance.command in page.by_id("provenance").text
    assert ranking.provenance.target_hash in page.by_id("provenance").text
    for source, digest in ranking.provenance.source_hashes.items():
        assert source in page.by_id("provenance").text
        assert digest in page.by_id("provenance").text


def test_every_score_has_a_panel_with_the_sources_in_the_same_order(ranking):
    panels = Page(render(ranking)).all("article", "panel")
    assert len(panels) == len(ranking.scores)
    for panel in panels:
        names = [e.text for e in panel.inside if e.tag == "th" and e.attributes.get("scope") == "row"]
        assert names == [row.source for row in ranking.rows]
    sorting = [panel for panel in panels if panel.has_class("sorts")]
    assert ["orders the ranking" in panel.text for panel in sorting] == [True]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_shows_as_text_and_nothing_else(ranking, name):
    page = Page(render(hostile(ranking, name)))
    assert [one.text for one in page.all("script")] == [SCRIPT]
    assert len(page.all("style")) == 1
    assert {e.tag for e in page.elements} <= {e.tag for e in Page(render(ranking)).elements}
    assert not page.all("img")
    for element in page.elements:
        assert not any(EVENT_HANDLER.fullmatch(attribute) for attribute in element.attributes), element
        href = element.attributes.get("href") or ""
        assert href.startswith(("#", "https://", "data:,")) or not href, element
    for place in ("ranking", "scores", "failures", "target", "heads", "provenance"):
        assert name in page.by_id(place).text, place
    assert name in page.first("h1").text


def test_the_page_asks_for_nothing_from_outside(ranking):
    page = Page(render(ranking))
    for element in page.elements:
        for attribute in REACHES_OUT & element.attributes.keys():
            assert (element.attributes[attribute] or "").startswith("data:image/png;base64,"), element
        if element.tag in ("link", "use"):
            assert (element.attributes["href"] or "").startswith(("data:,", "#")), element
    style = page.first("style").text
    assert "url(" not in style
    assert "@import" not in style
    policy = [e.attributes["content"] for e in page.all("meta") if "Content-Security-Policy" in e.attributes.values()]
    only = base64.b64encode(hashlib.sha256(page.first("script").text.encode()).digest()).decode()
    assert policy == [f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{only}'"]
    assert len(page.all("script")) == 1


def test_references_inside_the_page_lead_somewhere(ranking):
    page = Page(render(many_sources(ranking, 40)))
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    targets = {e.attributes["href"] for e in page.elements if (e.attributes.get("href") or "").startswith("#")}
    targets |= {f"#{e.attributes['aria-labelledby']}" for e in page.elements if "aria-labelledby" in e.attributes}
    assert targets <= {f"#{name}" for name in ids}


def test_every_picture_has_words_for_those_who_cannot_see_it(ranking):
    page = Page(render(ranking))
    for svg in page.all("svg"):
        hidden = svg.attributes.get("aria-hidden") == "true" or any(svg in e.inside for e in page.all("p", "scale"))
        titles = [e.text for e in svg.inside if e.tag == "title"]
        assert hidden or (svg.attributes.get("role") == "img" and titles and titles[0].strip()), svg
    assert all(image.attributes["alt"] for image in page.all("img"))
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_record_read_back_from_json_gives_the_same_page(ranking, tmp_path):
    assert render(Ranking.load(ranking.save(tmp_path))) == render(ranking)


def test_a_hundred_sources_and_a_thousand_classes_stay_under_two_megabytes(ranking):
    page = render(replace(many_sources(ranking, 100), target=many_classes(1000)))
    assert len(page.encode()) < 2_000_000
    text = Page(page).text
    assert "timm/model_99" in text
    assert "class number 999" in text
    assert "Not drawn, to keep this page small" in text


def test_a_usual_page_is_small(ranking):
    assert len(render(ranking).encode()) < 300_000


def test_long_lists_fold_away_without_losing_anything(ranking):
    page = Page(render(replace(many_sources(ranking, 50), target=many_classes(100))))
    summaries = [e.text for e in page.all("summary")]
    assert "76 more classes" in summaries
    assert summaries.count("26 more sources") == len(ranking.scores)
    tables = page.all("table", "classes")
    assert [sum(e.tag == "tr" for e in table.inside) - 1 for table in tables] == [24, 76]


def test_one_source_and_one_class(ranking):
    target = replace(ranking.target, classes=("only",), counts=(5,), samples={}, n=5)
    view = HeadView(("cat",), (1.0,), ((1.0,),), ("only",))
    row = replace(ranking.rows[0], rank_low=1, rank_high=1, probability_best=1.0, head=view)
    page = Page(render(replace(ranking, rows=(row,), target=target, tied=1, failures=(), notes=())))
    assert "is the only source ranked on" in page.first("h1").text
    assert "1 class" in page.by_id("target").text


def test_a_regression_target_has_values_instead_of_classes(ranking):
    target = TargetSummary(
        name="ages", kind="image", task="regression", n=300, split=None, classes=(), counts=(),
        samples={"0.5": ranking.target.samples["Bag"][:1], "81": ranking.target.samples["Coat"][:1]},
    )  # fmt: skip
    rows = tuple(replace(row, head=None) for row in ranking.rows)
    page = Page(render(replace(ranking, target=target, rows=rows)))
    assert [e.text for e in page.all("figcaption")] == ["0.5", "81"]
    assert len(page.all("img")) == 2
    assert not page.all("table", "classes")
    assert "heads" not in {e.attributes.get("id") for e in page.elements}


def test_text_samples_show_as_quotations(ranking):
    target = replace(
        ranking.target,
        kind="text",
        pictures=False,
        samples={"Bag": ("data:image/png;base64,AAAA is <b>no</b> picture here", "roomy")},
    )
    page = Page(render(replace(ranking, target=target)))
    quotes = [e.text for e in page.all("blockquote")]
    assert quotes == ["data:image/png;base64,AAAA is <b>no</b> picture here", "roomy"]
    assert not page.all("img")
    assert "998 texts" in page.text
    assert "texts/s" in {e.attributes.get("data-label") for e in page.all("td")}


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/svg+xml;base64,PHN2Zz4=",
        "https://example.org/a.png",
        'data:image/png;base64,AAAA" onload="alert(1)',
        "data:image/png;base64,AAAA\n",
        "data:image/png,AAAA",
    ],
)
def test_a_thumbnail_that_is_no_png_or_jpeg_data_uri_is_dropped_and_said_so(ranking, uri):
    good = ranking.target.samples["Bag"][0]
    page = Page(render(replace(ranking, target=replace(ranking.target, samples={"Bag": (uri, good)}))))
    assert [e.attributes["src"] for e in page.all("img")] == [good]
    assert "1 sample of the record not shown" in page.by_id("target").text


def test_a_ranking_in_which_everything_failed_says_so(ranking):
    page = Page(render(replace(ranking, rows=(), tied=0)))
    assert page.first("h1").text == "No source could be ranked on fashion_mnist_1000."
    assert "not on this machine" in page.by_id("failures").text
    assert not page.all("table", "ranking")


def test_values_that_are_missing_or_infinite_show_as_a_dash_with_the_reason(ranking):
    row = ranking.rows[3]
    broken = replace(
        row,
        scores={"leep_calibrated": replace(row.scores["leep_calibrated"], value=float("inf"), low=None, high=None)},
        unavailable={"knn": "fewer examples than neighbours"},
        probability_best=None,
    )
    page = Page(render(replace(ranking, rows=(*ranking.rows[:3], broken), tied=3)))
    cells = [e.text for e in page.all("tr", "trails")[0].inside if e.tag == "td"]
    assert cells[1:5] == ["no finite value", "—", "4", "—"]
    assert "no value: fewer examples than neighbours" in page.by_id("scores").text
    assert "no value: not computed" in page.by_id("scores").text
    assert not re.search(r"\b(nan|inf)\b", page.text)


def test_control_characters_and_bytes_that_are_no_text_do_not_break_the_page(ranking, tmp_path):
    odd = replace(ranking, target=replace(ranking.target, name="a\x00b\x1bc", skipped={"caf\udce9.png": "unreadable"}))
    path = write_report(odd, tmp_path / "report.html")
    text = path.read_bytes().decode("utf-8")
    assert "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c" in text
    assert "caf?.png" in Page(text).text


def test_only_web_addresses_become_links(ranking):
    rows = list(ranking.rows)
    for i, url in enumerate(("javascript:alert(1)", "file:///etc/passwd", "https://example.org/?a=1&b=2")):
        rows[i] = replace(rows[i], card=replace(rows[i].card, url=url))
    table = Page(render(replace(ranking, rows=tuple(rows)))).first("table", "ranking")
    links = [e.attributes["href"] for e in table.inside if e.tag == "a"]
    assert links == ["https://example.org/?a=1&b=2", "https://example.org/card"]


def test_the_report_is_written_whole_or_not_at_all(ranking, tmp_path, monkeypatch):
    path = tmp_path / "new folder" / "report.html"
    assert write_report(ranking, str(path)) == path
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(Exception, match="No space left"):
        write_report(replace(ranking, notes=("another",)), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["report.html"]


def test_a_report_is_rebuilt_without_torch_or_a_plotting_library(ranking, tmp_path):
    ranking.save(tmp_path)
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'torchvision', 'timm', 'matplotlib', 'transformers'):\n"
        "            raise ImportError(f'{name} is not on this machine')\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from headstart.records import Ranking\n"
        "from headstart.report import write_report\n"
        "write_report(Ranking.load(sys.argv[1]), sys.argv[1] + '/report.html')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)
    assert Path(tmp_path, "report.html").read_text("utf-8") == render(ranking)


def test_transfers_have_a_page_with_their_results_and_no_name_becomes_markup(tmp_path: Path) -> None:
    (transfer,), (scratch,) = draw(np.random.default_rng(0), 60, 1, 0.2)
    name = "<script>alert(1)</script>"
    runs = [run("head", 0, transfer, target=name), run("scratch", 0, scratch, target=name)]
    page = Page(write_results(evaluate(runs), tmp_path / "page.html").read_text("utf-8"))
    assert page.first("h1").text == f"Transfers to {name}"
    assert not page.all("script")
    assert "One seed shows a difference and proves nothing" in page.text
    assert len(page.all("table")) == 1


def test_each_panel_says_how_its_order_differs_from_the_rankings(ranking: Ranking) -> None:
    def said(given: Ranking) -> list[str]:
        return [element.text for element in Page(render(given)).all("p") if element.has_class("meaning")]

    assert any("It disagrees with the ranking on 1 of 21 pairs of sources." in each for each in said(ranking))
    first, *others = ranking.rows
    last = replace(first, scores=first.scores | {"knn": replace(first.scores["knn"], value=0.0)})
    told = said(replace(ranking, rows=(last, *others)))
    assert any("on 7 of 21 pairs of sources, and puts" in each and "lite0" in each for each in told)
    assert "with the ranking" not in " ".join(said(replace(ranking, rows=(first,))))


def test_the_classes_of_the_best_source_are_shown_hardest_first(ranking: Ranking) -> None:
    assert "Which classes" not in render(ranking)
    found = tuple(ClassResult(f"class {i}", 10, i / 40, i / 50, i / 45) for i in (3, 1, 2, *range(4, 40)))
    page = render(replace(ranking, rows=(replace(ranking.rows[0], by_class=found), *ranking.rows[1:])))
    assert page.index("class 1<") < page.index("class 2<") < page.index("class 3<")
    assert "29 more classes" in page  # as many are in view as of the target
