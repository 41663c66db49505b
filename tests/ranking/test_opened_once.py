"""A target is opened once for a whole command: hashed once, and decoded once while there is memory for it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from PIL import Image
from tests.ranking.toys import Eye, clear, dazzled, folder_of_classes, pixels, source

import headstart as hs
from headstart.data import Target, remembered

N = 30


class Counting:
    """Images that count how often each is decoded and hashed."""

    def __init__(self) -> None:
        self.images, self.names = pixels(N)
        self.decoded: Counter[int] = Counter()
        self.hashed: Counter[int] = Counter()
        self._lock = Lock()

    def __len__(self) -> int:
        return N

    def load(self, index: int) -> Image.Image:
        with self._lock:
            self.decoded[index] += 1
        return Image.fromarray(self.images[index])

    def digest(self, index: int) -> bytes:
        with self._lock:
            self.hashed[index] += 1
        return bytes(self.images[index].tobytes()[:16])


def counted() -> tuple[Target, Counting]:
    examples = Counting()
    classes, codes = np.unique(examples.names, return_inverse=True)
    ids = tuple(map(str, range(N)))
    return Target("counted", "image", "classification", examples, codes, tuple(classes.tolist()), ids), examples


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("search", ["all", "race"])
def test_rank_hashes_and_decodes_each_example_once(tmp_path: Path, cached: bool, search: str) -> None:
    target, examples = counted()
    models = [clear(), dazzled(), source(Eye(seed=1), "third")]
    hs.rank(target, models, scores="ridge_probe", search=search, cache=tmp_path if cached else False)
    assert set(examples.hashed.values()) == {1}
    assert set(examples.decoded.values()) == {1}
    assert len(examples.decoded) == len(examples.hashed) == N


def test_without_room_each_source_decodes_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "SHARE", 0.0)
    target, examples = counted()
    ranking = hs.rank(target, [clear(), dazzled()], scores="ridge_probe", cache=False)
    shown = sum(len(samples) for samples in ranking.target.samples.values())
    assert examples.decoded.total() == 2 * N + shown
    assert set(examples.hashed.values()) == {1}


def test_what_is_kept_never_exceeds_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    one = 4 * 8 * 8  # bytes of one decoded image
    monkeypatch.setattr(remembered, "SHARE", 1.0)
    monkeypatch.setattr(remembered, "available_memory", lambda: 10 * one + one // 2)
    target, examples = counted()
    held = target.held()
    for _ in range(3):
        for index in range(N):
            held.examples.load(index)
    assert sorted(examples.decoded.values()) == [1] * 10 + [3] * (N - 10)


def test_editing_a_decoded_example_changes_no_other() -> None:
    held = counted()[0].held()
    first = held.examples.load(0)
    assert isinstance(first, Image.Image)
    first.paste((0, 0, 0), (0, 0, 8, 8))
    assert np.asarray(held.examples.load(0)).any()


def test_a_held_target_travels_to_another_process_with_its_digests_only() -> None:
    import pickle

    target = hs.open_target(pixels(N)).held()
    target.examples.load(0)
    digest = target.examples.digest(0)
    copy = pickle.loads(pickle.dumps(target))
    assert copy.examples.digests == {0: digest}
    assert not copy.examples._decoded


def test_a_ranking_whose_rows_are_all_cached_loads_no_torch(tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 12)
    first = hs.rank(photos, "zoo/tiny_digits", scores="leep,knn", cache=tmp_path / "cache", device="cpu")
    given = f"{str(photos)!r}, 'zoo/tiny_digits', scores='leep,knn', cache={str(tmp_path / 'cache')!r}"
    code = f"import sys, headstart as hs; print(hs.rank({given}).to_json()); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200)
    again = hs.records.Ranking.from_json(done.stdout)
    assert [row.computed for row in again.rows] == [0]
    assert {name: one.value for name, one in again.rows[0].scores.items()} == {
        name: one.value for name, one in first.rows[0].scores.items()
    }
    assert again.rows[0].card == first.rows[0].card
    assert again.provenance.source_hashes == first.provenance.source_hashes
