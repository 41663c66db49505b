"""A ranking as text: what fits where, and which sentences are said."""

from dataclasses import replace

import pytest
from tests.ranking.worlds import PROVENANCE, summary

from headstart.errors import ModelError, OfflineError
from headstart.records import Failure, Forecast, ModelCard, RankedSource, Ranking, ScoreRow, text


def row(
    source: str, rank: int | None, low: int | None = None, high: int | None = None, **changes: object
) -> RankedSource:
    value = -0.5 if rank is None else -0.1 * rank
    scores = {
        "leep": ScoreRow(source, "leep", value, 0.0123, value - 0.025, min(value + 0.025, 0.0), 0.1),
        "knn": ScoreRow(source, "knn", 0.9, 0.01, 0.88, 0.92, 0.1),
        "source_accuracy": ScoreRow(source, "source_accuracy", 0.751, None, None, None, 0.0),
    }
    facts: dict = {
        "source": source,
        "rank": rank,
        "rank_low": low or rank,
        "rank_high": high or rank,
        "probability_best": None if rank is None else 0.5,
        "scores": scores,
        "unavailable": {},
        "card": ModelCard(source, "image", parameters=4_652_008),
        "forward_seconds": 12.3,
        "examples_per_second": 84.2,
        "computed": 250,
    }
    return RankedSource(**{**facts, **changes})


def ranking(*rows: RankedSource, **changes: object) -> Ranking:
    facts: dict = {
        "target": summary(250, notes=("column `label` was guessed",)),
        "rows": rows,
        "sort": "leep",
        "scores": ("leep", "knn", "source_accuracy"),
        "tied": 1,
        "failures": (),
        "provenance": PROVENANCE,
        "sort_reason": "you chose it",
    }
    return Ranking(**{**facts, **changes})


def test_the_table_says_rank_score_with_interval_probability_and_cost() -> None:
    lines = str(ranking(row("zoo/a", 1, 1, 2), row("zoo/b", 2))).splitlines()
    assert lines[0] == "toys: 250 images in 3 classes, train split"
    header = next(line for line in lines if line.startswith("rank"))
    assert header.split() == [
        "rank", "source", "leep", "best", "params", "img/s", "forward", "knn", "source_accuracy",
    ]  # fmt: skip
    first = next(line for line in lines if line.startswith("1 "))
    assert first.split() == [
        "1", "(1-2)", "zoo/a", "-0.100", "±0.025", "0.50", "4.7M", "84", "12", "s", "0.900", "±0.020", "0.751",
    ]  # fmt: skip
    assert any(line.startswith("2  ") for line in lines)  # a rank known for certain shows no interval


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_parts_fit_the_width_and_begin_with_rank_and_source(width: int) -> None:
    shown = text.table(ranking(row("zoo/efficientnet_lite0", 1), row("zoo/b", 2))).parts(width)
    titles = [[column.title for column in part.columns] for part in shown]
    assert all(block[:2] == ["rank", "source"] for block in titles)
    assert titles[0][2] == "leep"
    flat = [title for block in titles for title in block[2:]]
    assert sorted(flat) == sorted(["leep", "best", "knn", "source_accuracy", "params", "img/s", "forward"])
    assert all(part.width <= max(width, 50) for part in shown)
    assert (len(shown) == 1) == (width == 200)


def test_a_score_that_no_source_has_takes_no_column() -> None:
    bare = row("a", 1, unavailable={"knn": "there are no features"})
    bare = replace(bare, scores={"leep": bare.scores["leep"]})
    shown = str(ranking(bare))
    assert "No knn for a: there are no features." in shown
    assert "knn" not in next(line for line in shown.splitlines() if line.startswith("rank"))


def test_arrays_made_elsewhere_show_no_cost() -> None:
    card = ModelCard("a", "arrays")
    one = ranking(row("a", 1, card=card, forward_seconds=0.0, examples_per_second=None, computed=0))
    one = replace(one, target=replace(one.target, kind="arrays"))
    assert text.table(one).columns[-1].title == "source_accuracy"
    from_cache = row("a", 1, forward_seconds=0.0, examples_per_second=None, computed=0)
    cells = {column.title: column.cells for column in text.table(ranking(from_cache)).columns}
    assert cells["forward"] == ("cached",)


@pytest.mark.parametrize(
    ("rows", "tied", "sentence"),
    [
        ([("a", 1, 1, 1), ("b", 2, 2, 2)], 1, "a is clearly the best of two on 250 images."),
        ([("a", 1, 1, 2), ("b", 2, 1, 2)], 2, "The two cannot be told apart on 250 images."),
        (
            [("a", 1, 1, 2), ("b", 2, 1, 2), ("c", 3, 3, 4), ("d", 4, 3, 4)],
            2,
            "The first two cannot be told apart on 250 images.",
        ),
        (
            [("a", 1, 1, 3), ("b", 2, 2, 3), ("c", 3, 1, 3)],
            1,
            "a is clearly the best of three on 250 images. c may also be the best.",
        ),
    ],
)
def test_ties_are_said(rows: list, tied: int, sentence: str) -> None:
    assert text.ties(ranking(*(row(*one, probability_best=0.96) for one in rows), tied=tied)) == sentence


