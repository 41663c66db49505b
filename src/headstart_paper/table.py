"""Table 1 from the rows of results files: coefficients beside the published ones, and the columns beyond the paper."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import InputError, did_you_mean
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
PUBLISHED_COLUMNS = ("row", "leep", "nce", "h")
ROW_NAMES = tuple(row.name for row in paper.ROWS)
Published = Mapping[str, tuple[float | None, float | None, float | None]]


@dataclass(frozen=True, eq=False)
class Line:
    """One row of the table as obtained here."""

    row: paper.TableRow
    model: str
    data: str
    used: str  # model and data in words
    tasks: int
    scaled: tuple[str, ...]  # where less was done than in the paper, in words
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
    """The scale that a results file was made at."""
    names = {field.name for field in fields(Scale)}
    return Scale(**{name: value for name, value in stored.settings.items() if name in names})


def main_table(
    found: Sequence[Line], published: Published = paper.PUBLISHED, wanted: Sequence[paper.TableRow] | None = None
) -> View:
    """The paper's columns: Pearson (p) of LEEP, NCE and H-score, obtained and published.

    Args:
        wanted: The rows to show, run or not; None: all.
    """
    cells = []
    for row in (*paper.ROWS, *paper.BEYOND) if wanted is None else wanted:
        of_row = [line for line in found if line.row == row]
        told = published.get(row.name, (None, None, None))
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
    if not published:
        notes.append(paper.NOT_AT_HAND)
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


def read_published(path: Path) -> Published:
    """Published coefficients from a CSV with the columns row, leep, nce, h; an empty cell is a number not at hand.

    Raises:
        InputError: The file has other columns, a row that is unknown or there twice, or a cell that is no coefficient.
    """
    found: dict[str, tuple[float | None, float | None, float | None]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a mark before the first column
            reader = csv.DictReader(file, skipinitialspace=True)
            absent = [name for name in PUBLISHED_COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise InputError(
                    f"{path} has no column {', '.join(f'`{name}`' for name in absent)}. Its first line is to be "
                    f"`{','.join(PUBLISHED_COLUMNS)}`, every other one a row as `headstart reproduce list` names it."
                )
            for entry in reader:
                name = (entry["row"] or "").strip()
                where = f"{path}, line {reader.line_num}"
                if name not in ROW_NAMES:
                    raise InputError(
                        f"{where}: `{name}` is no row of Table 1.{did_you_mean(name, ROW_NAMES)} `headstart reproduce "
                        "list` names the rows."
                    )
                if name in found:
                    raise InputError(f"{where}: `{name}` is there twice. Remove one.")
                leep, nce, h = (_cell(where, entry[column]) for column in PUBLISHED_COLUMNS[1:])
                found[name] = (leep, nce, h)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read: {reason}. Name a CSV with the columns row, leep, nce, h.") from error
    return found


def _cell(where: str, text: str | None) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -1 <= value <= 1:
        raise InputError(f"{where}: `{text}` is no correlation coefficient. Write -1 to 1, or nothing.")
    return value


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
    """Rows that were scaled down alike share a note."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for line in found:
        if line.scaled:
            groups.setdefault(line.scaled, []).append(_short(line))
    return [f"scaled down ({'; '.join(how)}): {' | '.join(who)}" for how, who in groups.items()]


def _with_p(found: Coefficient | None) -> str:
    if found is None:
        return MISSING
    return f"{found.value:.3f} ({'<0.001' if found.p < 0.001 else f'{found.p:.3f}'})"


def _interval(found: Coefficient | None) -> str:
    return MISSING if found is None else f"{found.low:.2f} to {found.high:.2f}"


def _plain(found: Coefficient | None) -> str:
    return MISSING if found is None else f"{found.value:.3f}"
