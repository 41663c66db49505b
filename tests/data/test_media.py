"""Kinds of data: each answers every question, and a new one needs no other change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.data import open_target, summarize
from headstart.data.media import MEDIA, Held, Medium, medium
from headstart.errors import InputError


def test_the_folder_is_the_list() -> None:
    assert list(MEDIA) == ["arrays", "image", "text"]


@pytest.mark.parametrize("name", ["image", "text"])
def test_probes_are_fixed_ordinary_examples_of_the_kind(name: str) -> None:
    kind = MEDIA[name]
    assert len(kind.probes()) >= 2
    assert kind.probes() == kind.probes()
    assert len(kind.odd_probes(own=True)) > len(kind.odd_probes(own=False))
    held = kind.hold(list(kind.probes()), channels_first=False)
    assert held is not None
    assert len(held[0]) == len(kind.probes())


def test_an_image_is_changed_by_the_strength_asked_for() -> None:
    picture = MEDIA["image"].probes()[0]
    assert MEDIA["image"].augment("none") is None
    changed = {}
    for strength in ("light", "strong"):
        augment = MEDIA["image"].augment(strength)
        assert augment is not None
        changed[strength] = np.asarray(augment(picture, np.random.default_rng(0)))
        again = augment(picture, np.random.default_rng(0))
        assert np.array_equal(changed[strength], np.asarray(again))
    assert not np.array_equal(changed["light"], changed["strong"])
    assert not np.array_equal(changed["light"], np.asarray(picture))


def test_what_cannot_be_changed_says_so() -> None:
    with pytest.raises(InputError, match=r"`augment`.*text.*'light'"):
        MEDIA["text"].augment("light")


def test_a_copy_of_an_image_may_be_edited() -> None:
    picture = Image.new("RGB", (4, 4))
    MEDIA["image"].copy(picture).putpixel((0, 0), (9, 9, 9))
    assert picture.getpixel((0, 0)) == (0, 0, 0)


@dataclass(frozen=True)
class Sound:
    """An example of a kind of data that the package does not know."""

    samples: tuple[float, ...]


class Sounds:
    """Sounds in memory."""

    def __init__(self, sounds: list[Sound]) -> None:
        self.sounds = sounds

    def __len__(self) -> int:
        return len(self.sounds)

    def load(self, index: int) -> Sound:
        return self.sounds[index]

    def digest(self, index: int) -> bytes:
        return repr(self.sounds[index]).encode()


@pytest.fixture
def audio() -> Iterator[str]:
    @medium
    class Audio(Medium):
        name = "audio"

        def hold(self, examples: Any, *, channels_first: bool) -> Held | None:
            return (Sounds(examples), ()) if all(isinstance(item, Sound) for item in examples) else None

        def sample(self, example: Any) -> str | None:
            return f"{len(example.samples)} samples"

    yield Audio.name
    MEDIA._entries.pop(Audio.name)


def test_a_new_kind_of_data_is_one_class(audio: str) -> None:
    target = open_target(([Sound((0.0,) * n) for n in (1, 2, 3, 4)], ["a", "b", "a", "b"]))
    assert (target.kind, target.name) == (audio, "audios")
    assert summarize(target).samples["b"] == ("2 samples", "4 samples")
