"""How well each score predicts a transfer that is stopped after some epochs, and one that is trained to the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.records import View, titled
from headstart.wording import MISSING
from headstart_paper import paper
from headstart_paper.correlate import Coefficient, pearson
from headstart_paper.plan import Scale
from headstart_paper.results import Stored
from headstart_paper.table import differences, scale_of, used

SHOWN = {
    "leep": "LEEP",
    "nce": "NCE",
    "h_score": "H",
    "regularized_h_score": "reg. H",
    "knn": "k-NN",
    "leep_pooled": "pooled",
}


@dataclass(frozen=True, eq=False)
class Course:
    """One row of Table 1 followed through the epochs of its training."""

    row: paper.TableRow
    model: str
    data: str
    tasks: int
    epochs: tuple[int, ...]
    coefficients: dict[str, list[Coefficient]]  # title of a score -> one after each of the epochs
    scaled: tuple[str, ...]  # where the settings are not the paper's, in words

    @property
    def title(self) -> str:
        about = f"{self.row.setting}, {paper.METHODS[self.row.method]} ({self.tasks} tasks)"
        return f"{used(self.row, self.model, self.data)}, {about}"


def courses(figure: paper.Figure, stored: Sequence[Stored]) -> list[Course]:
    """The rows of a figure in these results files that were tested after several epochs, in the table's order."""
    found = []
    for file in stored:
        for name, row in paper.ROWS.items():
            if figure.has(row):
                of_row = [one for one in file.rows if one.get("row") == name and one["outcome_seed"] == 0]
                course = _course([one for one in of_row if "by_epoch" in one] or _from_curves(of_row), scale_of(file))
                found += [course] if course else []
    order = list(paper.ROWS)
    return sorted(found, key=lambda course: order.index(course.row.name))


def course_table(found: Sequence[Course]) -> View:
    """Each score's coefficient after each epoch at which the trainings were tested; empty without any."""
    if not found:
        return []
    epochs = sorted({epoch for course in found for epoch in course.epochs})
    cells = []
    for course in found:
        for score, each in course.coefficients.items():
            by_epoch = {e: f"{c.value:.3f}" for e, c in zip(course.epochs, each, strict=True)}
            first, last = (f"{one.low:.2f} to {one.high:.2f}" for one in (each[0], each[-1]))
            shown = (by_epoch.get(epoch, MISSING) for epoch in epochs)
            cells.append((course.row.name, course.model, str(course.tasks), score, *shown, first, last))
    header = ("row", "model", "tasks", "score", *map(str, epochs), "first, 95 %", "last, 95 %")
    notes = [
        "Pearson of a score with the test accuracy (F1 of the rare class for imbalanced tasks) after so many epochs",
        "H is left out where it does not vary; reg. H: regularised H-score; pooled: `leep_pooled`",
        *(f"not the paper's settings ({'; '.join(one.scaled)}): {one.title}" for one in found if one.scaled),
    ]
    return titled("Correlation of score and outcome by epochs of training", header, cells, notes, words=4)


def _from_curves(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows of a convergence figure, tested after every epoch, as if they had been tested at `MARKS` alone."""
    kept = (*paper.MARKS, *(len(row["curve"]) for row in rows if "curve" in row))
    return [
        {**row, "by_epoch": {str(e): row["curve"][e - 1] for e in sorted({*kept}) if e <= len(row["curve"])}}
        for row in rows
        if "curve" in row and row["method"] != "scratch"
    ]


def _course(rows: Sequence[Mapping[str, Any]], scale: Scale) -> Course | None:
    """What rows of one name show; None where they are too few."""
    if not rows:
        return None
    outcomes = {int(epoch): [row["by_epoch"].get(epoch) for row in rows] for epoch in rows[0]["by_epoch"]}
    outcomes = {epoch: each for epoch, each in outcomes.items() if None not in each and min(each) < max(each)}
    coefficients: dict[str, list[Coefficient]] = {}
    for name, title in SHOWN.items():
        scores = [row["scores"].get(name) for row in rows]
        saturated = name == "h_score" and all(
            value is not None and abs(value - row["classes"] + 1) < 1e-4
            for value, row in zip(scores, rows, strict=True)
        )
        each = [] if None in scores or saturated else [pearson(scores, values) for values in outcomes.values()]
        if each and None not in each:
            coefficients[title] = [one for one in each if one is not None]
    if not coefficients:
        return None
    about = paper.ROWS[rows[0]["row"]], rows[0]["model"], rows[0]["data"], len(rows)
    return Course(*about, tuple(outcomes), coefficients, tuple(differences(rows, scale)))
