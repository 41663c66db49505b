"""`few_shot` from arrays and from a source, its order, its record and its complaints."""

import numpy as np
import pytest
import torch
from tests.transfers import tiny

import headstart as hs
from headstart.errors import InputError
from headstart.meta import Cnaps
from headstart.records.few_shot import FewShot
from headstart.report import write_report
from headstart.report.few_shot import drawn


def arrays(spread: float = 0.4, classes: int = 8, each: int = 20, seed: int = 0) -> dict[str, np.ndarray]:
    labels = np.repeat(np.arange(classes), each)
    noise = np.random.default_rng(seed).standard_normal((len(labels), classes))
    return {"features": np.eye(classes)[labels] + spread * noise, "labels": labels}


@pytest.fixture
def files(tmp_path):
    places = [tmp_path / "sharp.npz", tmp_path / "blurred.npz", tmp_path / "sharp_too.npz"]
    for place, one in zip(places, (arrays(0.4), arrays(0.9), arrays(0.4, seed=1)), strict=True):
        np.savez(place, **one)
    return places


def test_sources_are_ordered_by_accuracy_and_ties_are_told(files):
    found = hs.few_shot(files, ways=4, shots=(1, 5), episodes=60, queries=5)
    assert [row.rank for row in found.rows] == [1, 2, 3]
    assert found.rows[2].source == "blurred"
    assert [row.tied for row in found.rows] == [True, True, False]
    assert found.best.startswith("sharp")
    for row in found.rows:
        for name in found.methods:
            one, five = row.at(name, 1), row.at(name, 5)
            assert 0.25 < one.accuracy < five.accuracy <= 1
            assert one.low < one.accuracy < one.high


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    one, same, other = (hs.few_shot(arrays(), ways=3, shots=2, episodes=20, seed=seed) for seed in (0, 0, 1))
    assert one.to_json() == same.to_json() != other.to_json()


def test_all_ways_take_the_users_own_classes_each_time():
    found = hs.few_shot(arrays(classes=3), ways="all", shots=(1, 10), episodes=30, method="prototypes,ridge")
    assert (found.ways, found.classes, found.methods) == ("all", 3, ("prototypes", "ridge"))
    by_default = hs.few_shot(arrays(classes=3), shots=(1, 10), episodes=30, method="prototypes,ridge")
    assert by_default.rows == found.rows
    assert hs.few_shot(arrays(), shots=1, episodes=10, method="prototypes").ways == 5
    assert "fresh examples of these classes" in str(found)
    assert found.rows[0].at("ridge", 10).accuracy > 0.9


def test_a_source_is_passed_through_once_and_its_features_cached(letters_cards, tmp_path):
    target, model = letters_cards
    cold = hs.few_shot(target, model, ways=2, shots=1, episodes=10, cache=tmp_path)
    events: list[str] = []
    warm = hs.few_shot(target, model, ways=2, shots=1, episodes=10, cache=tmp_path,
                       progress=lambda event: events.append(event.what))  # fmt: skip
    assert cold.to_json() == warm.to_json()
    assert "models" in events


@pytest.fixture
def letters_cards(tmp_path):
    pytest.importorskip("torch")
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "cards" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.clip(level + 30 * rng.standard_normal((32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "cards" / name / f"{number}.png")
    return tmp_path / "cards", "zoo/tiny_letters"


def test_the_record_survives_its_file_and_is_shown(tmp_path):
    found = hs.few_shot(arrays(), ways=3, shots=(1, 5), episodes=20, out=tmp_path / "here")
    read = FewShot.from_json((tmp_path / "here" / "few_shot.json").read_bytes())
    assert read == found == hs.load(tmp_path / "here") == hs.load(tmp_path / "here" / "few_shot.json")
    text = str(found)
    assert "1 shot" in text
    assert "5 shots" in text
    assert "other classes like these" in text
    assert len(repr(found)) <= 500
    assert {row["method"] for row in found.to_rows()} == set(found.methods)


def test_classes_with_too_few_examples_are_left_out_and_told():
    given = arrays(classes=5)
    kept = np.r_[0:83]  # three examples of the last class
    found = hs.few_shot({name: array[kept] for name, array in given.items()}, ways=3, shots=5, episodes=10)
    assert found.classes == 4
    assert "Left out for too few examples: 1 of 5 classes." in found.notes


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"ways": 9, "shots": 1}, r"`ways` is 9, and the data have 8 classes"),
        ({"ways": 2, "shots": 20}, r"at least 21 examples, 20 to learn from and one to be judged on; 0 of 8 classes"),
        ({"ways": "all", "shots": 30}, r"8 ways with 30 shots need 8 classes"),
        ({"ways": 1}, r"`ways` must be a whole number of at least 2; got 1"),
        ({"ways": "five"}, r"`ways` must be a whole number of at least 2; got 'five'"),
        ({"shots": 0}, r"`shots` must be whole numbers from 1 up"),
        ({"shots": ()}, r"`shots` must be whole numbers from 1 up"),
        ({"episodes": 1}, r"`episodes` must be a whole number of at least 2; got 1"),
        ({"queries": 0}, r"`queries` must be a whole number of at least 1; got 0"),
        ({"method": "svm"}, r"`method` must be out of centred, prototypes, cosine, ridge, logistic; got 'svm'"),
        ({"models": "zoo"}, r"holds features already, which need no model"),
    ],
)
def test_bad_input_is_told(how, told):
    with pytest.raises(InputError, match=told):
        hs.few_shot(arrays(), **{"shots": 1, "ways": 2, "episodes": 10} | how)


