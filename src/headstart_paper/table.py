"""Table 1 from the rows of results files: coefficients beside the published ones, and the columns beyond the paper."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from headstart.records import View, titled
from headstart.wording import MISSING, plural
from headstart_paper import paper
from headstart_paper.correlate import Coefficient, ceiling, pearson, relative_to_chance
from headstart_paper.plan import Scale
from headstart_paper.results import Stored, check_unmixed

PAPER_SCORES = {"leep": "LEEP", "nce": "NCE", "h_score": "H"}
BEYOND_SCORES = {
    "leep_loo": "LOO",
    "leep_calibrated": "cal.",
    "leep_em": "EM",
    "leep_skill": "skill",
    "leep_gaussian": "Gauss",
    "leep_pooled": "pooled",
    "nleep": "N-LEEP",
    "logme": "LogME",
    "regularized_h_score": "reg. H",
    "knn": "k-NN",
    "ridge_probe": "ridge",
    "minus_log_classes": "-log C",
    "minus_entropy": "-H(Y)",
    "leep_of_noise": "noise",
    "random": "random",
}
CONFOUNDED = (
    *PAPER_SCORES,
    "leep_loo",
    "leep_calibrated",
    "leep_gaussian",
    "leep_pooled",
    "knn",
    "ridge_probe",
    "minus_log_classes",
    "leep_of_noise",
)  # shown with the number of classes held fixed


@dataclass(frozen=True, eq=False)
class Line:
    """One row of the table as obtained here."""

    row: paper.TableRow
    model: str
    data: str
    used: str  # model and data in words
    tasks: int
    scaled: tuple[str, ...]  # where the settings are not the paper's, in words
    coefficients: dict[str, Coefficient | None]
    partial: dict[str, Coefficient | None]  # given the number of classes; None where that does not vary
    chance: dict[str, Coefficient | None]  # with the accuracy relative to chance
    ceiling: float | None
    outcome: float  # mean over the tasks
    seconds: float  # per task, training and test


def lines(stored: Sequence[Stored]) -> list[Line]:
    """A line for each row of the table in each results file, in the table's order; curves are left to the figures.

    Raises:
        InputError: A file holds rows of one name that were made with two models or with two states of the data.
    """
    order = {row.name: place for place, row in enumerate((*paper.ROWS, *paper.BEYOND))}
    found = []
    for file in stored:
        check_unmixed(file)
        scale = scale_of(file)
        by_row: dict[str, list[Mapping[str, Any]]] = {}
        for row in file.rows:
            if "curve" not in row and row.get("row") in order:
                by_row.setdefault(row["row"], []).append(row)
        found += [_line(rows, scale) for rows in by_row.values()]
    return sorted(found, key=lambda line: order[line.row.name])


def scale_of(stored: Stored) -> Scale:
    """The scale that a results file was made at.

    Files of format 1 name one number of epochs for all heads, one for fine-tuning large tasks and one for small ones.
    """
    settings = dict(stored.settings)
    if settings.get("format") == 1:
        head, small = settings["head_epochs"], settings["small_epochs"]
        settings |= {"large_head_epochs": head, "small_head_epochs": head, "imbalanced_head_epochs": head}
        settings |= {"imbalanced_epochs": small}
    names = {field.name for field in fields(Scale)}
    return Scale(**{name: value for name, value in settings.items() if name in names})


def main_table(found: Sequence[Line], wanted: Sequence[paper.TableRow] | None = None) -> View:
    """The paper's columns: Pearson (p) of LEEP, NCE and H-score, obtained and published.

    Args:
        wanted: The rows to show, run or not; None: all.
    """
    cells = []
    for row in (*paper.ROWS, *paper.BEYOND) if wanted is None else wanted:
        of_row = [line for line in found if line.row == row]
        told = paper.PUBLISHED.get(row.name, (None, None, None))
        beside = tuple(MISSING if value is None else f"{value:.3f}" for value in told)
        if not of_row and row.in_paper:
            cells.append((*_named(row), "not run", *([MISSING] * 5), *beside))
        for line in of_row:
            obtained = tuple(_with_p(line.coefficients[name]) for name in PAPER_SCORES)
            cells.append(
                (*_named(row), line.used, str(line.tasks), *obtained, _interval(line.coefficients["leep"]), *beside)
            )
    header = ("paper: source", "target", "transfer", "property", "used here", "tasks", "LEEP", "NCE", "H", "LEEP 95 %")
    notes = [NOTE_P, *_scaled(found)]
    if any(not line.row.in_paper for line in found):
        notes.append("rows marked * are not in the paper")
    return titled(
        "Table 1: Pearson correlation of score and outcome",
        (*header, *(f"{title} publ." for title in PAPER_SCORES.values())),
        tuple(cells),
        tuple(notes),
        words=5,
    )


NOTE_P = (
    "Pearson over the tasks, in brackets the p-value; outcome: test accuracy, for imbalanced tasks F1 of the rare class"
)


def beyond_table(found: Sequence[Line]) -> View:
    """Other scores and baselines on the same tasks, and the reliability ceiling of the outcome."""
    cells = []
    for line in found:
        values = [line.coefficients.get(name) for name in (*PAPER_SCORES, *BEYOND_SCORES)]
        top = MISSING if line.ceiling is None else f"{line.ceiling:.3f}"
        cells.append(
            (
                _short(line),
                str(line.tasks),
                *map(_plain, values),
                top,
                f"{line.seconds:.2g}" if line.seconds < 10 else f"{line.seconds:.0f}",
            )
        )
    header = ("row", "tasks", *PAPER_SCORES.values(), *BEYOND_SCORES.values(), "ceiling", "s/task")
    notes = (
        "LOO: leave-one-out LEEP; cal.: with a temperature; EM: LEEP-EM; skill: LOO minus its prior; Gauss: LOO with "
        "the source's classes multiplied, not averaged (leep_gaussian); pooled: that and a linear probe (leep_pooled)",
        "noise: LEEP of the source's probabilities dealt to the wrong examples; -log C and -H(Y) know no model",
        "ceiling: the coefficient a perfect score would reach, from outcomes repeated with other seeds",
        "source accuracy and a static list are the same for every task of one source: they are in the table of figure5",
        "s/task: training and test of one task",
        "a dash: fewer than four tasks, a score that does not vary over them (H-score is C - 1 where there are no more "
        "examples than features), or one that the rows lack (`--rescore` adds it)",
    )
    return titled("Beyond the paper: Pearson of other scores and baselines", header, tuple(cells), notes, words=1)


def confound_table(found: Sequence[Line]) -> View:
    """Partial coefficients given the number of classes, and coefficients with the accuracy relative to chance."""
    cells = []
    for line in found:
        if all(value is None for value in line.partial.values()):
            continue
        cells.append((_short(line), "given C", *(_plain(line.partial.get(name)) for name in CONFOUNDED)))
        cells.append((_short(line), "over chance", *(_plain(line.chance.get(name)) for name in CONFOUNDED)))
    if not cells:
        return []
    header = ("row", "coefficient", *((PAPER_SCORES | BEYOND_SCORES)[name] for name in CONFOUNDED))
    notes = (
        "given C: partial Pearson, the logarithm of the number of classes held fixed",
        "over chance: Pearson with (accuracy - 1/C) / (1 - 1/C)",
    )
    return titled("The number of classes as a confound", header, tuple(cells), notes, words=2)


def published_table(found: Sequence[Line]) -> View:
    """Printed and obtained coefficients side by side, with their difference and a verdict; empty without such rows."""
    cells = [
        _comparison(line, name, printed)
        for line in found
        for name, printed in zip(PAPER_SCORES, paper.PUBLISHED.get(line.row.name, ()), strict=False)
    ]
    if not cells:
        return []
    header = ("row", "used here", "score", "verdict", "printed", "obtained", "difference", "95 %")
    notes = (
        "difference: obtained minus printed, with a 95 % interval by Fisher's z for the tasks here and the paper's 200",
        "agrees: the interval holds 0; not comparable: other data or settings than the paper's, or a score that does "
        "not vary. Whether the network is the paper's is for the reader to judge",
    )
    return titled("Printed and obtained", header, cells, notes, words=4)


def _comparison(line: Line, name: str, printed: float) -> tuple[str, ...]:
    obtained = line.coefficients[name]
    about = (line.row.name, line.used, PAPER_SCORES[name])
    if obtained is None:
        return (*about, "not comparable: the score does not vary", f"{printed:.3f}", *[MISSING] * 3)
    low, high = _difference(obtained.value, line.tasks, printed)
    verdict = "agrees" if low <= 0 <= high else "differs"
    if line.data != paper.DATA[line.row.target]:
        verdict = "not comparable: stand-in data"
    elif line.scaled:
        verdict = "not comparable: other settings"
    difference = f"{obtained.value - printed:+.3f}"
    return (*about, verdict, f"{printed:.3f}", f"{obtained.value:.3f}", difference, f"{low:.2f} to {high:.2f}")


def _difference(obtained: float, tasks: int, printed: float) -> tuple[float, float]:
    """The 95 % interval of the difference of two coefficients, from the intervals of each (Zou 2007)."""
    ends = []
    for value, n in ((obtained, tasks), (printed, paper.TASKS)):
        z, width = np.arctanh(np.clip(value, -1 + 1e-15, 1 - 1e-15)), 1.959964 / np.sqrt(max(n - 3, 1))
        ends.append((float(np.tanh(z - width)), float(np.tanh(z + width))))
    (low, high), (least, most) = ends
    gap = obtained - printed
    return gap - np.hypot(obtained - low, most - printed), gap + np.hypot(high - obtained, printed - least)


def outcome_of(row: Mapping[str, Any]) -> float:
    """What the table correlates: accuracy, or F1 for imbalanced tasks."""
    return float(row["f1"] if setting_of(row) == "imbalanced" else row["accuracy"])


def used(row: Mapping[str, Any]) -> str:
    """Model and data of a row, for a reader; data that stand in for the paper's are called so.

    Example:
        >>> used({"row": "cifar100/cifar10/small/head", "model": "net", "data": "Grocery Store"})
        'net on Grocery Store (stand-in)'
    """
    real = paper.DATA[str(row["row"]).split("/")[0]]
    return f"{row['model']} on {row['data']}" + ("" if row["data"] == real else " (stand-in)")


def setting_of(row: Mapping[str, Any]) -> str:
    return str(row["row"]).split("/")[2]


def differences(rows: Sequence[Mapping[str, Any]], scale: Scale, setting: str) -> list[str]:
    """In words, where rows of one method, one a task, are less than the paper's or were made otherwise.

    Args:
        setting: Whose settings of the scale they followed: that of their row, or "convergence".
    """
    said = [f"{plural(len(rows), 'task')} for {paper.TASKS}"] if len(rows) < paper.TASKS else []
    said += scale.differences(rows[0]["method"], setting)
    if "meta" in rows[0]:
        data, episodes = rows[0]["meta"]["data"], rows[0]["meta"]["episodes"]
        said.append(f"adaptation networks trained on {plural(episodes, 'episode')} of {', '.join(data)}")
    return said


def _line(rows: Sequence[Mapping[str, Any]], scale: Scale) -> Line:
    first = [row for row in rows if row["outcome_seed"] == 0]
    spec = next(row for row in (*paper.ROWS, *paper.BEYOND) if row.name == rows[0]["row"])
    y = np.array([outcome_of(row) for row in first])
    classes = np.array([row["classes"] for row in first])
    repeated: dict[int, list[float]] = {}
    for row in sorted(rows, key=lambda row: row["outcome_seed"]):
        repeated.setdefault(row["number"], []).append(outcome_of(row))
    columns = {name: _column(first, name) for name in (*PAPER_SCORES, *BEYOND_SCORES)}
    over_chance = relative_to_chance(y, classes)
    return Line(
        row=spec,
        model=rows[0]["model"],
        data=rows[0]["data"],
        used=used(rows[0]),
        tasks=len(first),
        scaled=tuple(differences(first, scale, spec.setting)),
        coefficients={name: pearson(x, y) for name, x in columns.items()},
        partial={name: pearson(x, y, given=np.log(classes)) for name, x in columns.items()},
        chance={name: pearson(x, over_chance) for name, x in columns.items()},
        ceiling=ceiling(repeated),
        outcome=float(y.mean()) if len(y) else math.nan,
        seconds=float(np.mean([row["seconds"] for row in rows])),
    )


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    values = [row["scores"].get(name) for row in rows]
    return [math.nan if value is None else float(value) for value in values]


def _named(row: paper.TableRow) -> tuple[str, str, str, str]:
    star = "" if row.in_paper else " *"
    return paper.SOURCES[row.source], paper.TARGETS[row.target], paper.METHODS[row.method], row.property + star


def _short(line: Line) -> str:
    return f"{line.model}, {line.data}, {line.row.setting}, {line.row.method}"


def _scaled(found: Sequence[Line]) -> list[str]:
    """Rows that differ from the paper in the same way share a note."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for line in found:
        if line.scaled:
            groups.setdefault(line.scaled, []).append(_short(line))
    return [f"not the paper's settings ({'; '.join(how)}): {' | '.join(who)}" for how, who in groups.items()]


def _with_p(found: Coefficient | None) -> str:
    if found is None:
        return MISSING
    return f"{found.value:.3f} ({'<0.001' if found.p < 0.001 else f'{found.p:.3f}'})"


def _interval(found: Coefficient | None) -> str:
    return MISSING if found is None else f"{found.low:.2f} to {found.high:.2f}"


def _plain(found: Coefficient | None) -> str:
    return MISSING if found is None else f"{found.value:.3f}"
