"""Source selection: which rows are one target's and one model's, and what the table makes of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import save_file
from tests.paper.conftest import cells, notes

from headstart.errors import InputError, ModelError
from headstart_paper import reproduce, run
from headstart_paper.architectures import CifarResNet
from headstart_paper.figures import draw
from headstart_paper.paper import FIGURES
from headstart_paper.plan import Pair
from headstart_paper.reproduce import Request, prepare
from headstart_paper.results import Results, Stored, names_of
from headstart_paper.selection import choices, selection_table, selection_tables, static


def pair(asked: str, model: str, accuracy: float = 0.5, title: str | None = None, **more: Any) -> dict[str, Any]:
    """A row as it is stored, made by hand."""
    row = {"key": f"selection/{asked}/{model}", "kind": "selection", "model": model, "data": title or asked, "n": 9}
    return row | {"accuracy": accuracy, "scores": {"leep": accuracy - 1}} | more


def stored(*rows: dict[str, Any]) -> Stored:
    return Stored({}, rows, ())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Which fingerprint each model and which hash each data set has now; nothing is opened or trained."""
    now = {"net": "a", "other": "b", "shapes": "x", "letters": "y"}

    def work(piece: Pair, bench: Any) -> dict[str, Any]:
        return pair(piece.data, piece.model, fingerprint=now[piece.model], data_hash=now[piece.data])

    monkeypatch.setattr(run, "work", work)
    monkeypatch.setattr(run, "loaded", lambda spec: SimpleNamespace(fingerprint=now[spec]))
    monkeypatch.setattr(run, "forget", lambda: None)
    monkeypatch.setattr(run, "candidate", lambda spec: None)
    monkeypatch.setattr(run, "data_hash", lambda name, bench: now[name])
    return now


def choose(data: list[str], models: list[str], results: Results) -> int:
    return run.run([Pair(model, model, name) for name in data for model in models], None, results)  # type: ignore[arg-type]  # the fakes need no bench


def test_fine_tuned_candidates_are_another_choice_than_those_with_a_new_head() -> None:
    pieces = [Pair("net.safetensors", "net", "a/b", method) for method in ("head", "fine-tune")]
    rows = [pair("a/b", "net", place / 10) | piece.about for place, piece in enumerate(pieces, start=1)]
    assert [piece.key for piece in pieces] == ["selection/a/b/net", "selection/a/b/net/fine-tune"]
    assert [names_of(row)["data_hash"] for row in rows] == ["a/b", "a/b"]
    for method, accuracy in (("head", 0.1), ("fine-tune", 0.2)):
        (choice,) = choices(stored(*rows), method)
        assert (choice.method, choice.outcomes.tolist()) == (method, [accuracy])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ("net", r"rows of net made with another model \(net on shapes\)"),
        ("shapes", r"rows of shapes made with other data \(net on shapes\)"),
    ],
)
def test_rows_of_another_model_or_data_set_are_not_taken_for_those_asked_for(
    tmp_path: Path, world: dict[str, str], changed: str, words: str
) -> None:
    results = Results(tmp_path / "r.jsonl", {})
    assert choose(["shapes"], ["net"], results) == 1
    assert choose(["shapes"], ["net"], results) == 0
    world[changed] = "z"
    before = results.path.read_bytes()
    with pytest.raises(InputError, match=words):
        choose(["shapes", "letters"], ["other", "net"], results)
    assert results.path.read_bytes() == before


