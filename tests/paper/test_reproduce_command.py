"""`headstart reproduce` from end to end, on the demo's pictures and a small network: run, resume, refuse, draw."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.cli.conftest import Run

from headstart_paper import paper
from headstart_paper.architectures import CifarResNet
from headstart_paper.plan import Scale
from headstart_paper.results import Results, read_results
from headstart_paper.run import settings_of

DEMO = Path(__file__).parents[2] / "demo" / "fashion_mnist_1000.zip"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet20 with random weights (the architecture is real, and small), and a cache of its forward passes."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("shared")
    save_file(CifarResNet(3, 10).state_dict(), place / "weights.safetensors")
    return place


@pytest.fixture
def network(shared: Path, tmp_path: Path) -> Path:
    """A copy of the weights, which a test may change."""
    return Path(shutil.copy(shared / "weights.safetensors", tmp_path))


@pytest.fixture
def run(run: Run, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("HEADSTART_CACHE", str(shared / "cache"))
    return run


@pytest.fixture(scope="module")
def clothes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes of 44 pictures each, of which a quarter will be held out: enough for a small task."""
    rng = np.random.default_rng(0)
    path, labels = tmp_path_factory.mktemp("data") / "clothes.npz", np.repeat(np.arange(10), 44)
    images = 20 * labels[:, None, None] + rng.integers(0, 50, (440, 8, 8))
    np.savez(path, image=images.astype(np.uint8), label=labels)
    return path


def options(network: Path, clothes: Path, out: Path, rows: str, tasks: int) -> list[object]:
    scale = ["--pool", 32, "--each", 4, "--test-each", 3, "--epochs", 1, "--tasks", tasks]
    return ["--models", network, "--data", f"fashion-mnist={clothes}", "--rows", rows, "--out", out, *scale]


def test_a_run_is_kept_goes_on_where_it_stopped_and_becomes_a_table_and_a_figure(
    run: Run, network: Path, clothes: Path, tmp_path: Path
) -> None:
    out, page = tmp_path / "results.jsonl", tmp_path / "table.md"
    rows = "fashion-mnist/cifar10/[sl]*/head"
    first = run("reproduce", "table1", *options(network, clothes, out, rows, 2))
    assert first.exit_code == 0, first.output
    assert "4 tasks done now, 4 in" in first.stderr
    again = run("reproduce", "table1", *options(network, clothes, out, rows, 3), "--markdown", page)
    assert "2 tasks done now, 6 in" in again.stderr
    assert "weights on Fashion-MNIST" in again.stdout
    assert "CNAPs (meta-transfer)" in again.stdout
    assert "3 tasks instead of 200; 1 epoch instead of 100; drawn from 32 examples per class" in page.read_text()
    assert len(read_results(out).rows) == 6
    shown = run("reproduce", "large", "--show", "--out", out, "--figures", tmp_path / "figures")
    assert shown.exit_code == 0, shown.output
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["large.png", "large.svg"]


