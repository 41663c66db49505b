"""One shard: whole or absent, believed only while its checksum holds, and an ordinary safetensors file."""

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from headstart.errors import CacheError
from headstart.store.rows import as_keys
from headstart.store.shard import BLOCK_BYTES, DamagedShardError, Shard, read_shard, write_shard

KEYS = as_keys([bytes([i]) * 16 for i in range(5)])
FEATURES = np.arange(15, dtype=np.float32).reshape(5, 3)
LOGITS = -np.arange(10, dtype=np.float64).reshape(5, 2)


def written(folder: Path) -> Path:
    fields = {"features": FEATURES, "logits": LOGITS}
    layout = {name: (array.dtype, array.shape[1]) for name, array in fields.items()}
    return write_shard(folder, KEYS, layout, lambda name, rows: fields[name][rows])


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    return read_shard(written(tmp_path))


def test_rows_come_back_as_they_were_written(shard: Shard):
    assert np.array_equal(shard.keys, KEYS)
    assert np.array_equal(shard.fields["features"], FEATURES)
    assert np.array_equal(shard.fields["logits"], LOGITS)
    assert shard.fields["logits"].dtype == np.float64


def test_rows_are_mapped_and_cannot_be_written_to(shard: Shard):
    assert isinstance(shard.fields["features"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        shard.fields["features"][0, 0] = 1


def test_the_safetensors_library_reads_the_file(shard: Shard):
    tensors = load_file(shard.path)
    assert np.array_equal(tensors["features"], FEATURES)
    assert tensors["keys"].tobytes() == KEYS.tobytes()


def test_more_rows_than_one_block(tmp_path: Path):
    rows = np.arange(3 * BLOCK_BYTES // 4, dtype=np.float32).reshape(-1, 1024)
    keys = as_keys([i.to_bytes(16, "little") for i in range(len(rows))])
    path = write_shard(tmp_path, keys, {"features": (rows.dtype, 1024)}, lambda name, part: rows[part])
    assert np.array_equal(read_shard(path).fields["features"], rows)


def test_keys_that_end_in_zeros_are_kept_apart(tmp_path: Path):
    keys = as_keys([b"a" + bytes(15), b"a\0b" + bytes(13), bytes(16)])
    path = write_shard(
        tmp_path, keys, {"x": (np.dtype("f4"), 1)}, lambda name, part: np.zeros((3, 1), np.float32)[part]
    )
    assert read_shard(path).find(keys).tolist() == [0, 1, 2]


def test_every_altered_byte_is_seen(shard: Shard):
    good = shard.path.read_bytes()
    unseen = []
    for position in range(len(good)):
        shard.path.write_bytes(good[:position] + bytes([good[position] ^ 0x11]) + good[position + 1 :])
        try:
            other = read_shard(shard.path)
        except DamagedShardError:
            continue
        if not all(np.array_equal(other.fields[name], shard_field) for name, shard_field in fields().items()):
            unseen.append(position)
    assert unseen == []


def fields() -> dict[str, np.ndarray]:
    return {"features": FEATURES, "logits": LOGITS}


def test_every_cut_is_seen(shard: Shard):
    good = shard.path.read_bytes()
    for length in range(len(good)):
        shard.path.write_bytes(good[:length])
        with pytest.raises(DamagedShardError, match=r"header cannot be read|bytes long and \d+ were written"):
            read_shard(shard.path)


@pytest.fixture
def no_room() -> Iterator[None]:
    """The kernel refuses to let any file grow past 200 bytes: a write that really fails half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("no_room")
def test_a_write_that_finds_no_room_says_so_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(
        CacheError, match=r"no room left for the cache at .*220 bytes were to be written.*`--cache FOLDER`"
    ):
        written(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int):
    def full(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="no room left for the cache"):
        written(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CacheError, match=r"cannot be written: Not a directory.*`--cache FOLDER`"):
        written(tmp_path / "file" / "rows")
