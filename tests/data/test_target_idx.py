"""IDX files, written here byte by byte from the format's description."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from headstart.data import open_target
from headstart.data.formats.idx import read_idx
from headstart.errors import TargetError

PIXELS = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3) * 10


def idx(code: int, values: np.ndarray) -> bytes:
    return bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def lay_out(folder: Path, *, packed: bool, dot: bool = False) -> Path:
    folder.mkdir()
    for split, rows in (("train", slice(0, 3)), ("t10k", slice(3, 4))):
        for kind, code in (("images", PIXELS[rows]), ("labels", np.array([3, 1, 3, 1], dtype=np.uint8)[rows])):
            name = f"{split}-{kind}{'.' if dot else '-'}idx{code.ndim}-ubyte"
            content = idx(0x08, code)
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dot", [False, True])
def test_a_folder_gives_its_training_split(tmp_path: Path, packed: bool, dot: bool) -> None:
    target = open_target(lay_out(tmp_path / "digits", packed=packed, dot=dot))
    assert (target.name, target.split, target.classes, target.labels.tolist()) == (
        "digits",
        "train",
        ("1", "3"),
        [1, 0, 1],
    )
    assert "only the split `train` (3 examples) is used; set aside: `t10k` (1)" in target.notes
    np.testing.assert_array_equal(np.asarray(target.examples.load(2))[..., 0], PIXELS[2])


def test_a_file_of_images_gives_its_own_split(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "digits", packed=True)
    assert open_target(folder / "train-images-idx3-ubyte.gz").split == "train"
    with pytest.raises(TargetError, match="is the split `train`, not `test`; pass its folder to choose"):
        open_target(folder / "train-images-idx3-ubyte.gz", split="test")
    with pytest.raises(TargetError, match="all 1 examples are of the one class `1`"):
        open_target(folder, split="test")


def test_data_sets_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    for name, label in (("digits", 2), ("letters", 5)):
        for kind, values in (("images", PIXELS), ("labels", np.array([0, 1, label, 1], dtype=np.uint8))):
            (tmp_path / f"emnist-{name}-train-{kind}-idx{values.ndim}-ubyte").write_bytes(idx(0x08, values))
    both = "emnist-digits-train-images-idx3-ubyte, emnist-letters-train-images-idx3-ubyte"
    with pytest.raises(TargetError, match=f"holds several files of the split `train`: {both}; pass one"):
        open_target(tmp_path)
    lay_out(tmp_path / "digits", packed=False)
    for file in (tmp_path / "digits").glob("t10k*"):
        file.rename(tmp_path / file.name)
    with pytest.raises(TargetError, match="all 1 examples are of the one class"):
        open_target(tmp_path, split="test")  # of which there is one file
    one = open_target(tmp_path / "emnist-digits-train-images-idx3-ubyte")
    assert (one.split, one.classes) == ("train", ("0", "1", "2"))


def test_a_file_that_lies_there_under_two_spellings_is_one(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "digits", packed=True)
    for file in list(folder.iterdir()):
        (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    (folder / "train-images.idx3-ubyte").write_bytes((folder / "train-images-idx3-ubyte").read_bytes())
    (folder / "train-labels.idx1-ubyte").write_bytes((folder / "train-labels-idx1-ubyte").read_bytes())
    assert len(open_target(folder)) == 3


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
def test_every_type_of_the_format(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.array([[1, 2, 3], [4, 5, 100]], dtype=dtype)
    path = tmp_path / "x-idx2"
    path.write_bytes(idx(code, values))
    read = read_idx(path)
    np.testing.assert_array_equal(read, values)
    assert read.dtype.isnative


def test_damaged_files_are_errors(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "digits", packed=True)
    images = folder / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    for content, message in [
        (whole[:-20], "cannot be read|promises"),
        (gzip.compress(gzip.decompress(whole)[:-1]), "holds 33 bytes, but its header says 34; fetch it again"),
        (b"\0\0\x77\3", "is not an IDX file"),
        (b"", "is not an IDX file"),
        (b"\0\0\x08\3\0\0", "ends inside its header"),
    ]:
        images.write_bytes(content)
        with pytest.raises(TargetError, match=message):
            open_target(folder)
    images.write_bytes(whole)
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(TargetError, match=r"has no labels beside it; expected train-labels-idx1-ubyte.gz"):
        open_target(folder)