def test_a_worker_process_gives_the_same_numbers(run: Run, network: Path, clothes: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    rows = "fashion-mnist/cifar10/large/head"
    assert run("reproduce", "table1", *options(network, clothes, one, rows, 1)).exit_code == 0
    assert run("reproduce", "table1", *options(network, clothes, two, rows, 1), "--workers", 2).exit_code == 0
    of_one = {row["key"]: (row["accuracy"], row["scores"]["leep"]) for row in read_results(one).rows}
    of_two = {row["key"]: (row["accuracy"], row["scores"]["leep"]) for row in read_results(two).rows}
    assert len(of_one) == 1
    assert of_one.keys() == of_two.keys()
    assert all(of_one[key] == pytest.approx(of_two[key]) for key in of_one)


def test_results_of_other_settings_or_of_another_model_are_refused(
    run: Run, network: Path, clothes: Path, tmp_path: Path
) -> None:
    out, rows = tmp_path / "results.jsonl", "fashion-mnist/cifar10/small/head"
    assert run("reproduce", "table1", *options(network, clothes, out, rows, 1)).exit_code == 0
    before = out.read_bytes()
    other = run("reproduce", "table1", *options(network, clothes, out, rows, 1), "--seed", 1)
    assert (other.exit_code, out.read_bytes()) == (2, before)
    assert "other settings (`seed` is 0 there and 1 now)" in other.stderr
    save_file(CifarResNet(3, 10).state_dict(), network)
    for tasks in (1, 2):  # with all tasks done, and with one to do
        changed = run("reproduce", "table1", *options(network, clothes, out, rows, tasks))
        assert (changed.exit_code, out.read_bytes()) == (2, before)
        assert "made with another model" in changed.stderr


def without(path: Path, *names: str) -> bytes:
    """The results as a version wrote them that did not know these scores."""
    header, *lines = path.read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    for row in kept:
        row["scores"] = {name: value for name, value in row["scores"].items() if name not in names}
    path.write_text("\n".join([header, *(json.dumps(row, separators=(",", ":")) for row in kept)]) + "\n")
    return path.read_bytes()


def test_scores_are_added_to_finished_rows_without_training(
    run: Run, network: Path, clothes: Path, tmp_path: Path
) -> None:
    out, rows = tmp_path / "results.jsonl", "fashion-mnist/cifar10/[sl]*/head"
    given = [*options(network, clothes, out, rows, 1), "--seeds", 2]
    assert run("reproduce", "table1", *given).exit_code == 0
    full = read_results(out)
    without(out, "leep_gaussian", "knn")
    told = run("reproduce", "table1", *given)
    assert "0 tasks done now, 4 in" in told.stderr
    assert "4 of 4 rows" in told.stderr
    assert "lack `leep_gaussian`: the same command with `--rescore` adds it" in told.stderr
    done = run("reproduce", "table1", *given, "--rescore")
    assert done.exit_code == 0, done.output
    assert "4 of 4 rows in" in done.stderr
    assert "Gauss" in done.stdout
    again = read_results(out)
    assert (again.settings, again.rows) == (full.settings, full.rows)
    before = out.read_bytes()
    assert "0 of 4 rows in" in run("reproduce", "table1", *given, "--rescore").stderr
    assert out.read_bytes() == before


def test_curves_and_choices_are_rescored_too(run: Run, network: Path, clothes: Path, tmp_path: Path) -> None:
    out = tmp_path / "curves.jsonl"
    given = options(network, clothes, out, "fashion-mnist/cifar10/large/fine-tune", 1)
    assert run("reproduce", "speed", *given, "--figures", tmp_path).exit_code == 0
    full = read_results(out).rows
    assert len(full) == 2  # fine-tuned, and from scratch
    without(out, "leep_gaussian")
    done = run("reproduce", "speed", *given, "--figures", tmp_path, "--rescore")
    assert "2 of 2 rows in" in done.stderr
    assert read_results(out).rows == full

    out = tmp_path / "choices.jsonl"
    given = ["--models", network, "--data", f"fashion-mnist={clothes}", "--pool", 9, "--epochs", 1, "--out", out]
    run("reproduce", "figure5", *given, "--figures", tmp_path)
    full = read_results(out).rows
    without(out, "leep_gaussian")
    assert "1 of 1 rows in" in run("reproduce", "figure5", *given, "--figures", tmp_path, "--rescore").stderr
    assert read_results(out).rows == full


def test_rescoring_refuses_a_row_that_is_not_of_this_model_or_whose_scores_do_not_agree(
    run: Run, network: Path, clothes: Path, tmp_path: Path
) -> None:
    out, rows = tmp_path / "results.jsonl", "fashion-mnist/cifar10/small/head"
    given = [*options(network, clothes, out, rows, 2), "--rescore"]
    missing = run("reproduce", "table1", *given)
    assert (missing.exit_code, out.exists()) == (2, False)
    assert "results.jsonl cannot be read" in missing.stderr
    assert run("reproduce", "table1", *given[:-1]).exit_code == 0
    without(out, "leep_gaussian")
    one, two = read_results(out).rows
    stored = one["scores"]["nce"]
    out.write_text(out.read_text().replace(f'"nce":{stored}', '"nce":-0.5', 1))
    refused = run("reproduce", "table1", *given)
    assert refused.exit_code == 2
    assert f"row {rows}/0/0: `nce` is -0.5 there and {stored} now" in refused.stderr
    first, second = read_results(out).rows
    assert first == one | {"scores": one["scores"] | {"nce": -0.5}}  # as it was
    assert second["scores"].keys() == {*two["scores"], "leep_gaussian"}
    without(out, "leep_gaussian")
    before = out.read_bytes()
    save_file(CifarResNet(3, 10).state_dict(), network)
    other = run("reproduce", "table1", *given)
    assert (other.exit_code, out.read_bytes()) == (2, before)
    assert "made with another model" in other.stderr
    assert "`--rescore`" in run("reproduce", "table1", *given, "--show").stderr


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder of pictures to learn from: three classes of stripes."""
    rng = np.random.default_rng(0)
    for place in range(3):
        folder = tmp_path / "shapes" / f"stripe {place}"
        folder.mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 90, (32, 32, 3), dtype=np.uint8)
            pixels[:, 8 * place : 8 * place + 8] += 120
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "shapes"


def test_meta_transfer_learns_once_is_kept_and_becomes_a_row_and_figure_3(
    run: Run, network: Path, shapes: Path, tmp_path: Path
) -> None:
    out, page = tmp_path / "meta.jsonl", tmp_path / "table.md"
    pictures = tmp_path / "pictures.npz"
    labels = np.repeat(np.arange(5), 208)  # of which the test part has 52
    images = 40 * labels[:, None, None] + np.random.default_rng(1).integers(0, 50, (len(labels), 8, 8))
    np.savez(pictures, image=images.astype(np.uint8), label=labels)
    given = ["--models", f"cifar10={network}", "--stand-in", "cifar100=pics", "--data", f"pics={pictures}", shapes]
    given += ["--pool", 4, "--out", out, "--cache", tmp_path / "cache", "--rows", "*/cifar10/meta/*"]
    learning = [*given, "--meta-data", "shapes", "--episodes", 4]
    first = run("reproduce", "table1", *learning, "--tasks", 2, "--seeds", 2, "--markdown", page)
    assert first.exit_code == 0, first.output
    assert "learning to adapt from shapes" in first.stderr
    assert "2 tasks done now, 2 in" in first.stderr  # one outcome a task: forward passes have no seed
    assert "| CNAPs (meta-transfer) |" in page.read_text()
    assert "adaptation networks trained on 4 episodes of shapes" in page.read_text()
    again = run("reproduce", "table1", *learning, "--tasks", 3)
    assert "1 task done now, 3 in" in again.stderr
    assert "learning to adapt" not in again.stderr
    rows = read_results(out).rows
    assert [row["meta"] for row in rows] == [{"data": ["shapes"], "episodes": 4}] * 3
    assert len({row["meta_hash"] for row in rows}) == 1
    assert [(row["classes"], row["n"], row["test_n"]) for row in rows] == [(5, 250, 10)] * 3
    drawn = run("reproduce", "figure3", "--show", "--out", out, "--figures", tmp_path / "figures")
    assert drawn.exit_code == 0, drawn.output
    assert (tmp_path / "figures" / "figure3.png").exists()
    assert "3 tasks instead of 200; drawn from 4 examples per class; adaptation networks" in drawn.stdout
    kept = next((tmp_path / "cache" / "meta").glob("*.safetensors"))
    kept.write_bytes(kept.read_bytes()[:5000])
    mended = run("reproduce", "table1", *learning, "--tasks", 1, "--device", "auto", "--out", tmp_path / "mended.jsonl")
    assert mended.exit_code == 0, mended.output
    assert str(kept) in mended.stderr
    assert "trained again" in mended.stderr
    assert read_results(tmp_path / "mended.jsonl").rows[0]["accuracy"] == rows[0]["accuracy"]
    before = out.read_bytes()
    other = run("reproduce", "table1", *given, "--meta-data", "shapes", "--episodes", 5, "--tasks", 3)
    assert (other.exit_code, out.read_bytes()) == (2, before)
    assert "made with another meta-training" in other.stderr
    blind = run("reproduce", "table1", *given, "--meta-data", "shapes", "pics", "--out", tmp_path / "other.jsonl")
    assert blind.exit_code == 2
    assert "`--meta-data` names pictures, the target of cifar100/cifar10/meta/cnaps" in blind.stderr


def task(number: int, **changes: object) -> dict[str, object]:
    """A row as a run writes it, made by hand."""
    name = "fashion-mnist/cifar10/small/head"
    made = {"row": name, "model": "net", "fingerprint": "f", "data": "Fashion-MNIST", "data_hash": "d"}
    made |= {"method": "head", "number": number, "outcome_seed": 0, "classes": 4, "n": 120, "test_n": 9}
    made |= {"accuracy": number / 10, "f1": number / 10, "scores": {"leep": -1 / (number + 1)}, "seconds": 0.1}
    return made | changes


def kept(path: Path, *rows: dict[str, object]) -> Path:
    """A results file of these rows, keys by number."""
    results = Results(path, settings_of(Scale()))
    for number, row in enumerate(rows):
        results.append(f"{row.get('row', row.get('data'))}/{number}", row)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": None}, "Expected `object`, got `null` - at `$.scores`"),
        ({"scores": {"leep": "high"}}, "at `$.scores[...]`"),
        ({"scores": {"nce": 1}}, "it has no `leep` among its scores"),
        ({"f1": None}, "its `f1` is null"),
        ({"row": "fashion-mnist/cifar10/small/haed"}, "`fashion-mnist/cifar10/small/haed` is not a row of Table 1"),
        ({"kind": "selection", "n": None}, "Expected `int`, got `null` - at `$.n`"),
    ],
)
@pytest.mark.parametrize("name", ["table1", "figure2"])
def test_a_row_edited_by_hand_is_named_with_its_file(
    run: Run, tmp_path: Path, name: str, changes: dict[str, object], words: str
) -> None:
    out = kept(tmp_path / "r.jsonl", task(0), task(1, **changes))
    shown = run("reproduce", name, "--show", "--out", out, "--figures", tmp_path)
    assert shown.exit_code == 2
    assert f"Error: {out}: row " in shown.stderr
    assert words in shown.stderr
    lost = {key: value for key, value in task(1).items() if key != "scores"}
    out = kept(tmp_path / "s.jsonl", task(0), lost)
    shown = run("reproduce", name, "--show", "--out", out, "--figures", tmp_path)
    assert "s.jsonl: row fashion-mnist/cifar10/small/head/1: Object missing required field `scores`" in shown.stderr


@pytest.mark.parametrize("show", [["--show"], []])
def test_a_results_file_that_is_named_twice_is_refused(run: Run, tmp_path: Path, show: list[str]) -> None:
    out = kept(tmp_path / "r.jsonl", task(0))
    (tmp_path / "link.jsonl").symlink_to(out)
    told = run("reproduce", "table1", *show, "--out", out, "--with", tmp_path / "link.jsonl")
    assert told.exit_code == 2
    assert f"link.jsonl is named twice in `--out` and `--with` ({out})" in told.stderr


def test_what_is_wrong_with_a_file_that_is_shown_is_said(run: Run, tmp_path: Path) -> None:
    out = kept(tmp_path / "r.jsonl", *map(task, range(5)))
    out.write_bytes(out.read_bytes()[:-9])
    shown = run("reproduce", "table1", "--show", "--out", out)
    assert shown.exit_code == 0
    assert f"{out}: the last line is incomplete" in shown.stderr


def test_what_cannot_be_run_is_named_with_its_reason(run: Run, network: Path, clothes: Path, tmp_path: Path) -> None:
    result = run("reproduce", "table1", "--rows", "cifar100/*", "--root", tmp_path, "--out", tmp_path / "r.jsonl")
    assert result.exit_code == 2
    assert "cifar100/imagenet/meta/cnaps: CNAPs first learns to adapt, from tasks out of other data" in result.stderr
    assert "cifar100/cifar10/large/head: no CIFAR-10 network was given" in result.stderr
    assert "torchvision.datasets.CIFAR100('data', download=True)" in result.stderr
    assert not (tmp_path / "r.jsonl").exists()


def test_a_row_for_which_the_data_are_too_small_leaves_the_others_to_run(
    run: Run, network: Path, clothes: Path, tmp_path: Path
) -> None:
    given = options(network, clothes, tmp_path / "r.jsonl", "fashion-mnist/cifar10/[si]*/head", 1)
    result = run("reproduce", "table1", *given)
    assert result.exit_code == 0
    assert "imbalanced/head: Fashion-MNIST: an imbalanced task needs a class of 30 and another of 150" in result.stderr
    assert [row["row"] for row in read_results(tmp_path / "r.jsonl").rows] == ["fashion-mnist/cifar10/small/head"]


def test_a_model_that_is_not_there_is_named_before_the_first_task(
    run: Run, network: Path, clothes: Path, tmp_path: Path
) -> None:
    out, rows = tmp_path / "r.jsonl", "fashion-mnist/*/small/head"
    given = ["--data", f"fashion-mnist={clothes}", "--pool", 40, "--test-each", 4, "--epochs", 1, "--tasks", 1]
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors")
    for name, words in (("none", "there is no file"), ("broken", "is not a readable safetensors file")):
        wrong = tmp_path / f"{name}.safetensors"
        for slots in (
            ["--models", f"cifar10={wrong}", "--models", f"imagenet={network}"],
            ["--models", f"cifar10={network}", "--models", f"imagenet={wrong}"],
        ):
            refused = run("reproduce", "table1", *given, *slots, "--rows", rows, "--out", out)
            assert refused.exit_code != 0
            assert words in refused.stderr
            assert not read_results(out).rows
        refused = run("reproduce", "figure5", *given[:-2], "--models", network, "--models", wrong, "--out", out)
        assert words in refused.stderr
        assert not read_results(out).rows


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tabel1"], "Did you mean `table1`?"),
        (
            ["figure3", "--epochs", "3", "--seeds", "3"],
            "`--epochs` and `--seeds`",
        ),
        (["table1", "--device", "abacus"], "`device` must be one of auto, cpu, cuda, mps; got 'abacus'"),
        (["figure3", "--episodes", "9"], "`--episodes`"),
        (
            ["figure6", "--meta-data", "mnist"],
            "`--meta-data` is for rows of meta-transfer, and none of them is selected",
        ),
        (["table1", "--rows", "nothing"], "matches no row of table1"),
        (["table1", "--show", "--out", "none.jsonl"], "none.jsonl cannot be read"),
        (["table1", "--models", "here=zoo/x"], "the slots are imagenet and cifar10"),
        (["figure6", "--markdown", "p.md"], "figure6 is a drawing alone"),
        (["table1", "--with", "none.jsonl"], "none.jsonl cannot be read"),
        (["table1", "--stand-in", "cifar10=grocery-store"], "the targets are cifar100, fashion-mnist"),
    ],
)
def test_bad_words_get_a_plain_sentence(run: Run, arguments: list[str], words: str) -> None:
    result = run("reproduce", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


USED_BY_A_RUN = [
    *(["--tasks", "3"], ["--epochs", "3"], ["--pool", "3"], ["--each", "3"], ["--test-each", "3"], ["--seed", "0"]),
    *(["--seeds", "1"], ["--seeded", "3"], ["--models", "m"], ["--data", "mnist=m"], ["--stand-in", "cifar100=mnist"]),
    *(["--root", "data"], ["--cache", "c"], ["--device", "cpu"], ["--precision", "fp32"], ["--workers", "2"]),
    *(["--meta-data", "mnist"], ["--episodes", "9"]),
]


@pytest.mark.parametrize("option", USED_BY_A_RUN, ids=lambda option: option[0])
def test_an_option_of_a_run_is_refused_where_nothing_is_run(run: Run, tmp_path: Path, option: list[str]) -> None:
    told = run("reproduce", "table1", "--show", "--out", kept(tmp_path / "r.jsonl", task(0)), *option)
    assert told.exit_code == 2
    assert f"`{option[0]}`" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["figure5", "--rows", "x", "--tasks", "9"], "`--tasks` and `--rows`"),
        (["figure5", "--seeds", "2", "--seeded", "3", "--each", "1"], "`--each`, `--seeds` and `--seeded`"),
        (["figure5", "--paper-only"], "`--paper-only`"),
        (["figure5", "--precision", "bf16"], "`--precision`"),
        (["table1", "--rows", "*/head", "--precision", "bf16"], "`--precision` has no effect with these rows"),
        (["figure5", "--rescore", "--each", "2", "--workers", "2"], "`--each`"),
        (["figure5", "--show", "--rows", "*"], "`--rows` has no effect with `figure5 --show`: it draws all"),
        (["figure6", "--show", "--paper-only"], "`--paper-only`"),
        (["table1", "--show", "--rows", "nothing"], "matches no row of table1"),
    ],
)
def test_options_that_change_nothing_are_refused(run: Run, tmp_path: Path, arguments: list[str], words: str) -> None:
    told = run("reproduce", *arguments, "--out", kept(tmp_path / "r.jsonl", task(0)))
    assert told.exit_code == 2
    assert words in told.stderr


def test_what_is_shown_of_the_table_can_be_chosen(run: Run, tmp_path: Path) -> None:
    tuned, large = ({"row": f"fashion-mnist/cifar10/{rest}"} for rest in ("small/fine-tune", "large/head"))
    rare = {"row": "fashion-mnist/cifar10/imbalanced/head"}
    changes = [{"model": name} | row for name, row in (("of-small", {}), ("of-tuned", tuned), ("of-large", large))]
    out = kept(tmp_path / "r.jsonl", *(task(1, **change) for change in changes), task(1, model="of-rare", **rare))

    def shown(*options: str) -> tuple[set[str], int]:
        page = tmp_path / "page.md"
        assert run("reproduce", "table1", "--show", "--out", out, "--markdown", page, *options).exit_code == 0
        text = page.read_text()
        return {name for name in ("small", "tuned", "large", "rare") if f"of-{name}" in text}, text.count("not run")

    assert shown() == ({"small", "tuned", "large", "rare"}, 18)
    assert shown("--rows", "fashion-mnist/cifar10/*/head") == ({"small", "large", "rare"}, 0)
    assert shown("--rows", "fashion-mnist/*/small/*", "--paper-only") == ({"small", "tuned"}, 2)
    assert shown("--paper-only") == ({"small", "tuned", "rare"}, 18)  # large tasks of FashionMNIST are ours


def test_the_list_names_the_table_the_figures_and_what_brings_data(run: Run) -> None:
    result = run("reproduce", "list")
    names = [line.split()[0] for line in result.stdout.splitlines()[:14]]
    figures = [*(f"figure{number}" for number in range(1, 9)), "figure9b"]
    assert names == ["table1", *figures, "epochs", "large", "speed", "benchmark"]
    assert "apt-get install dataset-fashion-mnist" in result.stdout
    for name in paper.ROWS:
        assert f"\n{name} " in result.stdout


def test_a_library_that_is_missing_is_named_with_its_pip_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart_paper.cli.LIBRARIES", ("torch", "no_such_library"))
    result = run("reproduce", "table1")
    assert result.exit_code == 1
    assert "needs no_such_library. Run: pip install 'headstart[reproduce]'" in result.stderr
    assert run("reproduce", "list").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tasks", "3"], "`--tasks` has no effect with benchmark: it has one fixed plan"),
        (["--data", "mnits=x"], "mnits"),
    ],
)
def test_options_that_the_benchmark_cannot_use_are_named(
    run: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    result = run("reproduce", "benchmark", "--out", tmp_path / "b", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
