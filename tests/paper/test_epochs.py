"""Coefficients by epochs of training: against scipy, from rows tested at marks and from whole curves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.paper.conftest import cells, notes

from headstart_paper.epochs import course_table, courses
from headstart_paper.figures import draw
from headstart_paper.paper import FIGURES
from headstart_paper.plan import Scale
from headstart_paper.results import Results, Stored
from headstart_paper.run import settings_of

FIGURE = FIGURES["epochs"]


def rows(name: str = "cifar100/cifar10/small/head", count: int = 12, **more: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        soon, late = rng.normal(size=2)
        course = {"1": 0.4 + 0.05 * soon, "2": 0.5 + 0.04 * (soon + late), "5": 0.6 + 0.05 * late}
        scores = {"leep": soon - 1, "nce": soon + rng.normal(), "h_score": 4.0 + more.pop("varied", 0) * late}
        about = {"row": name, "model": "net", "data": "CIFAR-100", "method": name.split("/")[3]}
        numbers = {"number": number, "outcome_seed": 0, "classes": 5, "n": 250, "seconds": 1.0}
        outcome = {"accuracy": course["5"], "f1": course["5"], "by_epoch": course, "scores": scores}
        made.append({"key": f"{name}/{number}", **about, **numbers, **outcome, **more})
    return made


def stored(made: list[dict[str, Any]]) -> Stored:
    return Stored(settings_of(Scale(5)), tuple(made), ())


def test_each_score_has_scipys_coefficient_after_each_epoch() -> None:
    made = rows()
    (course,) = courses(FIGURE, [stored(made)])
    assert course.epochs == (1, 2, 5)
    assert list(course.coefficients) == ["LEEP", "NCE"]  # H-score is C - 1 for every task
    leep = [row["scores"]["leep"] for row in made]
    for epoch, found in zip(("1", "2", "5"), course.coefficients["LEEP"], strict=True):
        told = stats.pearsonr(leep, [row["by_epoch"][epoch] for row in made])
        interval = told.confidence_interval()
        assert (found.value, found.low, found.high) == pytest.approx((told.statistic, *interval), abs=1e-6)
    view = course_table([course])
    assert cells(view)[0][3] == "LEEP"
    assert cells(view)[0][4] == f"{course.coefficients['LEEP'][0].value:.3f}" == "1.000"
    assert any("5 epochs instead of 50" in note and "12 tasks instead of 200" in note for note in notes(view))


def test_curves_of_a_convergence_figure_are_read_at_the_marks_and_at_their_end() -> None:
    made = rows("cifar100/cifar10/small/fine-tune")
    for row in made:
        row["curve"] = [
            0.3,
            0.4,
            0.45,
            row.pop("by_epoch")["5"],
            0.5 + 0.01 * row["number"],
            0.9 + 0.001 * row["number"],
        ]
    scratch = [{**row, "method": "scratch", "key": f"s{row['key']}"} for row in made]
    (course,) = courses(FIGURE, [stored(made + scratch)])
    assert course.epochs == (5, 6)  # until then all tasks have one outcome
    for row in made:
        row["curve"][:2] = [0.3 - row["scores"]["leep"], 0.4 + row["scores"]["leep"]]
    (course,) = courses(FIGURE, [stored(made + scratch)])
    assert (course.epochs, course.tasks) == ((1, 2, 5, 6), 12)
    assert [round(one.value) for one in course.coefficients["LEEP"][:2]] == [-1, 1]


def test_the_figure_is_drawn_and_its_table_written(tmp_path: Path, run: Any) -> None:
    made = rows()
    results = Results(tmp_path / "r.jsonl", settings_of(Scale(5)))
    for row in made:
        results.append(row["key"], {key: value for key, value in row.items() if key != "key"})
    written, _ = draw(FIGURE, [stored(made)], tmp_path)
    assert "net on CIFAR-100, small, re-trained head" in " ".join(written[1].read_text().split())
    told = run("reproduce", "epochs", "--show", "--out", tmp_path / "r.jsonl", "--figures", tmp_path, "--markdown", "-")
    assert "| cifar100/cifar10/small/head | net | 12 | LEEP | 1.000 |" in " ".join(told.output.split())
