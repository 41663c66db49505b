"""The table from rows made by hand: the right rows, coefficients, words about scale, and published numbers beside."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.paper.conftest import cells, notes

from headstart.errors import InputError
from headstart.records import as_markdown
from headstart_paper import paper
from headstart_paper.drawings import Cloud
from headstart_paper.figures import bins_of, draw
from headstart_paper.paper import FIGURES, ROWS
from headstart_paper.plan import Order, Part, Scale, pieces
from headstart_paper.results import Stored, check_fields, read_results
from headstart_paper.run import settings_of
from headstart_paper.selection import choices, selection_table, static
from headstart_paper.table import beyond_table, confound_table, lines, main_table, published_table, scale_of

SHIPPED = Path(__file__).parents[2] / "reproductions" / "results"
NAMES = ("leep", "nce", "h_score", "leep_loo", "knn", "minus_log_classes")


def rows(name: str, count: int = 12, seeds: int = 1, **more: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        classes = 2 + number % 5
        quality = rng.normal()
        scores = {score: float(quality + rng.normal() - np.log(classes)) for score in NAMES}
        scores["minus_log_classes"] = float(-np.log(classes))
        for seed in range(seeds):
            accuracy = float(1 / classes + 0.05 * quality + 0.01 * rng.normal())
            made.append(
                {
                    "key": f"{name}/{number}/{seed}",
                    "row": name,
                    "model": "net",
                    "data": "Fashion-MNIST",
                    "method": name.split("/")[3],
                    "number": number,
                    "outcome_seed": seed,
                    "classes": classes,
                    "n": 100,
                    "accuracy": accuracy,
                    "f1": accuracy / 2,
                    "scores": scores,
                    "seconds": 2.0,
                    **more,
                }
            )
    return made


def stored(*made: list[dict[str, Any]], scale: Scale | None = None) -> Stored:
    return Stored(settings_of(scale or Scale()), tuple(row for group in made for row in group), ())


HEAD = "fashion-mnist/cifar10/large/head"


def test_the_paper_has_21_rows_and_its_figures_are_numbered_as_printed() -> None:
    assert len(paper.PUBLISHED) == sum(row.in_paper for row in ROWS.values()) == 21
    assert [name for name in FIGURES if name.startswith("figure")] == [
        *(f"figure{n}" for n in range(1, 9)),
        "figure9b",
    ]


def test_a_line_holds_scipys_coefficient_of_the_first_seed() -> None:
    made = rows(HEAD, seeds=3)
    (line,) = lines([stored(made)])
    first = [row for row in made if row["outcome_seed"] == 0]
    told = stats.pearsonr([row["scores"]["leep"] for row in first], [row["accuracy"] for row in first])
    found = line.coefficients["leep"]
    assert found is not None
    assert (found.value, found.p) == pytest.approx((told.statistic, told.pvalue))
    assert line.tasks == 12
    assert line.ceiling is not None
    assert 0.9 < line.ceiling <= 1
    assert line.partial["minus_log_classes"] is None  # it is what is held fixed


def test_imbalanced_rows_are_about_f1() -> None:
    made = rows("fashion-mnist/cifar10/imbalanced/head", f1=0.5)
    (line,) = lines([stored(made)])
    assert line.coefficients["leep"] is None  # F1 does not vary here, though the accuracy does


def test_curves_are_no_rows_of_the_table() -> None:
    assert lines([stored(rows(HEAD, curve=[0.1, 0.2]))]) == []


def test_every_row_of_the_paper_is_shown_run_or_not_and_the_scale_is_said() -> None:
    found = lines([stored(rows(HEAD), scale=Scale(5, pool=40, test_each=7))])
    grid = main_table(found, list(ROWS.values()))
    assert len(cells(grid)) == 22  # one is not in the paper
    assert sum("not run" in row for row in cells(grid)) == 21
    said = next(note for note in notes(grid) if note.startswith("not the paper's settings"))
    alone = lines([stored(rows(HEAD, count=1), scale=Scale(1))])
    assert alone[0].scaled == ("1 task instead of 200", "1 epoch instead of 100")
    assert "precision" not in settings_of(Scale())  # as in files that were made before it could be chosen
    for word in (
        "12 tasks instead of 200",
        "5 epochs instead of 100",
        "40 examples per class",
        "7 test examples per class",
    ):
        assert word in said


def test_a_stand_in_is_called_one() -> None:
    made = rows("cifar100/cifar10/small/head", data="Grocery Store")
    real = rows("cifar100/imagenet/small/head", data="CIFAR-100")
    other = rows("fashion-mnist/cifar10/small/head", data="MNIST")
    told = ["".join(row) for row in cells(main_table(lines([stored(made, real, other)]), list(ROWS.values())))]
    assert sum("net on MNIST (stand-in)" in cell for cell in told) == 1
    assert sum("net on Grocery Store (stand-in)" in cell for cell in told) == 1
    assert sum("net on CIFAR-100" in cell and "(stand-in)" not in cell for cell in told) == 1


def test_files_of_other_settings_are_shown_side_by_side_never_pooled() -> None:
    found = lines([stored(rows(HEAD)), stored(rows(HEAD, count=8), scale=Scale(pool=9))])
    assert [(line.tasks, len(line.scaled)) for line in found] == [(12, 1), (8, 2)]


@pytest.mark.parametrize(("field", "words"), [("fingerprint", "another model"), ("data_hash", "other data")])
def test_a_file_that_holds_two_models_under_one_name_is_refused(field: str, words: str) -> None:
    mixed = stored(rows(HEAD, **{field: "a"}), [row | {"key": "other"} for row in rows(HEAD, **{field: "b"})])
    told = f"row other was made with {words} than row {HEAD}/0/0, and both are of {HEAD}. Remove"
    with pytest.raises(InputError, match=told):
        check_fields(mixed)


def test_the_printed_numbers_are_those_that_the_paper_counts() -> None:
    printed = paper.PUBLISHED.values()
    assert all(-1 < value < 1 for row in printed for value in row)
    assert sum(leep >= nce for leep, nce, _ in printed) == 19
    assert sum(leep > h for leep, _, h in printed) == 14


@pytest.mark.parametrize(
    ("changes", "scale", "verdict"),
    [
        ({}, Scale(), "agrees"),
        ({}, Scale(precision="bf16"), "agrees"),  # the paper does not say in which precision it trained
        ({"data": "MNIST"}, Scale(), "not comparable: stand-in data"),
        ({}, Scale(5), "not comparable: other settings"),
    ],
)
def test_a_printed_number_stands_beside_the_one_obtained(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], scale: Scale, verdict: str
) -> None:
    name = f"fashion-mnist/cifar10/imbalanced/{'head' if scale.precision == 'fp32' else 'fine-tune'}"
    made = rows(name, count=200, **changes)
    (line,) = lines([stored(made, scale=scale)])
    assert ("trained in bf16" in line.scaled) == (scale.precision == "bf16")
    found = line.coefficients["leep"]
    assert found is not None
    turned = verdict.replace("agrees", "differs: the print with its sign turned")
    far = verdict.replace("agrees", "differs")
    for printed, expected in ((found.value + 0.05, verdict), (-found.value, turned), (found.value - 0.3, far)):
        monkeypatch.setitem(paper.PUBLISHED, name, (printed, 0.0, 0.0))
        first = cells(published_table([line]))[0]
        assert first[2:6] == ("LEEP", expected, f"{printed:.3f}", f"{found.value:.3f}")
    low, high = map(float, first[-1].split(" to "))
    assert low < 0.3 < high  # the interval is that of the difference from the printed number


def test_files_of_the_first_format_say_the_settings_they_were_made_with() -> None:
    old = {"format": 1, "head_epochs": 100, "large_epochs": 20, "small_epochs": 50, "seed": 3}
    scale = scale_of(Stored(old, (), ()))
    small, rare = (ROWS[f"fashion-mnist/cifar10/{rest}"] for rest in ("small/head", "imbalanced/fine-tune"))
    large, meta = ROWS[HEAD], ROWS["cifar100/imagenet/meta/cnaps"]
    assert (scale.budget(small, "head").epochs, scale.budget(rare, "fine-tune").epochs) == (100, 50)
    assert (scale.seed, scale.differences(small, "head")) == (3, ["100 epochs instead of 50"])
    assert scale.differences(large, "head") == []
    assert scale.differences(meta, "cnaps") == ["drawn from the training part"]


def test_each_training_has_the_epochs_of_the_print_unless_the_run_has_fewer() -> None:
    def epochs(name: str, method: str, scale: Scale) -> int:
        return scale.budget(ROWS[name], method).epochs

    full = [epochs(f"{target}/cifar10/small/fine-tune", "scratch", Scale()) for target in ("cifar100", "fashion-mnist")]
    assert full == [100, 40]
    imbalanced = "cifar100/cifar10/imbalanced/head"
    assert [epochs(imbalanced, "head", Scale(cap)) for cap in (None, 30, 3)] == [20, 20, 3]


def test_h_score_where_it_is_c_minus_1_for_every_task_is_marked() -> None:
    made = rows("cifar100/imagenet/small/head", data="CIFAR-100")
    for row in made:
        row["scores"]["h_score"] = row["classes"] - 1.0
    (line,) = found = lines([stored(made)])
    assert line.saturated
    assert not lines([stored(rows(HEAD))])[0].saturated
    shown = next(row for row in cells(main_table(found, list(ROWS.values()))) if "net on CIFAR-100" in row)
    assert "n < d" in shown
    assert [row[3] for row in cells(published_table(found))][2] == "not comparable: n < d"


def test_the_confound_is_shown_where_the_number_of_classes_varies() -> None:
    found = lines([stored(rows(HEAD))])
    grid = confound_table(found)
    assert grid
    assert [row[1] for row in cells(grid)] == ["given C", "over chance"]
    assert "| net, Fashion-MNIST, large, head |" in as_markdown(grid)
    assert confound_table(lines([stored(rows(HEAD, classes=3))])) == []
    assert "net, Fashion-MNIST, large, head" in cells(beyond_table(found))[0]


@pytest.mark.parametrize("name", ["large", "speed"])
def test_figures_are_drawn_from_rows_and_say_their_scale(tmp_path: Path, name: str) -> None:
    tune = "fashion-mnist/cifar10/large/fine-tune"
    curves = [rows(tune, method=method, curve=[0.2, 0.3]) for method in ("fine-tune", "scratch")]
    written, words = draw(FIGURES[name], [stored(rows(HEAD), rows(tune), *curves)], tmp_path)
    assert [path.suffix for path in written] == [".png", ".svg"]
    assert all(path.stat().st_size > 2000 for path in written)
    assert all("12 tasks instead of 200" in line for line in words)


def test_a_figure_drawn_from_a_stand_in_says_so(tmp_path: Path) -> None:
    made = rows("cifar100/imagenet/small/head", data="Grocery Store")
    _, svg = draw(FIGURES["figure2"], [stored(made)], tmp_path)[0]
    assert "here Grocery Store in its place" in svg.read_text()
    real = rows("cifar100/imagenet/small/head", data="CIFAR-100")
    _, svg = draw(FIGURES["figure2"], [stored(real)], tmp_path)[0]
    assert "in its place" not in svg.read_text()


def test_a_panel_that_is_about_either_target_calls_a_stand_in_one(tmp_path: Path) -> None:
    made = rows("cifar100/cifar10/imbalanced/head", data="TrashNet")
    real = rows("fashion-mnist/cifar10/imbalanced/head")
    words = draw(FIGURES["figure7"], [stored(made, real)], tmp_path)[1]
    assert [line.partition(",")[0] for line in words] == ["net on TrashNet (stand-in)", "net on Fashion-MNIST"]


def test_a_figure_never_pools_rows_of_two_files(tmp_path: Path) -> None:
    files = [stored(rows(HEAD)), stored(rows(HEAD, count=8), scale=Scale(pool=9))]
    words = draw(FIGURES["large"], files, tmp_path)[1]
    assert words == [
        "net on Fashion-MNIST, re-trained head: 12 tasks instead of 200",
        "net on Fashion-MNIST, file 2, re-trained head: 8 tasks instead of 200; drawn from 9 examples per class",
    ]


def test_levels_are_equal_bins_of_the_score_and_shared_by_the_methods_of_a_panel() -> None:
    rng = np.random.default_rng(3)
    one, two = Cloud("head", rng.normal(size=50), rng.normal(size=50)), Cloud("tuned", np.array([9.0]), np.array([1.0]))
    places = np.clip(((one.scores - one.scores.min()) / np.ptp(one.scores) * 5).astype(int), 0, 4)
    inside = [one.outcomes[places == place] for place in range(5)]
    assert [count for _, _, count in bins_of([one])[0]] == [len(each) for each in inside]
    assert [mean for mean, _, _ in bins_of([one])[0]] == pytest.approx([each.mean() for each in inside])
    assert bins_of([one])[0][2][1] == pytest.approx(stats.sem(inside[2]))
    assert [count for _, _, count in bins_of([one, two])[1]] == [0, 0, 0, 0, 1]
    assert bins_of([one, two])[0][4][2] == 0


def test_convergence_needs_the_reference_of_the_same_tasks(tmp_path: Path) -> None:
    made = rows("fashion-mnist/cifar10/large/fine-tune", curve=[0.2, 0.3])
    with pytest.raises(InputError, match="needs the training from scratch"):
        draw(FIGURES["speed"], [stored(made)], tmp_path)


def test_figures_without_rows_or_without_their_method_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hold no rows for large"):
        draw(FIGURES["large"], [stored()], tmp_path)
    with pytest.raises(InputError, match="hold no rows for figure3"):
        draw(FIGURES["figure3"], [stored(rows("cifar100/imagenet/small/head"))], tmp_path)


def test_the_static_list_never_sees_its_own_target(tmp_path: Path) -> None:
    made = []
    for data, outcomes in (("A", (0.5, 0.6, 0.9)), ("B", (0.4, 0.8, 0.6)), ("C", (0.1, 0.2, 0.3))):
        for place, outcome in enumerate(outcomes):
            scores = {"leep": outcome - 1, "source_accuracy": place / 10, "minus_log_classes": -1.0}
            made.append(
                {"key": f"selection/{data}/m{place}", "kind": "selection", "data": data, "model": f"m{place}"}
                | {"n": 9, "accuracy": outcome, "scores": scores}
            )
    found = choices(stored(made))
    assert static(found)[0].tolist() == pytest.approx([0.25, 0.5, 0.45])
    grid = selection_table(found)
    assert cells(grid)[0][:4] == ("leep", "3", "3", "1.000")
    assert {row[0] for row in cells(grid)} == {"leep", "source_accuracy", "static list", "random"}
    written, _ = draw(FIGURES["figure5"], [stored(made)], tmp_path)
    assert len(written) == 6


def test_work_is_cut_so_that_a_kill_loses_one_task_or_a_few_small_heads() -> None:
    small = Part(ROWS["fashion-mnist/cifar10/small/head"], "m", "d")
    tune = Part(ROWS["fashion-mnist/cifar10/small/fine-tune"], "m", "d")
    made = pieces([small, tune], Order(tasks=20, seeds=3, seeded=2))
    keys = [piece.key for piece in made]
    assert len(keys) == len(set(keys)) == 2 * (20 + 2 * 2)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.jsonl")), ids=lambda path: path.stem)
def test_the_results_that_are_kept_with_the_code_can_be_read_and_shown(path: Path) -> None:
    kept = read_results(path)
    found = lines([kept])
    check_fields(kept)
    assert found or choices(kept) or all(len(row["curve"]) == kept.settings["large_epochs"] for row in kept.rows)
    for line in found:
        rows_of_line = [row for row in kept.rows if row.get("row") == line.row.name and "curve" not in row]
        assert line.tasks == len({row["number"] for row in rows_of_line})


def test_h_score_on_large_tasks_is_compared_plain_and_as_a_share_of_its_most() -> None:
    made = rows("cifar100/cifar10/large/head", count=40, data="CIFAR-100")
    for row in made:  # H grows with the classes while the accuracy falls, as on CIFAR-100
        row["scores"]["h_score"] = (row["classes"] - 1) * (0.5 + row["accuracy"] + 0.01 * row["scores"]["knn"])
    found = lines([stored(made)])
    told = [(row[2], row[5]) for row in cells(published_table(found))]
    assert [name for name, _ in told] == ["LEEP", "NCE", "H", "H / (C - 1)"]
    share = [row["scores"]["h_score"] / (row["classes"] - 1) for row in made]
    accuracy = [row["accuracy"] for row in made]
    assert float(told[3][1]) == pytest.approx(stats.pearsonr(share, accuracy)[0], abs=6e-4)
    assert float(told[2][1]) < 0 < float(told[3][1])
    shown = next(row for row in cells(main_table(found, list(ROWS.values()))) if "net on CIFAR-100" in row)
    assert shown[9] == told[3][1]
