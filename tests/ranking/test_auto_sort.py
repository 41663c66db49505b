"""`sort="auto"` from end to end, on arrays."""

import numpy as np
import pytest

import headstart as hs
from headstart.ranking.order import auto_scores


def arrays(seed: int, spread: float, *, features: bool = True) -> dict[str, np.ndarray]:
    """Sixty examples of three classes; their features hold the classes, their probabilities say nothing of them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 3
    probs = rng.dirichlet(np.ones(4), size=60)
    held = {"labels": labels, "probs": probs}
    return held | ({"features": np.eye(3)[labels] + spread * rng.standard_normal((60, 3))} if features else {})


def saved(folder, **sources: dict[str, np.ndarray]) -> list[str]:
    for name, held in sources.items():
        np.savez(folder / f"{name}.npz", **held)
    return [str(folder / f"{name}.npz") for name in sources]


def test_the_ranking_is_ordered_by_the_rule_and_says_why(tmp_path) -> None:
    files = saved(tmp_path, blurred=arrays(1, 3.0), clear=arrays(2, 0.2))
    ranking = hs.rank(files, sort="auto")
    assert (ranking.sort, ranking.best) == ("leep_pooled", "clear")
    assert "every source has features" in ranking.sort_reason
    assert ranking.sort == hs.rank(files).sort != hs.rank(files, scores="nce,leep").sort


def test_auto_among_the_scores_shows_what_it_chooses_among(tmp_path) -> None:
    ranking = hs.rank(saved(tmp_path, one=arrays(1, 0.5), two=arrays(2, 0.5)), scores="nce,auto")
    assert ranking.scores == ("nce", *auto_scores("classification"))
    assert ranking.sort == "leep_pooled"


def test_a_source_without_features_moves_the_order(tmp_path) -> None:
    files = saved(tmp_path, one=arrays(1, 0.5), two=arrays(2, 0.5, features=False))
    assert hs.rank(files, sort="auto").sort == "leep_gaussian"


@pytest.mark.parametrize("search", ["race", "halving"])
def test_a_search_in_rounds_goes_by_it_too(tmp_path, search: str) -> None:
    files = saved(tmp_path, blurred=arrays(1, 3.0), clear=arrays(2, 0.2))
    assert hs.rank(files, sort="auto", search=search).sort == "leep_pooled"


def test_the_goal_decides_order_forecast_and_what_best_means(tmp_path) -> None:
    files = saved(tmp_path, blurred=arrays(1, 0.8), clear=arrays(2, 0.5))
    head, tuned = hs.rank(files), hs.rank(files, goal="fine-tune")
    assert (tuned.sort, tuned.goal, head.goal) == ("transferability", "fine-tune", "head")
    assert [one.method for one in tuned.rows[0].forecasts] == ["fine-tune", "head", "head", "head"]
    assert tuned.rows[0].forecasts[0] == head.rows[0].forecasts[1]
    assert tuned.rows[0].probability_best < head.rows[0].probability_best < 1  # fine-tuning is less sure
    assert "fine-tuned" in str(tuned)
    assert "fine-tuned" not in str(head)
    assert hs.Ranking.from_json(tuned.to_json()).goal == "fine-tune"
    assert hs.rank(files, scores="nce,auto", goal="fine-tune").sort == "transferability"
    with pytest.raises(hs.errors.InputError, match="head or fine-tune"):
        hs.rank(files, goal="finetune")