def test_numbers_are_no_classes():
    given = arrays()
    with pytest.raises(InputError, match="needs classes, and the target's task is regression"):
        hs.few_shot({**given, "labels": given["features"][:, 0]}, ways=2, shots=1)


def test_a_source_without_features_is_a_failure(files, tmp_path):
    logits = np.random.default_rng(0).normal(size=(160, 3))
    np.savez(tmp_path / "headonly.npz", logits=logits, labels=arrays()["labels"])
    found = hs.few_shot([files[0], tmp_path / "headonly.npz"], ways=3, shots=1, episodes=10)
    assert [one.source for one in found.failures] == ["headonly"]
    assert "has no features" in str(found)
    np.savez(tmp_path / "equal.npz", features=np.ones((160, 3)), labels=arrays()["labels"])
    with pytest.raises(InputError, match="its features are the same for every example"):
        hs.few_shot([tmp_path / "equal.npz"], ways=3, shots=1, episodes=10)
    with pytest.raises(InputError, match="no source could be used: headonly"):
        hs.few_shot([tmp_path / "headonly.npz"], ways=3, shots=1, episodes=10)


@pytest.fixture(scope="module")
def adapting():
    """Adaptation networks that leave the source as it is: its classes are told by the nearest mean."""
    learner = Cnaps(tiny.source())
    torch.nn.init.zeros_(learner.film.strength)
    return learner


def test_cnaps_is_one_more_row_and_untrained_it_is_the_nearest_class_mean(adapting, tmp_path):
    target, small = tiny.target(36), {"ways": 2, "shots": (1, 3), "episodes": 5, "queries": 4}
    found = hs.few_shot(target, tiny.source(), cnaps=adapting, method="prototypes", cache=False, **small)
    by_name = {row.source: row for row in found.rows}
    plain, row = by_name["module/tiny"], by_name["module/tiny (cnaps)"]
    for few in (1, 3):
        assert row.at("cnaps", few).accuracy == pytest.approx(plain.at("prototypes", few).accuracy)
    assert found.method == "prototypes"
    assert "module/tiny (cnaps)" in str(found)
    assert FewShot.from_json(found.to_json()) == found


def test_cnaps_alone_needs_no_models_and_images(adapting):
    found = hs.few_shot(tiny.target(24), cnaps=adapting, ways=2, shots=1, episodes=3, queries=2, report=None)
    assert (found.method, len(found.rows)) == ("cnaps", 1)
    with pytest.raises(InputError, match=r"`cnaps` adapts a network to images.*Leave it out"):
        hs.few_shot(arrays(), cnaps=adapting, ways=2, shots=1, episodes=3)


def test_the_page_draws_a_curve_for_each_source_and_escapes_its_name(files, tmp_path):
    odd = tmp_path / "a<b>.npz"
    odd.write_bytes(files[0].read_bytes())
    page = tmp_path / "page.html"
    found = hs.few_shot([files[1], odd], ways=4, shots=(1, 5), episodes=20, queries=5, report=page)
    text = page.read_text()
    assert text.count("<polyline") == 2
    assert "a&lt;b&gt;" in text
    assert "a<b>" not in text
    first = found.rows[0].at(found.method, 5)
    assert f"5 shots: {first.accuracy:.3f} ({first.low:.3f} to {first.high:.3f})" in text
    assert write_report(found, tmp_path / "again.html").read_text() == text
    curves, _ = drawn(found)
    heights = [point[1] for point in curves[0].points]
    assert heights[1] < heights[0]  # more shots, higher on the page
