"""How records show themselves: short in an error, readable when printed, a table in a notebook, a figure on demand."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.test_compare import draw, run
from tests.records.test_ranking_text import ranking, row
from tests.report.parsed_page import Page

from headstart.errors import InputError, MissingExtra
from headstart.evaluation import evaluate
from headstart.records import Comparison, ModelCard, Outcome, Ranking


def many() -> Ranking:
    return ranking(*(row(f"zoo/{'n' * 50}{i}", i + 1) for i in range(40)))


def outcome() -> Outcome:
    return run("head", 0, None, metrics={"accuracy": 0.8125}).outcome


def comparison() -> Comparison:
    arms = zip(("head", "scratch"), draw(np.random.default_rng(0), 60, 2, 0.2), strict=True)
    return evaluate([run(method, seed, answers) for method, arm in arms for seed, answers in enumerate(arm)])[0]


@pytest.mark.parametrize("record", [many(), many().rows[0], many().target, outcome(), comparison()])
def test_a_repr_fits_in_five_lines_and_names_the_class(record: object) -> None:
    lines = repr(record).splitlines()
    assert len(lines) <= 5
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith(type(record).__name__)


def test_a_printed_outcome_holds_its_metrics() -> None:
    text = str(outcome())
    assert text.startswith("zoo/x on t")
    assert "0.812" in text


def test_a_printed_comparison_says_verdict_gain_and_advice() -> None:
    found = comparison()
    text = " ".join(str(found).split())
    assert found.verdict in text
    assert f"gain {found.gain:+.3f}" in text
    assert found.advice in text


def test_a_notebook_shows_the_table_of_the_report() -> None:
    hostile = "a<script>"
    page = Page(f"<body>{ranking(row(hostile, 1), row('zoo/b', 2))._repr_html_()}</body>")
    assert [e.text for e in page.all("th") if e.attributes["scope"] == "row"] == [hostile, "zoo/b"]
    assert len(page.all("circle")) == 2
    assert not page.all("script")
    assert len(many()._repr_html_()) < 50_000


def test_a_ranking_without_rows_shows_in_a_notebook() -> None:
    assert "No model could be ranked" in ranking(tied=0)._repr_html_()


def test_a_ranking_is_drawn_with_a_line_for_each_source() -> None:
    figure = ranking(row("a", 1), row("b", 2), row("c", 3)).plot()
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b", "c"]
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib_a_drawing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("matplotlib", "headstart.report.plots"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"headstart\[plots\]"):
        ranking(row("a", 1)).plot()


def test_a_ranking_is_drawn_by_another_score() -> None:
    (axis,) = ranking(row("a", 1)).plot("knn").axes
    assert "knn" in axis.get_xlabel()
    with pytest.raises(InputError, match=r"no source has the score `kmm`.*knn"):
        ranking(row("a", 1)).plot("kmm")


def test_a_comparison_is_drawn_with_its_gain() -> None:
    found = comparison()
    figure = found.plot()
    assert f"{found.gain:+.3f}" in figure.axes[0].get_title()
    assert len(figure.axes) == (1 if found.convergence is None else 2)
    assert len(replace(found, convergence=None, low=None, high=None).plot().axes) == 1


def test_a_card_has_no_web_address_that_runs_a_script() -> None:
    card = ModelCard("a", "image", url="javascript:alert(1)")
    assert "javascript" not in ranking(row("a", 1, card=card))._repr_html_()