def test_another_process_with_another_model_of_the_name_is_noticed_when_a_row_is_written(
    tmp_path: Path, world: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, other = Results(tmp_path / "r.jsonl", {}), Results(tmp_path / "r.jsonl", {})
    slow = run.work

    def work(piece: Pair, bench: Any) -> Any:
        other.append("selection/shapes/net", pair("shapes", "net", fingerprint="z"))
        return slow(piece, bench)

    monkeypatch.setattr(run, "work", work)
    with pytest.raises(InputError, match="made with another model"):
        choose(["letters"], ["net"], results)
    assert [kept["fingerprint"] for kept in Results(results.path, {}).rows] == ["z"]


def test_rows_from_before_the_hash_of_the_data_was_kept_go_on(tmp_path: Path, world: dict[str, str]) -> None:
    results = Results(tmp_path / "r.jsonl", {})
    results.append("selection/shapes/net", pair("shapes", "net", fingerprint="a"))
    assert choose(["shapes"], ["net", "other"], results) == 1


def test_two_models_of_one_name_are_refused_and_one_named_twice_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = SimpleNamespace(title="Digits", train=[], test=[])
    monkeypatch.setattr(reproduce, "open_data_set", lambda name, **options: data)
    one, two = tmp_path / "net.safetensors", tmp_path / "a" / "net.safetensors"
    two.parent.mkdir()
    for path in (one, two):
        save_file(CifarResNet(3, 10).state_dict(), path)

    def asked(*models: object) -> list[str]:
        request = Request("figure5", data=("sklearn/digits",), models=tuple(map(str, models)))
        return [piece.source for piece in prepare(request).pieces if isinstance(piece, Pair)]

    first, second = asked(two.parent / ".." / one.name, one, "zoo/tiny_digits", "zoo/tiny_d*")
    assert (first, second) == (str(one), "zoo/tiny_digits")
    with pytest.raises(ModelError, match="two models are called `net`"):
        asked(one, two)


def test_two_targets_of_one_title_stay_two(tmp_path: Path) -> None:
    rows = [pair(asked, f"zoo/m{n}", n / 10, "Shapes") for asked in ("mine", "folder/yours") for n in range(3)]
    found = choices(stored(*rows, pair("letters", "zoo/m0")))
    assert [choice.data for choice in found] == ["Shapes (mine)", "Shapes (folder/yours)", "letters"]
    assert [len(choice.names) for choice in found] == [3, 3, 1]


def test_the_static_list_never_sees_its_target_in_another_file_either() -> None:
    one = stored(*(pair("A", f"m{n}", 0.1 * n) for n in range(3)), *(pair("B", f"m{n}", 0.5) for n in range(3)))
    two = stored(*(pair("A", f"m{n}", 0.9) for n in range(3)))
    found = [choice for file in (one, two) for choice in choices(file)]
    assert static(found)[0].tolist() == static(found)[2].tolist() == [0.5, 0.5, 0.5]
    assert static(found)[1] == pytest.approx([0.45, 0.5, 0.55])


def test_the_static_list_is_over_the_same_targets_for_every_candidate() -> None:
    whole = [pair(data, f"m{n}", 0.1 * n) for data in ("A", "B") for n in range(3)]
    found = choices(stored(*whole, pair("easy", "m0", 0.9)))  # the run was stopped on the last target
    assert static(found)[0] == pytest.approx([0.0, 0.1, 0.2])
    assert static(found)[2] == pytest.approx([0.0])


def test_a_drawing_does_not_take_the_place_of_another_of_the_same_title(tmp_path: Path) -> None:
    rows = [pair("shapes", f"m{n}", 0.1 * n) for n in range(3)]
    files = [stored(*rows), stored(*rows, *(pair("a/b", f"m{n}", 0.1 * n, "shapes") for n in range(3)))]
    written, _ = draw(FIGURES["figure5"], files, tmp_path)
    assert [path.name for path in written if path.suffix == ".png"] == [
        "figure5_shapes.png",
        "figure5_shapes-shapes.png",
        "figure5_shapes-a-b.png",
    ]
    written, _ = draw(FIGURES["figure5"], [files[0], files[0]], tmp_path)
    assert [path.name for path in written] == [
        f"figure5_shapes{number}.{kind}" for number in ("", "_2") for kind in ("png", "svg")
    ]


def test_regret_of_candidates_that_tie_is_the_mean_over_them() -> None:
    rows = [pair("A", f"m{n}", 0.1 * n, scores={"leep": float(n == 0)}) for n in range(4)]
    tied = [row | {"scores": {"leep": float(n > 0)}} for n, row in enumerate(rows)]
    (alone,), (among,) = (
        [row for row in cells(selection_table(choices(stored(*x)))) if row[0] == "leep"] for x in (rows, tied)
    )
    assert (alone[-1], among[-1]) == ("0.3000", "0.1000")


def test_all_scores_are_shown_on_the_candidates_that_have_a_published_accuracy_too() -> None:
    rows = []
    for data, outcomes in (("A", (0.1, 0.2, 0.3, 0.9)), ("B", (0.3, 0.2, 0.4, 0.8))):
        for n, outcome in enumerate(outcomes):  # the last candidate is the best, and no ImageNet classifier
            known = {"source_accuracy": n / 10} if n < 3 else {}
            rows.append(pair(data, f"m{n}", outcome, scores={"leep": -outcome, **known}))
    rows.append(pair("B", "m4", 0.1, scores={"leep": -2.0}))
    both = selection_tables(choices(stored(*rows)))
    everyone, some = both[:3], both[3:]
    assert some[0].title == f"{everyone[0].title}, candidates with a published ImageNet accuracy"
    counts = {row[0]: row[1:3] for row in cells(everyone)}
    assert counts.pop("random") == counts.pop("leep") == ("2", "4 to 5")
    assert counts == {"source_accuracy": ("2", "3"), "static list": ("1", "4")}
    assert {row[2] for row in cells(some)} == {"3"}
    assert {row[0]: row[1] for row in cells(some)} == {
        "leep": "2",
        "source_accuracy": "2",
        "static list": "2",
        "random": "2",
    }
    assert {row[0]: row[-1] for row in cells(some)}["leep"] == "0.2000"
    assert notes(some)[-2:] == ("A: 3 candidates, 9 training images", "B: 3 candidates, 9 training images")
    assert len(selection_tables(choices(stored(*rows[:3])))) == 3
    assert len(selection_tables(choices(stored(rows[3])))) == 3
