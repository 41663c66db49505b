"""WebDataset shards: tar files of images or texts beside their labels."""

import gzip
import io
import json
import pickle
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from tests.data.conftest import encode

import headstart as hs
from headstart.data import limit, open_target, open_unlabelled
from headstart.errors import NoSuchSplit, TargetError


def shard(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def pictures(start: int, count: int) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for number in range(start, start + count):
        files[f"{number:06}.png"] = encode((number % 256, 3, 9))
        files[f"{number:06}.cls"] = str(number % 2).encode()
    return files


def test_images_with_labels_of_one_file_and_of_several(tmp_path: Path) -> None:
    one = open_target(shard(tmp_path / "one.tar", pictures(0, 6)))
    assert (one.kind, one.classes, one.labels.tolist(), one.ids[1]) == ("image", ("0", "1"), [0, 1] * 3, "000001")
    assert one.examples.load(4).getpixel((0, 0)) == (4, 3, 9)  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(one.examples)).digest(4) == one.examples.digest(4)
    for name, start in (("train-000000", 0), ("train-000001", 6), ("test-000000", 12)):
        shard(tmp_path / "set" / f"{name}.tar", pictures(start, 6))
    train = open_target(tmp_path / "set")
    assert (train.split, len(train), train.ids[-1]) == ("train", 12, "000011")
    assert "only the split `train` (2 shards) is used; set aside: `test` (1)" in train.notes
    assert open_target(tmp_path / "set", split="test").ids[0] == "000012"
    assert len(open_unlabelled(tmp_path / "set", "image").ids) == 18
    shard(tmp_path / "again" / "a.tar", pictures(0, 2))
    shard(tmp_path / "again" / "b.tar", pictures(0, 2))
    assert open_target(tmp_path / "again").ids == ("a/000000", "a/000001", "b/000000", "b/000001")
    with pytest.raises(NoSuchSplit, match="has no split `val`"):
        open_target(tmp_path / "set", split="val")


def test_labels_in_json_and_texts(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for number, label in enumerate(["good", "bad", "good"]):
        files[f"a/{number}.txt"] = f"text {number}".encode()
        files[f"a/{number}.json"] = json.dumps({"label": label, "url": "x"}).encode()
    target = open_target(shard(tmp_path / "texts.tar", files))
    assert (target.kind, target.classes, target.examples.load(2), target.ids) == (
        "text", ("bad", "good"), "text 2", ("a/0", "a/1", "a/2"),
    )  # fmt: skip


def test_a_tar_is_ranked(tmp_path: Path) -> None:
    path = shard(tmp_path / "set.tar", pictures(0, 12))
    ranking = hs.rank(path, models=["zoo/tiny_letters"], scores="logme", limit=8, cache=False)
    assert (ranking.target.n, ranking.target.counts) == (8, (4, 4))


def test_memory_does_not_grow_with_the_content(tmp_path: Path) -> None:
    big = {name: content + bytes(200_000 if name.endswith("png") else 0) for name, content in pictures(0, 60).items()}
    path = shard(tmp_path / "big.tar", big)  # 12 MB
    tracemalloc.start()
    sample = limit(open_target(path), 10, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sample) == 10
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no images or texts"),
        ({"1.png": encode(), "2.png": encode((1, 1, 1))}, r"2 of 2 examples have no label \(first: 1\)"),
        ({"1.txt": b"a", "1.json": b"{", "2.txt": b"b", "2.json": b"1"}, r"1.json is not JSON"),
        ({"1.png": encode(), "1.PNG": encode()}, r"holds 1.png twice; give each file its own name"),
    ],
)
def test_tars_that_cannot_be_used_end_in_a_sentence(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        open_target(shard(tmp_path / "x.tar", files))


def test_a_compressed_or_broken_tar_is_an_error(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.tar", pictures(0, 4))
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(TargetError, match="as an uncompressed tar file"):
        open_target(path)
