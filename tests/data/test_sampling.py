"""A table too large for memory: one pass draws a stratified sample, and what is held does not grow."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.data.test_tar import shard

import headstart as hs
from headstart.data import sampling
from headstart.data.reading import Reading
from headstart.data.sampling import FEW, ROWS, _Pool, sampled
from headstart.errors import TargetError
from headstart.ranking.inputs import open_inputs

pa = pytest.importorskip("pyarrow")
N = 6000


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "LARGE", 0)
    monkeypatch.setattr(sampling, "ROWS", 500)


def columns(n: int = N) -> dict[str, list[object]]:
    """Texts that name their row, in runs of one class: 60 %, 39 % and 1 %."""
    labels = ["a"] * (n * 60 // 100) + ["b"] * (n * 39 // 100) + ["c"] * (n // 100)
    return {"text": [f"this is row {row}" for row in range(n)], "label": labels, "spare": list(range(n))}


def shards(folder: Path) -> Path:
    from pyarrow.parquet import write_table

    table = pa.table(columns())
    folder.mkdir()
    for start in range(0, N, 1700):
        write_table(table.slice(start, 1700), folder / f"train-{start:05}.parquet")
    write_table(table.slice(0, 10), folder / "test-0.parquet")
    return folder


def check(target: hs.Target, most: int) -> None:
    """Every class in proportion, and every row as it stands in the table."""
    assert len(target) == most
    names = Counter(target.classes[code] for code in target.labels)
    assert {name: names[name] for name in "abc"} == {"a": most * 6 // 10, "b": most * 39 // 100, "c": most // 100}
    whole = columns()["label"]
    for row in range(0, most, 7):
        number = int(target.ids[row].split()[1]) - 1
        assert target.examples.load(row) == f"this is row {number}"
        assert target.classes[target.labels[row]] == whole[number]


def test_shards_and_csv_give_every_class_in_proportion(tmp_path: Path) -> None:
    folder = shards(tmp_path / "data")
    target = open_inputs(folder, Reading(), most=300, seed=0).target
    check(target, 300)
    assert target.split == "train"
    assert f"300 of {N:,} rows, stratified in one pass, seed 0" in target.notes
    table = tmp_path / "data.csv"
    rows = zip(*columns().values(), strict=True)
    table.write_text("text;label;spare\n" + "".join(f'"{text}";{label};{n}\n' for text, label, n in rows))
    from_csv = open_inputs(table, Reading(), most=300, seed=0).target
    check(from_csv, 300)
    assert "data.csv is split at semicolons" in from_csv.notes
    assert set(open_inputs(folder, Reading(), most=300, seed=0).target.ids) == set(target.ids)
    assert set(open_inputs(folder, Reading(), most=300, seed=1).target.ids) != set(target.ids)


def test_a_stream_of_the_library_datasets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    stream = datasets.Dataset.from_dict(columns()).to_iterable_dataset()
    check(open_inputs(stream, Reading(), most=200, seed=0).target, 200)
    with pytest.raises(TargetError, match="pass `limit`"):
        hs.open_target(stream)
    both = datasets.IterableDatasetDict({"test": stream, "train": stream})
    target = open_inputs(both, Reading(), most=200, seed=0).target
    assert target.split == "train"
    assert "only the split `train` is used; set aside: `test`" in target.notes


def tars(folder: Path, *, apart: bool = False) -> Path:
    """The rows of `columns` as texts in three tar files; with `apart`, all labels come after all texts."""
    for number, start in enumerate(range(0, N, 2000)):
        files: list[tuple[str, str]] = []
        for row, (text, label) in enumerate(zip(columns()["text"], columns()["label"], strict=True)):
            if start <= row < start + 2000:
                files += [(f"{row:05}.txt", str(text)), (f"{row:05}.json", json.dumps({"label": label}))]
        files = sorted(files, key=lambda one: one[0].endswith("json")) if apart else files
        shard(folder / f"train-{number}.tar", {name: content.encode() for name, content in files})
    return folder


def test_tars_give_every_class_in_proportion_and_hold_parts_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tars(tmp_path / "data")
    largest = []
    keep = _Pool._keep
    monkeypatch.setattr(_Pool, "_keep", lambda pool, room: (largest.append(len(pool.keys)), keep(pool, room)))
    target = open_inputs(folder, Reading(), most=300, seed=0).target
    assert max(largest) < N / 2
    assert f"300 of {N:,} examples, stratified in one pass, seed 0" in target.notes
    names = Counter(target.classes[code] for code in target.labels)
    assert names == {"a": 180, "b": 117, "c": 3}
    whole = columns()["label"]
    for row in range(0, 300, 7):
        assert target.examples.load(row) == f"this is row {int(target.ids[row])}"
        assert target.classes[target.labels[row]] == whole[int(target.ids[row])]
    assert open_inputs(folder, Reading(), most=300, seed=1).target.ids != target.ids


def test_tars_whose_files_do_not_follow_each_other_are_read_whole(tmp_path: Path) -> None:
    folder = tars(tmp_path / "data", apart=True)
    assert sampled(folder, Reading(), 300, 0) is folder
    assert len(open_inputs(folder, Reading(), most=300, seed=0).target) == 300


def test_what_is_held_does_not_grow_with_the_table() -> None:
    rng = np.random.default_rng(0)
    held = []
    pool = _Pool(50, 0)
    for _ in range(300):
        labels = rng.choice(["x", "y", "z"], size=ROWS, p=[0.9, 0.099, 0.001])
        pool.add(pa.table({"text": np.arange(ROWS), "label": labels}), ["label"])
        held.append(len(pool.keys))
    assert max(held) <= 3 * 50 + 3 * FEW + 2 * ROWS
    names = Counter(pool.sample()[0]["label"].to_pylist())
    assert (names["x"], names["y"]) == (45, 5)


def test_amounts_are_one_stratum_and_fewer_rows_than_asked_are_all_kept() -> None:
    pool = _Pool(40, 0)
    for start in range(0, 5000, 500):
        pool.add(pa.table({"text": list("x" * 500), "label": np.arange(start, start + 500) / 7}), ["label"])
    rows, numbers = pool.sample()
    assert rows.num_rows == len(set(numbers.tolist())) == 40
    few = _Pool(40, 0)
    few.add(pa.table({"text": ["a", "b", "c"], "label": [0, 1, 1]}), ["label"])
    assert few.sample()[1].tolist() == [0, 1, 2]


def test_small_tables_and_those_with_a_column_of_splits_are_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("text,label,split\nx,a,train\ny,b,test\n")
    assert sampled(table, Reading(), 1, 0) is table
    monkeypatch.setattr(sampling, "LARGE", 1 << 20)
    folder = shards(tmp_path / "data")
    assert sampled(folder, Reading(), 100, 0) is folder
    assert sampled(folder, Reading(), None, 0) is folder
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1" * 400)
    monkeypatch.setattr(sampling, "LARGE", 0)
    with pytest.raises(TargetError, match=r"cannot read .*bad.parquet"):
        sampled(bad, Reading(), 10, 0)
