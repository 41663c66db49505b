"""Scores given to finished rows: the old stay and must agree, the new are those a fresh run finds, outcomes stay."""

from typing import Any

import pytest

from headstart.errors import InputError
from headstart_paper.measures import SCORES
from headstart_paper.rescore import Rescored, lacking, with_scores


def row(**scores: float | None) -> dict[str, Any]:
    return {"key": "t/0", "model": "net", "fingerprint": "f", "n": 100, "accuracy": 0.5, "scores": scores}


def found(**scores: float | None) -> Rescored:
    return Rescored("f", scores)


def test_a_row_keeps_its_outcome_and_its_old_scores_and_gets_the_new() -> None:
    given = row(leep=-1.0, source_accuracy=0.7)
    made = with_scores(given, found(leep=-1.0005, leep_gaussian=-0.9))
    assert made["scores"] == {"leep": -1.0, "leep_gaussian": -0.9, "source_accuracy": 0.7}
    assert {**made, "scores": None} == {**given, "scores": None}


@pytest.mark.parametrize("now", [-1.002, 1.0, None])
def test_a_stored_score_that_is_another_now_is_refused_with_its_row(now: float | None) -> None:
    with pytest.raises(InputError, match=r"row t/0: `leep` is -1.0 there and (-1.002|1.0|None) now"):
        with_scores(row(leep=-1.0), found(leep=now))


def test_shares_of_examples_may_turn_by_two_of_them() -> None:
    assert with_scores(row(knn=0.5), found(knn=0.52))["scores"] == {"knn": 0.5}
    with pytest.raises(InputError, match="`knn`"):
        with_scores(row(knn=0.5), found(knn=0.53))


def test_another_model_under_the_same_name_is_refused() -> None:
    with pytest.raises(InputError, match="another model than net is now"):
        with_scores(row(leep=-1.0), Rescored("g", {"leep": -1.0}))


def test_lacking_counts_rows_without_a_score_but_not_those_where_it_does_not_apply() -> None:
    full: dict[str, float | None] = dict.fromkeys(SCORES, 0.0)
    less = {name: value for name, value in full.items() if name != "nce"}
    assert lacking([row(**full), row(**less), row(**full | {"leep": None})]) == {"nce": 1}
