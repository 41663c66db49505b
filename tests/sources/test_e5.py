"""The file of 4-bit weights that a package brings, written small here and read back."""

import struct
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.e5 import _directory, _tensor, load_e5


def test_a_block_of_four_bit_weights_is_read_by_its_definition() -> None:
    block = struct.pack("<e", 0.5) + bytes([0xF0 | low for low in range(16)])  # low halves 0 to 15, high halves 15
    found = _tensor({"w": block}, "w", (4, 8)).numpy().ravel()
    assert found[:16].tolist() == [(low - 8) * 0.5 for low in range(16)]
    assert (found[16:] == 3.5).all()
    plain = np.arange(6, dtype=np.float32)
    assert _tensor({"w": plain.tobytes()}, "w", (2, 3)).numpy().ravel().tolist() == plain.tolist()


def test_the_directory_names_each_tensor() -> None:
    head = b"E5      " + struct.pack("7i", 8, 1, 2, 16, 30, 9, 2) + bytes(8)
    words = struct.pack("5i", 1, 0, 2, 1, 3) + struct.pack("Q", 3) + bytes(8 + 4 + 3 + 4) + struct.pack("I", 2) + b"nn"
    entry = struct.pack("H", 3) + b"w.b" + bytes(5)
    at = len(head) + len(words) + 4 + len(entry) + 16
    data = head + words + struct.pack("i", 1) + entry + struct.pack("QQ", at, 4) + b"abcd"
    assert _directory(data) == ((8, 1, 2, 16, 30, 9, 2), 1, {"w.b": b"abcd"})


def test_another_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"not weights")
    with pytest.raises(ModelError, match=r"weights.bin does not hold the weights"):
        load_e5(tmp_path / "weights.bin", tmp_path / "tokenizer.json", ModelCard("zoo/e5_small", "text"))
