"""The rules for the score that orders the rows, the default one and "auto"."""

import pytest

from headstart.errors import InputError
from headstart.ranking.order import AUTO, PREFERENCE, auto_scores, check_name, choose_scores, choose_sort
from headstart.scores import SCORES

DEFAULTS = [score.name for score in SCORES.values() if score.default]


def test_without_names_the_default_scores_that_suit_the_task_are_shown() -> None:
    assert list(choose_scores(None, None, "classification")) == DEFAULTS
    regression = choose_scores(None, None, "regression")
    assert regression
    assert all("regression" in SCORES[name].tasks for name in regression)


def test_the_sorting_score_is_shown_too_and_nothing_twice() -> None:
    assert choose_scores(["nce", "leep", "nce"], "knn", "classification") == ("nce", "leep", "knn")


def test_every_preferred_score_exists_and_is_shown_by_default() -> None:
    assert set(PREFERENCE) <= set(DEFAULTS)


@pytest.mark.parametrize(
    ("asked", "sort", "task", "message"),
    [
        (["lepe"], None, "classification", "lepe"),
        (None, "nope", "classification", "nope"),
        ([], None, "classification", "`scores` is empty"),
        (["leep"], None, "regression", "`scores`: leep cannot score a regression target"),
    ],
)
def test_names_that_do_not_fit_are_refused(asked: list[str] | None, sort: str | None, task: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_scores(asked, sort, task)  # type: ignore[arg-type]


def test_all_stands_for_every_score_that_suits_the_task() -> None:
    every = choose_scores(["all"], None, "classification")
    assert set(every) == {one.name for one in SCORES.values() if one.suits("classification")} - {"otce"}
    assert set(choose_scores(["all"], None, "regression")) < {one.name for one in SCORES.values()}
    check_name("all", several=True)
    with pytest.raises(InputError, match="unknown score 'all'"):
        check_name("all")


def test_the_choice_of_the_user_wins() -> None:
    assert choose_sort(["leep", "nce"], [{"leep"}, {"leep"}], "nce", asked=True) == ("nce", "you chose it")


def test_with_features_everywhere_pooled_leep_orders_the_rows() -> None:
    score, reason = choose_sort(DEFAULTS, [set(DEFAULTS)] * 2, None, asked=False)
    assert score == "leep_pooled"
    assert reason.startswith("every source has features")


def test_one_source_without_features_moves_the_order_to_the_classes() -> None:
    headed = {name for name in DEFAULTS if SCORES[name].needs == "probs"}
    score, reason = choose_sort(DEFAULTS, [set(DEFAULTS), headed], None, asked=False)
    assert score == "leep_gaussian"
    assert "not every source has features" in reason


def test_of_the_scores_asked_for_the_first_that_all_have_orders_the_rows() -> None:
    available = [{"leep", "h_score", "ridge_probe"}, {"h_score", "ridge_probe"}]
    score, reason = choose_sort(["leep", "ridge_probe", "h_score"], available, None, asked=True)
    assert (score, reason) == ("ridge_probe", "it is the first of the requested scores that every source has")


def test_the_order_in_which_scores_are_named_decides() -> None:
    both = [{"leep", "leep_gaussian"}]
    assert choose_sort(["leep", "leep_gaussian"], both, None, asked=True)[0] == "leep"
    assert choose_sort(["leep", "leep_gaussian"], both, None, asked=False)[0] == "leep_gaussian"


def test_facts_that_never_look_at_the_target_come_last() -> None:
    available = [{"source_accuracy", "leep"}, {"source_accuracy", "leep"}]
    assert choose_sort(["source_accuracy", "leep"], available, None, asked=True)[0] == "leep"
    assert choose_sort(["source_accuracy", "random"], [{"random"}], None, asked=True)[0] == "random"


def test_where_no_score_fits_all_the_one_that_most_sources_have_wins() -> None:
    score, reason = choose_sort(["leep", "knn"], [{"leep"}, {"leep"}, {"knn"}], None, asked=True)
    assert score == "leep"
    assert reason.startswith("2 of 3 sources have it")


@pytest.mark.parametrize("task", ["classification", "regression", "multi-label"])
def test_the_rule_has_a_score_for_every_task(task: str) -> None:
    names = auto_scores(task)
    assert names
    assert all(task in SCORES[name].tasks for name in names)


def test_auto_is_the_default_order_whatever_other_scores_are_asked_for() -> None:
    names = ["leep", *auto_scores("classification")]
    assert choose_sort(names, [set(names)] * 2, AUTO, asked=True)[0] == "leep_pooled"
    assert choose_sort(names, [set(names)] * 2, None, asked=True)[0] == "leep"


def test_where_no_score_of_the_rule_serves_all_the_one_that_most_sources_have_decides() -> None:
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
