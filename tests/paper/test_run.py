"""A run's rows in a file that several processes may share."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headstart.errors import InputError
from headstart_paper import run
from headstart_paper.paper import ROWS
from headstart_paper.plan import Order, Part, pieces
from headstart_paper.results import Results

ROW = ROWS["fashion-mnist/cifar10/small/head"]
SILENT = lambda text: None  # noqa: E731


def finished(results: Results) -> run.Finished:
    return run.Finished(results, SILENT)


def test_a_piece_is_finished_when_its_row_is_there_also_one_of_another_process(tmp_path: Path) -> None:
    mine, other = Results(tmp_path / "r.jsonl", {}), Results(tmp_path / "r.jsonl", {})
    store, (piece,) = finished(mine), pieces([Part(ROW, "m", "d")], Order(tasks=1))
    with pytest.raises(KeyError):
        store[piece.key]
    other.append(piece.key, made_with("a"))
    assert store[piece.key]["fingerprint"] == "a"


def made_with(fingerprint: str, data_hash: str = "d") -> dict[str, Any]:
    about = {"row": ROW.name, "model": "net", "data": "Fashion-MNIST"}
    return about | {"fingerprint": fingerprint, "data_hash": data_hash, "accuracy": 0.5, "scores": {}}


@pytest.mark.parametrize(("second", "words"), [(made_with("b"), "another model"), (made_with("a", "e"), "other data")])
def test_two_processes_with_two_models_never_mix_their_rows(tmp_path: Path, second: dict[str, Any], words: str) -> None:
    mine, other = Results(tmp_path / "r.jsonl", {}), Results(tmp_path / "r.jsonl", {})
    finished(mine)["one"] = made_with("a")
    before = mine.path.read_bytes()
    with pytest.raises(InputError, match=rf"holds rows of {ROW.name} made with {words} \(net on Fashion-MNIST\). Res"):
        finished(other)["two"] = second
    assert mine.path.read_bytes() == before
    finished(other)["three"] = made_with("a")
    assert mine.refresh() == {"one", "three"}


def test_every_row_of_a_name_is_compared_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results(tmp_path / "r.jsonl", {})
    for key, fingerprint in (("one", "a"), ("two", "b")):  # as a version mixed them that looked at the first row alone
        results.append(key, made_with(fingerprint))
    monkeypatch.setattr(run, "loaded", lambda spec: SimpleNamespace(fingerprint="a"))
    monkeypatch.setattr(run, "data_hash", lambda name, bench: "d")
    with pytest.raises(InputError, match="made with another model"):
        run.check_same(results, pieces([Part(ROW, "m", "d")], Order(tasks=1)), None)  # type: ignore[arg-type]
