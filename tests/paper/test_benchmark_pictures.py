"""The benchmark's pictures: looks, lessons, draws and parts."""

import numpy as np
import pytest
from PIL import Image

from headstart.errors import InputError
from headstart_paper.benchmark.classes import GROCERIES, NAMES, names_of
from headstart_paper.benchmark.collect import at_32
from headstart_paper.benchmark.looks import change_look
from headstart_paper.benchmark.recipes import Plan, Recipe
from headstart_paper.benchmark.samples import Collection, draw, halves, held_out, pictures_of

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
LABELS = np.array(["a", "b"] * 20)
COLLECTION = Collection(IMAGES, LABELS, np.array(["train"] * 30 + ["test"] * 10))


def recipe(**changes: object) -> Recipe:
    return Recipe(**({"name": "some", "data": "d", "classes": ("a", "b"), "part": "all"} | changes))  # type: ignore[arg-type]


def test_grey_has_three_equal_channels_of_the_brightness_that_pillow_gives() -> None:
    grey = change_look(IMAGES, "grey", 0)
    assert (grey == grey[..., :1]).all()
    expected = np.array(Image.fromarray(IMAGES[0]).convert("L")).astype(int)
    assert np.abs(grey[0, ..., 0].astype(int) - expected).max() <= 1


def test_a_negative_twice_is_the_picture() -> None:
    negative = change_look(IMAGES, "negative", 0)
    assert (change_look(negative, "negative", 0) == IMAGES).all()
    assert (negative.astype(int) + IMAGES == 255).all()
    assert change_look(IMAGES, "plain", 0) is IMAGES


def test_a_blurred_picture_keeps_the_means_of_its_blocks() -> None:
    many = np.repeat(IMAGES[:1] // 4 + 96, 3000, axis=0)  # away from 0 and 255, where the noise would be cut
    blurred = change_look(many, "blurred", 0)
    assert blurred[0].std() > 0
    expected = many[0, 4:8, 8:12].mean(axis=(0, 1))
    assert blurred[:, 4:8, 8:12].mean(axis=(0, 1, 2)) == pytest.approx(expected, abs=0.6)
    assert not (blurred[0] == blurred[1]).all()  # the noise differs


def test_ink_covers_what_is_bright_and_leaves_the_ground_where_it_is_dark() -> None:
    masks = np.zeros((60, 32, 32, 3), np.uint8)
    masks[:, 10:20, 10:20] = 255
    drawn = change_look(masks, "on photos", 3, IMAGES)
    for one in drawn:
        ground = [photo for photo in IMAGES if (photo[:10] == one[:10]).all()]
        assert len(ground) == 1
        assert (one[20:] == ground[0][20:]).all()
        assert (one[10:20, 10:20] == one[10, 10]).all()
    plain = change_look(masks, "coloured", 3)
    assert (plain[:, 0, 0] == plain[:, 31, 31]).all()
    contrast = np.abs(plain[:, 15, 15].astype(int) - plain[:, 0, 0].astype(int)).mean(axis=1)
    assert contrast.min() >= 63
    assert not (plain == change_look(masks, "coloured", 4)).all()


def test_drawing_on_photos_needs_photos() -> None:
    with pytest.raises(InputError, match="needs `photos`"):
        change_look(IMAGES, "on photos", 0)


def test_a_turn_is_told_by_turning_back() -> None:
    turned = pictures_of(recipe(lesson="turns"), COLLECTION, 0)
    assert set(turned.labels.tolist()) == {0, 1, 2, 3}
    for image, quarter, original in zip(turned.images, turned.labels, IMAGES, strict=True):
        assert (np.rot90(image, -quarter) == original).all()


def test_half_of_the_wrong_labels_are_drawn_anew() -> None:
    many = Collection(np.zeros((4000, 2, 2, 3), np.uint8), np.array(["a", "b"] * 2000), np.array(["train"] * 4000))
    right = np.array([0, 1] * 2000)
    labels = pictures_of(recipe(lesson="half wrong"), many, 0).labels
    assert (labels == right).mean() == pytest.approx(0.75, abs=0.03)  # of those drawn anew, half are right by chance


def test_parts_and_classes_are_what_the_recipe_names() -> None:
    found = pictures_of(recipe(classes=("b",), part="test"), COLLECTION, 0)
    assert (found.images == IMAGES[30:][LABELS[30:] == "b"]).all()
    assert found.labels.tolist() == [0] * 5
    with pytest.raises(InputError, match=r"needs the classes c of d"):
        pictures_of(recipe(classes=("a", "c")), COLLECTION, 0)


def test_the_test_pictures_of_a_target_are_not_in_its_pool_and_draws_are_stratified() -> None:
    pictures = pictures_of(recipe(), COLLECTION, 0)
    pool, test = halves(pictures, 10, 0)
    together = np.concatenate([pool.images, test.images]).reshape(40, -1)
    assert len(np.unique(together, axis=0)) == 40
    assert len(test.labels) == 10
    one, other = draw(pool, 8, 0), draw(pool, 8, 1)
    assert np.bincount(one.labels).tolist() == np.bincount(other.labels).tolist() == [4, 4]
    assert not (one.images == other.images).all()
    train, aside = held_out(pictures, 0)
    assert (len(train.labels), len(aside.labels)) == (36, 4)


def test_no_picture_of_a_target_trained_a_source() -> None:
    plan = Plan()
    for target in plan.targets:
        for source in plan.sources:
            if source.data == target.data and set(source.classes or NAMES[source.data]) & set(target.classes):
                assert (source.part, target.part) == ("train", "test"), (source.name, target.name)
                assert source.name in target.shared or source.lesson == "turns", (source.name, target.name)


def test_every_class_of_a_recipe_is_a_class_of_its_data() -> None:
    for one in (*Plan().sources, *Plan().targets):
        if one.data != "grocery-store":
            assert set(one.classes) <= set(NAMES[one.data])
    assert set(names_of("grocery-store", GROCERIES["Pear"].split())) == {"Pear"}
    with pytest.raises(InputError, match=r"should have 6 classes .* have 2"):
        names_of("trashnet", ("x", "y"))


def test_pictures_are_cut_to_a_square_and_resized() -> None:
    wide = Image.new("RGB", (96, 64), "black")
    wide.paste("white", (0, 0, 16, 64))  # left of the middle square
    assert at_32(wide).max() == 0
    small = np.zeros((28, 28), np.uint8)
    small[0, 0], small[5, 7] = 9, 200
    framed = at_32(Image.fromarray(small))
    assert framed[7, 9, 0] == 200
    assert framed[0, 0, 0] == 9
