"""A score is one file: defined in a module of the user's own, it is everywhere a built-in one is."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import headstart as hs
from headstart import scores
from headstart.cli import app
from headstart.scores import SCORES

MODULE = '''
"""Share of examples of the largest class."""

import numpy as np

from headstart.scores import SCORES, Score


def largest_share(features, labels):
    """Share of examples of the largest class."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


SCORES.add(
    Score(
        function=largest_share,
        title="largest share",
        needs="features",
        low=0.0,
        high=1.0,
        cost="O(n)",
        citation="this test",
        meaning="What always guessing the largest class reaches.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
    )
)
'''


@pytest.fixture
def largest_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "my_score.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import_module("my_score")
    yield
    del SCORES._entries["largest_share"], sys.modules["my_score"]


@pytest.mark.usefixtures("largest_share")
def test_a_score_from_another_module_is_ranked_by_listed_and_described(tmp_path: Path) -> None:
    features, labels = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3 // 2
    np.savez(tmp_path / "mine.npz", features=features, labels=labels)
    ranking = hs.rank(tmp_path / "mine.npz", scores="largest_share", cache=False)
    assert ranking.rows[0].scores["largest_share"].value == pytest.approx(2 / 3)
    assert scores.largest_share(features, labels) == pytest.approx(2 / 3)
    assert "largest_share" in dir(scores)
    listed = CliRunner().invoke(app, ["scores"], env={"COLUMNS": "200"})
    assert "largest_share" in listed.stdout
    assert "What always guessing" in CliRunner().invoke(app, ["scores", "largest_share"]).stdout


def test_two_scores_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two entries register the score 'leep'"):
        SCORES.add(SCORES["leep"].__class__(**vars(SCORES["leep"])))


def test_scores_shown_by_default_come_first_and_the_others_by_name() -> None:
    names = list(SCORES)
    shown = [name for name in names if SCORES[name].default]
    assert names[: len(shown)] == shown
    assert [SCORES[name].default for name in shown] == list(range(1, len(shown) + 1))
    assert names[len(shown) :] == sorted(names[len(shown) :])


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'leap'"):
        _ = scores.leap
