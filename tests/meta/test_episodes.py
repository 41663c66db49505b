"""Random tasks: what they are made of, and what they follow from."""

import numpy as np
import pytest

from headstart.errors import InputError
from headstart.meta import MetaTraining
from headstart.meta.episodes import draw_episode

LABELS = [np.repeat(np.arange(7), 20), np.concatenate([np.repeat([3, 9], 4), [1]])]


def test_an_episode_never_asks_about_what_it_shows_and_its_labels_are_right() -> None:
    settings = MetaTraining(ways=(2, 5), shots=(2, 6), queries=3)
    places = set()
    for number in range(60):
        episode = draw_episode(LABELS, number, settings)
        labels = LABELS[episode.place]
        places.add(episode.place)
        assert not set(episode.support) & set(episode.query)
        codes = [set(labels[episode.support[episode.support_labels == c]]) for c in range(episode.classes)]
        assert all(len(found) == 1 for found in codes)
        assert len(set.union(*codes)) == episode.classes
        asked = [set(labels[episode.query[episode.query_labels == c]]) for c in range(episode.classes)]
        assert asked == codes
        assert 2 <= episode.classes <= 5
        assert 1 not in set.union(*codes) or episode.place == 0  # one example cannot be shown and asked about
    assert places == {0, 1}


def test_it_follows_from_seed_and_number_alone() -> None:
    settings = MetaTraining()
    one, again = draw_episode(LABELS, 5, settings), draw_episode(LABELS, 5, settings)
    assert np.array_equal(one.support, again.support)
    others = [draw_episode(LABELS, 6, settings), draw_episode(LABELS, 5, MetaTraining(seed=1))]
    assert all(not np.array_equal(one.support, other.support) for other in others)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"episodes": 0}, "`episodes` must be a whole number of at least 1; got 0"),
        ({"queries": 0}, "`queries` must be a whole number of at least 1"),
        ({"ways": (1, 3)}, r"`ways` must be two whole numbers from 2 up, as in \(2, 6\); got \(1, 3\)"),
        ({"shots": (4, 2)}, r"`shots` must be two whole numbers from 1 up, .* got \(4, 2\)"),
        ({"ways": 5}, "`ways` must be two whole numbers"),
        ({"ways": (2.0, 2.5)}, "`ways` must be two whole numbers"),
        ({"episodes": 2.5}, "`episodes` must be a whole number"),
        ({"seed": "a"}, "`seed` must be a whole number"),
        ({"rate": float("nan")}, "`rate` must be positive"),
        ({"rate": float("inf")}, "`rate` must be positive"),
        ({"penalty": float("nan")}, "`penalty` must be 0 or positive and finite"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        MetaTraining(**changes)
