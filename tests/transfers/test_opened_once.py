"""A command opens its target once: each example is hashed once, and decoded at most once per input size."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.transfers.tiny import images, source

from headstart.data import stored
from headstart.sources.source import Source
from headstart.transfers import transfer
from headstart.transfers.campaign import campaign


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counter[str]]:
    """How often each file was decoded and hashed."""
    met: dict[str, Counter[str]] = {"load": Counter(), "digest": Counter()}
    for name, counter in met.items():
        real = getattr(stored.ImageFiles, name)

        def counted(self: stored.ImageFiles, index: int, real=real, counter=counter) -> object:
            counter[str(self.paths[index])] += 1
            return real(self, index)

        monkeypatch.setattr(stored.ImageFiles, name, counted)
    return met


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, (picture, label) in enumerate(zip(*images(40), strict=True)):
        place = tmp_path / "photos" / label
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number}.png")
    return tmp_path / "photos"


def most(counts: dict[str, Counter[str]]) -> dict[str, int]:
    assert all(len(counter) == 40 for counter in counts.values())
    return {name: max(counter.values()) for name, counter in counts.items()}


def test_one_head_transfer(photos: Path, counts: dict[str, Counter[str]], tmp_path: Path) -> None:
    transfer(photos, source(), method="head", cache=tmp_path / "cache")
    assert most(counts) == {"load": 1, "digest": 1}


def test_two_methods_and_two_seeds(photos: Path, counts: dict[str, Counter[str]], tmp_path: Path) -> None:
    done = campaign(
        photos, "zoo/tiny_digits", ["head", "fine-tune"], seeds=2, epochs=2, cache=tmp_path / "cache", progress=False
    )
    assert len(done.runs) == 4
    assert most(counts) == {"load": 1, "digest": 1}
    assert len({id(run.source.module) for run in done.runs}) == 1  # one source for all runs


def test_the_test_part_of_a_head_comes_from_the_cache(photos: Path, tmp_path: Path) -> None:
    passed: list[int] = []

    def counted(of: Source) -> Source:
        of.network.register_forward_hook(lambda module, inputs, output: passed.append(len(output[0])))
        return of

    given = {"method": "head", "cache": tmp_path / "cache"}
    first = transfer(photos, counted(source.__wrapped__()), **given)
    before = sum(passed)
    again = transfer(photos, counted(source.__wrapped__()), **given)
    assert before >= 40
    assert sum(passed) - before < 10  # probes that list the blocks; every example's features were kept
    assert np.array_equal(first.predictions.outputs, again.predictions.outputs)
