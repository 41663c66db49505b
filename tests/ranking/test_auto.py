"""`sort="auto"`: the written rule, and that it changes the order."""

import pytest

from headstart.errors import InputError
from headstart.ranking.auto import AUTO, auto_scores, auto_sort
from headstart.ranking.order import check_name, choose_scores, choose_sort
from headstart.scores import SCORES

BOTH = {"logme", "leep_gaussian", "ridge_probe"}


@pytest.mark.parametrize("task", ["classification", "regression", "multi-label"])
def test_the_rule_has_a_score_for_every_task(task: str) -> None:
    names = auto_scores(task)  # type: ignore[arg-type]
    assert names
    assert all(task in SCORES[name].tasks for name in names)


def test_with_features_everywhere_the_evidence_orders_the_rows_and_says_why() -> None:
    name, reason = auto_sort(["leep", "leep_gaussian", "logme"], [BOTH, BOTH | {"leep"}]) or ("", "")
    assert name == "logme"
    assert "every source gives features" in reason


@pytest.mark.parametrize(("each", "expected"), [(None, "logme"), (10, "logme"), (9.9, "ridge_probe")])
def test_with_few_examples_a_class_the_probe_orders_the_rows(each: float | None, expected: str) -> None:
    assert choose_sort(auto_scores("classification"), [BOTH] * 2, AUTO, asked=False, each=each)[0] == expected


def test_a_source_of_probabilities_alone_moves_the_order_to_classifiers() -> None:
    name, reason = auto_sort(["logme", "leep_gaussian"], [BOTH, {"leep_gaussian"}]) or ("", "")
    assert name == "leep_gaussian"
    assert "not every source gives features" in reason


def test_a_score_that_was_not_computed_is_not_chosen() -> None:
    assert auto_sort(["leep_gaussian"], [BOTH])[0] == "leep_gaussian"  # type: ignore[index]
    assert auto_sort(["leep"], [BOTH]) is None


def test_where_no_score_of_the_rule_serves_all_the_usual_rule_goes_on() -> None:
    available = [{"logme"}, {"logme"}, {"leep_gaussian"}]
    assert choose_sort(["logme", "leep_gaussian"], available, AUTO, asked=False)[0] == "logme"


def test_auto_may_stand_among_scores_or_for_the_sort() -> None:
    assert choose_scores(["nce", AUTO], None, "classification") == ("nce", *auto_scores("classification"))
    assert set(auto_scores("classification")) <= set(choose_scores(None, AUTO, "classification"))
    assert choose_scores(["leep"], AUTO, "classification") == ("leep", *auto_scores("classification"))


def test_auto_is_a_name_and_its_neighbours_are_not() -> None:
    check_name(AUTO)
    check_name("leep")
    with pytest.raises(InputError, match="unknown score 'aut0'"):
        check_name("aut0")
