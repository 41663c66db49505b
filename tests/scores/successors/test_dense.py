"""Pixels and tokens become rows with the group they are of; scores and intervals leave out by group."""

import numpy as np
import pytest
from tests.reference.leep import softmax

from headstart import scores
from headstart.errors import InputError
from headstart.stats import jackknife


def segmentation(images: int = 6, side: int = 5, z: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (images, side, side))
    logits = 2 * rng.normal(size=(3, z))[labels] + rng.normal(size=(images, side, side, z))
    return softmax(logits.reshape(-1, z)).reshape(logits.shape), labels


def test_pixels_keep_their_label_and_image_in_either_layout():
    probs, labels = segmentation()
    labels = labels.copy()
    labels[0, :2] = 255
    last = scores.pixel_rows(probs, labels, channels="last")
    first = scores.pixel_rows(np.moveaxis(probs, -1, 1), labels)
    for dense in (last, first):
        assert len(dense.rows) == labels.size - 10
        assert (dense.rows == probs[labels != 255]).all()
        assert (dense.labels == labels[labels != 255]).all()
        assert (np.bincount(dense.groups) == [15, 25, 25, 25, 25, 25]).all()
    everything = scores.pixel_rows(probs, labels, channels="last", ignore=None)
    assert len(everything.rows) == labels.size


def test_a_draw_of_pixels_is_seeded_and_bounded_per_image():
    probs, labels = segmentation()
    one, again, other = (
        scores.pixel_rows(probs, labels, channels="last", per_image=7, seed=seed) for seed in (0, 0, 1)
    )
    assert (np.bincount(one.groups) == 7).all()
    assert (one.rows == again.rows).all()
    assert (one.rows != other.rows).any()


def test_leave_one_out_and_the_interval_are_over_images():
    probs, labels = segmentation()
    dense = scores.pixel_rows(probs, labels, channels="last")
    by_image = scores.leep_loo(dense.rows, dense.labels, groups=dense.groups)
    by_pixel = scores.leep_loo(dense.rows, dense.labels)
    assert by_image != by_pixel
    done, _ = scores.evaluate(["leep"], labels=dense.labels, groups=dense.groups, probs=dense.rows)
    without = [scores.leep(dense.rows[dense.groups != g], dense.labels[dense.groups != g]) for g in range(6)]
    assert done["leep"].deleted == pytest.approx(without, rel=1e-10)
    assert jackknife(done["leep"].value, done["leep"].deleted).standard_error > 0


def test_tokens_of_sentences_of_any_length():
    rng = np.random.default_rng(0)
    outputs = [rng.normal(size=(length, 3)) for length in (4, 1, 6)]
    labels = [np.array([0, -100, 1, 2]), np.array([1]), np.array([-100, 0, 0, 1, 2, -100])]
    dense = scores.token_rows(outputs, labels)
    assert dense.labels.tolist() == [0, 1, 2, 1, 0, 0, 1, 2]
    assert dense.groups.tolist() == [0, 0, 0, 1, 2, 2, 2, 2]
    assert (dense.rows[3] == outputs[1][0]).all()
    assert (np.bincount(scores.token_rows(outputs, labels, per_sentence=2).groups) == [2, 1, 2]).all()


def test_shapes_that_do_not_fit_say_what_to_do(unchecked):
    probs, labels = segmentation()
    pixel_rows, token_rows = scores.pixel_rows, scores.token_rows
    with pytest.raises(InputError, match=r"resize the labels to the outputs, or check channels='first'"):
        pixel_rows(probs, labels)
    with pytest.raises(InputError, match="four axes"):
        pixel_rows(probs[0], labels)
    with pytest.raises(InputError, match='"first" or "last"'):
        pixel_rows(probs, labels, channels="middle")
    with pytest.raises(InputError, match="check `ignore`"):
        pixel_rows(probs, np.full_like(labels, 255), channels="last")
    with pytest.raises(InputError, match="at least one position"):
        pixel_rows(probs, labels, channels="last", per_image=0)
    with pytest.raises(InputError, match="2 sentences and `labels` 1"):
        token_rows([np.ones((2, 3))] * 2, [np.zeros(2)])
    with pytest.raises(InputError, match="sentence 0"):
        token_rows([np.ones((2, 3))], [np.zeros(3)])
