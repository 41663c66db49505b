# ruff: noqa: RUF001 (the page prints a true minus sign)
"""What the page says first."""

from dataclasses import replace

import pytest

from headstart.records import Ranking
from headstart.report.answer import headline, support


def cut(ranking: Ranking, rows: int, **changes: object) -> Ranking:
    return replace(ranking, rows=ranking.rows[:rows], **changes)


def test_a_tie_names_the_leaders_and_says_that_they_cannot_be_told_apart(ranking):
    leaders = "zoo/efficientnet_lite2, zoo/efficientnet_lite1 and zoo/efficientnet_lite0"
    assert headline(ranking) == f"{leaders} share the lead on fashion_mnist_1000."
    assert support(ranking, "calibrated LEEP") == (
        "The first three cannot be told apart on 998 images. "
        "The scores disagree: leep puts zoo/efficientnet_lite0 first. "
        "By calibrated LEEP, zoo/efficientnet_lite2 reaches −0.562 (95 % interval −0.598 to −0.526); "
        "it is the best of seven with probability 0.64. "
        "It is better than guessing the class frequencies."
    )


def test_one_clear_winner(ranking):
    sure = replace(ranking.rows[0], probability_best=0.96)
    clear = replace(ranking, tied=1, rows=(sure, *ranking.rows[1:]))
    assert "not beyond doubt" in headline(replace(ranking, tied=1))
    assert headline(clear) == "zoo/efficientnet_lite2 gives the best head start on fashion_mnist_1000."
    assert "cannot be told apart" not in support(clear, "calibrated LEEP")


def test_a_tie_of_all(ranking):
    assert "two cannot be told apart" in support(cut(ranking, 2, tied=2), "LEEP")
    assert "seven cannot be told apart" in support(cut(ranking, 7, tied=7), "LEEP")
    many = headline(cut(ranking, 7, tied=7))
    assert "zoo/efficientnet_lite0 and 4 others share the lead" in many


def test_a_verdict_against_all_comes_first(ranking):
    no = "no better than guessing the class frequencies"
    rows = tuple(replace(row, advised_against=True, verdict=no) for row in ranking.rows)
    against = replace(ranking, rows=rows)
    assert headline(against) == "None of the seven sources gives a head start on fashion_mnist_1000."
    assert support(against, "LEEP").endswith(f"It is {no}.")
    assert "gives no sign of a head start" in headline(cut(against, 1))


def test_a_ranking_without_ranks_points_to_the_reasons(ranking):
    unranked = replace(ranking, rows=ranking.rows[-1:], tied=0)
    assert headline(unranked) == "No source could be ranked on fashion_mnist_1000."
    assert "No source has a value of calibrated LEEP" in support(unranked, "calibrated LEEP")


def test_a_score_without_interval_claims_none(ranking):
    said = support(replace(ranking, sort="source_accuracy", tied=1), "published accuracy")
    assert "reaches 0.775; it is" in said
    assert "interval" not in said


@pytest.mark.parametrize("name", ["חתולים", "a\u202eb"])
def test_a_right_to_left_name_is_fenced_off(ranking, name):
    named = replace(ranking, target=replace(ranking.target, name=name))
    assert f"\u2068{name}\u2069" in headline(named)
