"""CNAPs: what it begins as, what it must not depend on, what it leaves alone, and how it is kept."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid
from tests.transfers import tiny

from headstart import from_module
from headstart.data import open_target
from headstart.errors import InputError, ModelError
from headstart.meta import Cnaps, load, save
from headstart.train.batches import TensorBatches, batches_of


def drawn(seed: int = 1) -> Cnaps:
    """Adaptation networks as if they had been trained: none of their weights is 0."""
    learner = Cnaps(tiny.source())
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in (*learner.film.parameters(), *learner.head.parameters()):
            if parameter.ndim:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return learner


def task(n: int = 30, classes: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.rand(n, 3, tiny.SIZE, tiny.SIZE) * 2 - 1, torch.arange(n) % classes


def test_before_any_training_it_is_the_nearest_class_mean_on_the_sources_standardised_features() -> None:
    learner, target = Cnaps(tiny.source()), tiny.target(60)
    with torch.no_grad():
        learner.film.strength.zero_()  # else FiLM departs a little from the source as it is
    batch = batches_of(target, learner.source).load(np.arange(60), None)
    plain = learner.plain(batch)  # type: ignore[arg-type]  # images
    learner.standardise(plain, plain)
    with torch.no_grad():
        features = learner.source.network(batch)[0].numpy()
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    centroids = NearestCentroid().fit(features[:40], target.labels[:40])
    adapted = learner.adapt(target.subset(np.arange(40)))
    assert adapted.classes == target.classes
    said = adapted.outputs(target.subset(np.arange(40, 60))).argmax(axis=1)
    assert said.tolist() == centroids.predict(features[40:]).tolist()
    distances = ((features[40:, None] - centroids.centroids_) ** 2).sum(axis=2)
    gaps = adapted.outputs(target.subset(np.arange(40, 60))) * np.sqrt(features.shape[1])
    np.testing.assert_allclose(np.diff(gaps, axis=1), -np.diff(distances, axis=1) / 2, rtol=1e-3, atol=1e-3)


def test_neither_the_order_of_examples_nor_the_names_of_classes_matter() -> None:
    learner = drawn()
    images, labels = task()
    queries = task(7, seed=1)[0]
    with torch.no_grad():
        plain = learner.adapt_to(images, labels, 3)(queries)
        order = torch.randperm(30)
        torch.testing.assert_close(learner.adapt_to(images[order], labels[order], 3)(queries), plain)
        renamed = learner.adapt_to(images, torch.tensor([2, 0, 1])[labels], 3)(queries)
    torch.testing.assert_close(renamed[:, [2, 0, 1]], plain)


def test_a_task_in_pieces_is_the_task_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = drawn()
    images, labels = task(25)
    queries = task(7, seed=1)[0]
    monkeypatch.setattr("headstart.meta.cnaps.CHUNK", 4)
    with torch.inference_mode():
        pieces = learner.adapt_on(TensorBatches(images, labels), 3)(queries)
        torch.testing.assert_close(pieces, learner.adapt_to(images, labels, 3)(queries))


def test_it_depends_on_the_examples_through_film_and_head() -> None:
    learner = drawn()
    images = task()[0]
    with torch.no_grad():
        first, other = learner.film_of(learner.code_of(images)), learner.film_of(learner.code_of(images + 1))
    assert first.keys() == other.keys()
    assert all(not torch.equal(first[name], other[name]) for name in first)


def test_the_source_and_its_module_stay_as_they_are() -> None:
    source = tiny.source()
    before = {name: value.clone() for name, value in source.module.state_dict().items()}
    wanted = [parameter.requires_grad for parameter in source.module.parameters()]
    learner = Cnaps(source)
    images, labels = task()
    learner.train()
    learner.adapt_to(images, labels, 3)(images).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in source.module.state_dict().items())
    assert [parameter.requires_grad for parameter in source.module.parameters()] == wanted
    assert all(parameter.grad is None for parameter in learner.body.parameters())
    kept = learner.body.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in source.network.state_dict().items())  # no statistics


def test_kept_networks_answer_alike_and_only_for_their_source(tmp_path: Path) -> None:
    learner, target = drawn(), tiny.target(30)
    learner.standardise(*(learner.plain(task()[0]) for _ in range(2)))
    path = save(learner, tmp_path / "cnaps.safetensors")
    again = load(path, source=tiny.source())
    assert np.array_equal(again.adapt(target).outputs(target), learner.adapt(target).outputs(target))
    with pytest.raises(InputError, match=r"trained for module/tiny.*other weights or preprocessing.*`source=`"):
        load(path, source=tiny.source(seed=1))


def test_what_is_no_file_of_adaptation_networks_is_said(tmp_path: Path) -> None:
    path = save(drawn(), tmp_path / "cnaps.safetensors")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"cannot read adaptation networks.*damaged.*Train them again"):
        load(path, source=tiny.source())
    for place in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(InputError, match=rf"{place} is not a file.*`hs.meta.save`"):
            load(place, source=tiny.source())
    with pytest.raises(InputError, match="trained for another source"):
        drawn().take({})


def test_new_images_are_told_apart_by_name(tmp_path: Path) -> None:
    learner, (pictures, names) = drawn(), tiny.images(30)
    adapted = learner.adapt((pictures, names))
    for number, picture in enumerate(pictures[:4]):
        picture.save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    codes = adapted.outputs((pictures, names))[:4].argmax(axis=1)
    assert adapted.predict(tmp_path) == {f"{number}.png": f"class {code}" for number, code in enumerate(codes)}
    with pytest.raises(InputError, match="holds texts; expected images"):
        adapted.outputs(tiny.texts())


def test_labels_that_are_not_those_of_the_classes_are_named() -> None:
    learner, (images, labels) = drawn(), task(classes=2)
    for classes in (3, 1):
        with pytest.raises(InputError, match=rf"`labels` must be 0 to {classes - 1}, each at least once; got \[0, 1\]"):
            learner.adapt_to(images, labels, classes)
    with pytest.raises(InputError, match="`device` must be one of auto, cpu"):
        learner.adapt(tiny.target(30), device="abacus")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_sources_of_other_widths_are_adapted(dtype: torch.dtype) -> None:
    network = tiny.network().to(dtype)
    source = from_module(network, head="classifier", prepare=lambda image: tiny.prepare(image).to(dtype))
    adapted = Cnaps(source).adapt(tiny.target(30))
    assert np.isfinite(adapted.outputs(tiny.target(30))).all()


def test_a_source_of_grey_images_is_refused_at_once() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 1), torch.nn.Flatten(), torch.nn.Linear(256, 2))
    with pytest.raises(ModelError, match=r"takes batches of shape \(2, 1, 8, 8\); CNAPs needs \(b, 3, h, w\)"):
        Cnaps(from_module(net, prepare=lambda image: tiny.prepare(image)[:1]))


def test_texts_and_targets_without_classes_are_refused() -> None:
    learner = drawn()
    with pytest.raises(ModelError, match="reads texts; CNAPs encodes sets of images"):
        Cnaps(tiny.text_source())
    with pytest.raises(InputError, match=r"needs images with one class each.*\(regression\)"):
        learner.adapt(open_target((tiny.images(20)[0], np.linspace(0, 1, 20))))
    lonely = tiny.target(30).subset(np.arange(0, 30, 3))  # of one class, and the others are in its list
    with pytest.raises(InputError, match=r"class `class 1` of .* has no examples"):
        learner.adapt(lonely)