def test_a_best_source_is_clearly_so_above_a_probability_of_95_percent_only() -> None:
    rows = [("a", 1, 1, 1), ("b", 2, 2, 2)]
    assert "clearly" not in text.ties(ranking(*(row(*one, probability_best=0.95) for one in rows), tied=1))
    assert text.ties(ranking(*(row(*one) for one in rows), tied=1)) == "a comes first of two by leep on 250 images."


def test_the_outlook_says_what_transfers_of_the_first_source_will_reach() -> None:
    def forecasts(value: float) -> tuple[Forecast, ...]:
        given = (("head", 250), ("fine-tune", 250), ("head", 500), ("head", 1000))
        return tuple(Forecast(how, "accuracy", value, value - 0.1, value + 0.1, n) for how, n in given)

    first = row("a", 1, forecasts=forecasts(0.6), probability_best=0.2)
    other = row("b", 2, forecasts=forecasts(0.7), probability_best=0.8)
    one, two = text.outlook(ranking(first, other))
    assert one == "A new head will most likely reach most on b (0.80)."
    assert two.startswith("Forecast for a: fine-tuning: 0.60 (0.50 to 0.70); a head with 500 images: ")
    cells = {column.title: column.cells for column in text.table(ranking(first, other)).columns}
    assert cells["forecast"] == ("0.60 ±0.10", "0.70 ±0.10")
    assert "best is the probability that its head will be the best" in text.legend(ranking(first, other))


def test_one_source_is_no_tie() -> None:
    assert text.ties(ranking(row("a", 1))) is None
    assert text.ties(ranking(row("a", 1), row("b", None))) is None
    titles = [column.title for column in text.table(ranking(row("a", 1), row("b", None))).columns]
    assert "best" not in titles


def test_what_speaks_against_a_source_is_said() -> None:
    against = row("a", 1, verdict="no better than guessing (skill -0.1)", advised_against=True)
    shown = str(ranking(against, row("b", 2, verdict="better than guessing", advised_against=False)))
    assert "a: no better than guessing (skill -0.1)." in shown
    assert "b: better" not in shown


def test_unscored_sources_failures_and_gaps_give_their_reason() -> None:
    lost = row("c", None, unavailable={"leep": "the source has no classifier"})
    lost = replace(lost, scores={"knn": lost.scores["knn"]})
    bare = row("b", 2, unavailable={"source_accuracy": "nothing is published"})
    shown = str(ranking(row("a", 1), bare, lost, failures=(Failure("d", "the file is cut short."),)))
    assert "c is not ranked: the source has no classifier." in shown
    assert "No source_accuracy for b: nothing is published." in shown
    assert "d failed: the file is cut short." in shown
    assert any(line.startswith("-     c") for line in shown.splitlines())


def test_notes_of_a_score_are_said_once() -> None:
    noted = [
        replace(one, scores={**one.scores, "leep": replace(one.scores["leep"], notes=notes)})
        for one, notes in ((row("a", 1), ("optimistic", "sharp")), (row("b", 2), ("optimistic",)))
    ]
    assert text.caveats(ranking(*noted)) == ["leep: optimistic; sharp (a)."]
    assert text.caveats(ranking(row("a", 1))) == []


def test_notes_that_differ_in_numbers_only_are_said_as_one() -> None:
    noted = [
        replace(one, scores={**one.scores, "leep": replace(one.scores["leep"], notes=notes)})
        for one, notes in (
            (row("a", 1), ("temperature 0.65", "1000 classes on 250 examples")),
            (row("b", 2), ("temperature 1e-05", "47 classes on 250 examples")),
            (row("c", 3), ("temperature 12",)),
        )
    ]
    said = "leep: temperature 1e-05 to 12; 47 to 1000 classes on 250 examples (a and b)."
    assert text.caveats(ranking(*noted)) == [said]


def test_what_was_guessed_and_skipped_is_printed() -> None:
    target = summary(250, notes=("column `label` was guessed",), skipped={"x.jpg": "cut short"})
    lines = str(ranking(row("a", 1), target=target, notes=("a note",))).splitlines()
    assert lines[1:4] == ["  column `label` was guessed", "  a note", "  1 unreadable example skipped: x.jpg"]


def test_the_legend_explains_only_what_is_there() -> None:
    assert "Brackets" not in text.legend(ranking(row("a", 1), row("b", 2)))
    assert "Brackets" in text.legend(ranking(row("a", 1, 1, 2), row("b", 2, 1, 2)))
    assert "probability" not in text.legend(ranking(row("a", 1)))


def test_a_ranking_without_rows_still_says_why() -> None:
    shown = str(ranking(failures=(Failure("d", "out of ink"),), tied=0))
    assert "d failed: out of ink" in shown
    assert "rank  source" not in shown


def test_failures_of_one_reason_are_told_once_with_their_number() -> None:
    lost = [Failure.of(name, OfflineError.of(name, "no network")) for name in "ab"]
    one = replace(ranking(row("x", 1)), failures=(*lost, Failure.of("c", ModelError("too small"))))
    shown = str(one)
    assert "2 models failed (a and b): no network" in shown
    assert "c failed: too small" in shown
