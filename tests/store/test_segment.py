"""One segment: batches are there or not, and believed only while their checksums hold."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import CacheError
from headstart.store.rows import as_keys
from headstart.store.segment import DamagedSegmentError, Segment, SegmentWriter, layout_of, read_segment

KEYS = as_keys([bytes([i]) * 16 for i in range(5)])
FIELDS = {
    "features": np.arange(15, dtype=np.float32).reshape(5, 3),
    "logits": -np.arange(10, dtype=np.float64).reshape(5, 2),
}


def parts(*slices: slice) -> list[dict[str, np.ndarray]]:
    return [{name: array[rows] for name, array in FIELDS.items()} for rows in slices]


def written(folder: Path) -> Path:
    """Three rows in two parts, then two more."""
    with closing(SegmentWriter(folder, layout_of(FIELDS))) as segment:
        segment.append(KEYS[:3], parts(slice(0, 1), slice(1, 3)))
        segment.append(KEYS[3:], parts(slice(3, 5)))
    (path,) = folder.glob("*.rows")
    return path


def holds(segment: Segment | None, count: int) -> bool:
    return (
        segment is not None
        and np.array_equal(segment.keys, KEYS[:count])
        and all(np.array_equal(segment.fields[name], array[:count]) for name, array in FIELDS.items())
    )


def test_rows_are_read_as_they_were_written_and_cannot_be_changed(tmp_path: Path) -> None:
    segment = read_segment(written(tmp_path))
    assert segment is not None
    assert holds(segment, 5)
    assert segment.fields["logits"].dtype == np.float64
    assert isinstance(segment.fields["features"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        segment.fields["features"][0, 0] = 1


def test_keys_that_end_in_zeros_are_kept_apart(tmp_path: Path) -> None:
    keys = as_keys([b"a" + bytes(15), b"a\0b" + bytes(13), bytes(16)])
    with closing(SegmentWriter(tmp_path, {"x": (np.dtype("f4"), 1)})) as writer:
        writer.append(keys, [{"x": np.zeros((3, 1), np.float32)}])
    segment = read_segment(next(tmp_path.glob("*.rows")))
    assert segment is not None
    assert segment.find(keys).tolist() == [0, 1, 2]


def test_every_altered_byte_is_seen(tmp_path: Path) -> None:
    path = written(tmp_path)
    for file in tmp_path.iterdir():
        good = file.read_bytes()
        for position in range(len(good)):
            file.write_bytes(good[:position] + bytes([good[position] ^ 0x11]) + good[position + 1 :])
            try:
                segment = read_segment(path)
            except DamagedSegmentError:
                continue
            # a batch that claims more rows than the index holds looks unfinished, so its rows are computed again
            assert segment is None or holds(segment, 3), (file.name, position)
        file.write_bytes(good)


def test_an_index_cut_anywhere_gives_the_batches_before_the_cut(tmp_path: Path) -> None:
    path = written(tmp_path)
    good = path.read_bytes()
    batch = 8 + 3 * 16
    first = good.index(b"\n") + 1 + batch
    for length in range(len(good)):
        path.write_bytes(good[:length])
        segment = read_segment(path)
        assert segment is None if length < first else holds(segment, 3)


def test_rows_cut_off_are_damage(tmp_path: Path) -> None:
    path = written(tmp_path)
    file = path.with_suffix(".logits")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedSegmentError, match="logits are missing"):
        read_segment(path)


@pytest.fixture
def no_room() -> Iterator[None]:
    """The kernel refuses to let any file grow past 50 bytes: a write that really fails half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("no_room")
def test_a_write_that_finds_no_room_says_so_and_adds_no_row(tmp_path: Path) -> None:
    layout = {"x": (np.dtype("f4"), 4)}
    with (
        closing(SegmentWriter(tmp_path, layout)) as segment,
        pytest.raises(CacheError, match=r"no room left for the cache at .*256 bytes .*`--cache FOLDER`"),
    ):
        segment.append(np.repeat(KEYS[:1], 8), [{"x": np.ones((8, 4), np.float32)}])
    assert read_segment(next(tmp_path.glob("*.rows"))) is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="no room left for the cache"):
        written(tmp_path)


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CacheError, match=r"cannot write to the cache at .*: Not a directory.*`--cache FOLDER`"):
        written(tmp_path / "file" / "rows")


def test_a_disk_without_inodes_is_told_from_one_without_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    real = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result([*real[:7], 0, *real[8:]]))
    with pytest.raises(CacheError, match="inodes"):
        written(tmp_path)
