"""The zoo: weights that a package or headstart itself brings, on real pictures and texts."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image
from torch import nn

from headstart.errors import MissingExtra, ModelError
from headstart.sources import ADAPTERS, Source, candidates
from headstart.sources.adapters import zoo as shipped
from headstart.sources.adapters.st import as_the_library_loads
from headstart.sources.build import stack

ZOO = ADAPTERS["zoo"]


def load(name: str) -> Source:
    (candidate,) = candidates(name)
    return candidate.load(False)


def logits_of(source: Source, examples: list) -> torch.Tensor:
    _, logits = source.forward(source.collate([source.prepare(example) for example in examples]))
    assert logits is not None
    return logits


def test_a_photograph_of_a_temple_is_named():
    source = load("zoo/efficientnet_lite0")
    picture = Image.fromarray(load_sample_image("china.jpg"))  # the Summer Palace in Peking
    logits = logits_of(source, [picture, picture.rotate(180)])
    best = [source.classes[i] for i in logits.topk(3).indices[0]]
    assert any("palace" in name for name in best)
    assert not any("palace" in source.classes[i] for i in logits.topk(1).indices[1])
    assert source.card.input_size == (3, 224, 224)
    assert source.card.parameters == ZOO.card("zoo/efficientnet_lite0").parameters


@pytest.mark.parametrize("name", [name for name in ZOO.names() if ZOO.card(name).kind == "image"])
def test_the_card_tells_what_loading_finds(name):
    card = ZOO.card(name)
    source = load(name)
    assert (card.parameters, card.num_classes) == (source.card.parameters, source.card.num_classes)
    assert card.input_size == source.card.input_size
    assert (None if source.classes is None else len(source.classes)) == card.num_classes
    assert source.head == ("classifier" if card.num_classes else None)  # an image-text pair classifies nothing
    assert source.card.local
    assert source.card.license


def test_each_lite_has_its_own_size():
    sizes = {ZOO.card(f"zoo/efficientnet_lite{i}").input_size[1] for i in range(3)}
    assert sizes == {224, 240, 260}


def test_tiny_digits_reads_digits_it_has_never_seen_in_either_polarity():
    source = load("zoo/tiny_digits")
    data = load_digits()
    test = np.random.default_rng(0).permutation(len(data.images))[: len(data.images) // 5]  # as scripts/train_zoo.py
    grey = [np.uint8(image / 16 * 255) for image in data.images[test]]
    for pixels in (grey, [255 - image for image in grey]):
        predicted = logits_of(source, [Image.fromarray(p).convert("RGB") for p in pixels]).argmax(dim=1).numpy()
        assert (predicted == data.target[test]).mean() > 0.95


def test_tiny_letters_reads_a_font():
    from PIL import ImageDraw, ImageFont

    source = load("zoo/tiny_letters")
    pictures = []
    for character in source.classes:
        picture = Image.new("RGB", (40, 40), "white")
        ImageDraw.Draw(picture).text((20, 20), character, fill="black", font=ImageFont.load_default(30), anchor="mm")
        pictures.append(picture)
    predicted = [source.classes[i] for i in logits_of(source, pictures).argmax(dim=1)]
    right = sum(a == b for a, b in zip(predicted, source.classes, strict=True))
    assert right >= 0.7 * len(source.classes)


def test_what_ships_is_small():
    files = shipped.weights_folder().iterdir()
    sizes = [len(file.read_bytes()) for file in files if file.name.endswith(".safetensors")]
    assert len(sizes) == 4
    assert sum(sizes) < 3_000_000


def test_weights_that_do_not_fit_are_refused():
    state = {"a": torch.zeros(2, 3), "b": torch.zeros(2)}
    assert list(shipped.renamed_by_position(state, nn.Linear(3, 2))) == ["weight", "bias"]
    with pytest.raises(ModelError, match="do not fit Linear"):
        shipped.renamed_by_position(state, nn.Linear(2, 3))


def test_a_model_whose_package_is_missing_names_the_line_to_run(monkeypatch):
    monkeypatch.setitem(shipped.table()["efficientnet_lite1"], "package", "no_such_package")
    assert not ZOO.card("zoo/efficientnet_lite1").local
    assert "zoo/efficientnet_lite1" not in [candidate.name for candidate in candidates("zoo")]
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[zoo\]'"):
        candidates("zoo/efficientnet_lite1")


def test_a_sentence_encoder_from_a_package():
    source = load("zoo/all_minilm_l6_v2")
    texts = ["A dog runs on the beach.", "A puppy plays by the sea.", "The bank raised its interest rate."]
    features, logits = source.forward(source.collate([source.prepare(text) for text in texts]))
    assert logits is None
    similarity = features @ features.T
    assert similarity[0, 1] > similarity[0, 2] + 0.2
    theirs = as_the_library_loads(source, False).module
    torch.testing.assert_close(features, torch.from_numpy(theirs.encode(texts)), rtol=1e-4, atol=1e-5)
    assert candidates("st/all-MiniLM-L6-v2")[0].load(False).fingerprint == source.fingerprint


def test_a_sentence_encoder_is_loaded_without_a_word_of_the_libraries_below_it():
    code = (
        "from headstart.sources import candidates; from headstart.sources.adapters.st import as_the_library_loads; "
        "as_the_library_loads(candidates('zoo/all_minilm_l6_v2')[0].load(False), False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_long_text_is_cut_not_refused():
    source = load("zoo/all_minilm_l6_v2")
    batch = source.collate(["word " * 5000, "short"])
    assert batch["input_ids"].shape == (2, 256)


def test_images_are_stacked():
    assert stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)]).shape == (2, 3, 4, 4)
