"""Work shared by processes: what another did meanwhile is left out, and two of them do not stay at the same piece."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headstart.errors import InputError
from headstart_paper import paper, run
from headstart_paper.plan import Order, Part, Piece, pieces
from headstart_paper.results import Results

ROW = next(row for row in paper.ROWS if row.name == "fashion-mnist/cifar10/small/fine-tune")


def finished(piece: Piece) -> list[tuple[str, dict[str, Any]]]:
    return [(key, {"accuracy": 0.5, "scores": {}}) for key in piece.keys]


def test_a_process_that_comes_second_with_a_piece_goes_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = Results(tmp_path / "r.jsonl", {}), Results(tmp_path / "r.jsonl", {})
    todo = pieces([Part(ROW, "m", "d")], Order(tasks=40))
    order = []

    def work(piece: Piece, bench: Any) -> list[tuple[str, dict[str, Any]]]:
        order.append(piece.numbers[0])
        if len(order) == 1:  # another process, one step ahead, has just finished the same piece
            for key, row in finished(piece):
                other.append(key, row)
        return finished(piece)

    monkeypatch.setattr(run, "work", work)
    assert run._alone(todo, None, mine, lambda text: None) == 39  # type: ignore[arg-type]
    assert order[0] == 0
    assert sorted(order) == list(range(40))
    assert order[1:] != list(range(1, 40))


def test_alone_the_first_tasks_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results(tmp_path / "r.jsonl", {})
    monkeypatch.setattr(run, "work", lambda piece, bench: finished(piece))
    todo = pieces([Part(ROW, "m", "d")], Order(tasks=5))
    assert run._alone(todo, None, results, lambda text: None) == 5  # type: ignore[arg-type]
    assert [row["key"].split("/")[-2] for row in results.rows] == list("01234")


def made_with(fingerprint: str, data_hash: str = "d") -> dict[str, Any]:
    about = {"row": ROW.name, "model": "net", "data": "Fashion-MNIST"}
    return about | {"fingerprint": fingerprint, "data_hash": data_hash, "accuracy": 0.5, "scores": {}}


@pytest.mark.parametrize(("second", "words"), [(made_with("b"), "another model"), (made_with("a", "e"), "other data")])
def test_two_processes_with_two_models_never_mix_their_rows(tmp_path: Path, second: dict[str, Any], words: str) -> None:
    mine, other = Results(tmp_path / "r.jsonl", {}), Results(tmp_path / "r.jsonl", {})
    run._write([("one", made_with("a"))], mine, lambda text: None)
    before = mine.path.read_bytes()
    with pytest.raises(InputError, match=rf"holds rows of {ROW.name} made with {words} \(net on Fashion-MNIST\). Res"):
        run._write([("two", second)], other, lambda text: None)
    assert mine.path.read_bytes() == before
    assert run._write([("three", made_with("a"))], other, lambda text: None) == 1


def test_every_row_of_a_name_is_compared_with_the_model_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path / "r.jsonl", {})
    for key, fingerprint in (("one", "a"), ("two", "b")):  # as a version mixed them that looked at the first row alone
        results.append(key, made_with(fingerprint))
    monkeypatch.setattr(run, "loaded", lambda spec: SimpleNamespace(fingerprint="a"))
    monkeypatch.setattr(run, "data_hash", lambda name, bench: "d")
    with pytest.raises(InputError, match="made with another model"):
        run.check_same(results, Part(ROW, "m", "d"), None)  # type: ignore[arg-type]
