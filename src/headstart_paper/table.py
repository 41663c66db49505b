"""Table 1 from the rows of results files: coefficients beside the printed ones, and the columns beyond the paper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from headstart.records import View, titled
from headstart.wording import MISSING, plural
from headstart_paper import paper
from headstart_paper.correlate import Coefficient, ceiling, difference, pearson, relative_to_chance
from headstart_paper.plan import Scale
from headstart_paper.results import Stored

PAPER_SCORES = {"leep": "LEEP", "nce": "NCE", "h_score": "H"}
NORMALISED = "H / (C - 1)"
CONFOUNDED = PAPER_SCORES | {  # shown with the number of classes held fixed too
    "h_share": NORMALISED,
    "leep_loo": "LOO",
    "leep_calibrated": "cal.",
    "leep_gaussian": "Gauss",
    "leep_pooled": "pooled",
    "knn": "k-NN",
    "ridge_probe": "ridge",
    "minus_log_classes": "-log C",
    "leep_of_noise": "noise",
}
ALL_SCORES = CONFOUNDED | {
    "leep_em": "EM",
    "leep_skill": "skill",
    "nleep": "N-LEEP",
    "logme": "LogME",
    "regularized_h_score": "reg. H",
    "minus_entropy": "-H(Y)",
    "random": "random",
}
NOTE_P = (
    "Pearson over the tasks, p-value in brackets; outcome: test accuracy, for imbalanced tasks F1 of the rare class"
)
NOTE_NORMALISED = f"{NORMALISED}: H-score over the most that it can be; as H where all tasks have as many classes"
NOTE_SATURATED = "n < d: no task has more examples than features, and H-score is C - 1 whatever the source"


@dataclass(frozen=True, eq=False)
class Line:
    """One row of the table as obtained here."""

    row: paper.TableRow
    model: str
    data: str
    tasks: int
    scaled: tuple[str, ...]  # where the settings are not the paper's, in words
    coefficients: dict[str, Coefficient | None]
    partial: dict[str, Coefficient | None]  # given the number of classes; None where that does not vary
    chance: dict[str, Coefficient | None]  # with the accuracy relative to chance
    ceiling: float | None
    seconds: float  # per task, training and test
    saturated: bool = False  # H-score is C - 1 for every task
    otherwise: tuple[str, ...] = ()  # as `scaled` without a smaller number of tasks, which only widens intervals

    @property
    def as_printed(self) -> bool:
        """Whether data and settings are the paper's, whatever the network."""
        return not self.otherwise and self.data == paper.TARGETS[self.row.target].data

    @property
    def used(self) -> str:
        """Model and data in words."""
        return used(self.row, self.model, self.data)

    @property
    def short(self) -> str:
        return f"{self.model}, {self.data}, {self.row.setting}, {self.row.method}"


def lines(stored: Sequence[Stored]) -> list[Line]:
    """A line for each row of the table in each results file, in the table's order; curves are left to the figures."""
    found = []
    for file in stored:
        by_row: dict[str, list[Mapping[str, Any]]] = {}
        for row in file.rows:
            if "curve" not in row and "row" in row:
                by_row.setdefault(row["row"], []).append(row)
        found += [_line(rows, scale_of(file)) for rows in by_row.values()]
    order = list(paper.ROWS)
    return sorted(found, key=lambda line: order.index(line.row.name))


def scale_of(stored: Stored) -> Scale:
    """The scale that a results file was made at.

    Files of format 1 name one number of epochs for all heads, one for fine-tuning large tasks and one for small ones.
    """
    settings = {field.name: stored.settings[field.name] for field in fields(Scale) if field.name in stored.settings}
    if stored.settings.get("format") == 1:
        settings["old"] = tuple(stored.settings[f"{of}_epochs"] for of in ("head", "large", "small"))
    return Scale(**settings)


def main_table(found: Sequence[Line], wanted: Sequence[paper.TableRow]) -> View:
    """The paper's columns: Pearson (p) of LEEP, NCE and H-score, obtained and printed.

    Args:
        wanted: The rows to show, run or not.
    """
    cells = []
    for row in wanted:
        of_row = [line for line in found if line.row == row]
        told = paper.PUBLISHED.get(row.name, (None, None, None))
        printed = tuple(MISSING if value is None else f"{value:.3f}" for value in told)
        star = "" if row.in_paper else " *"
        slots = paper.SOURCES[row.source], paper.TARGETS[row.target].title, paper.METHODS[row.method]
        about = (*slots, paper.SETTINGS[row.setting].title + star)
        if not of_row and row.in_paper:
            cells.append((*about, "not run", *([MISSING] * 6), *printed))
        for line in of_row:
            obtained = [_with_p(line.coefficients[name]) for name in PAPER_SCORES]
            share = line.coefficients.get("h_share")
            obtained += [_plain(share) if line.row.setting == "large" else MISSING]
            obtained[2:3] = ["n < d"] if line.saturated else obtained[2:3]
            leep = line.coefficients["leep"]
            interval = MISSING if leep is None else f"{leep.low:.2f} to {leep.high:.2f}"
            cells.append((*about, line.used, str(line.tasks), *obtained, interval, *printed))
    header = (
        "paper: source",
        "target",
        "transfer",
        "property",
        "used here",
        "tasks",
        *PAPER_SCORES.values(),
        NORMALISED,
    )
    notes = [
        NOTE_P,
        NOTE_NORMALISED,
        *([NOTE_SATURATED] if any(line.saturated for line in found) else []),
        *_scaled(found),
    ]
    if any(not line.row.in_paper for line in found):
        notes.append("rows marked * are not in the paper")
    return titled(
        "Table 1: Pearson correlation of score and outcome",
        (*header, "LEEP 95 %", *(f"{title} printed" for title in PAPER_SCORES.values())),
        cells,
        notes,
        words=5,
    )


def beyond_table(found: Sequence[Line]) -> View:
    """Other scores and baselines on the same tasks, and the reliability ceiling of the outcome."""
    cells = [
        (
            line.short,
            str(line.tasks),
            *(_plain(line.coefficients.get(name)) for name in ALL_SCORES),
            MISSING if line.ceiling is None else f"{line.ceiling:.3f}",
            f"{line.seconds:.2g}" if line.seconds < 10 else f"{line.seconds:.0f}",
        )
        for line in found
    ]
    notes = (
        "H / (C - 1): H-score as a share of the most that it can be",
        "LOO: leave-one-out LEEP; cal.: with a temperature; EM: LEEP-EM; skill: LOO minus its prior; Gauss: LOO with "
        "the source's classes multiplied, not averaged (leep_gaussian); pooled: that and a linear probe (leep_pooled)",
        "noise: LEEP of the source's probabilities shuffled over the examples; -log C and -H(Y) know no model",
        "ceiling: the coefficient a perfect score would reach, from outcomes repeated with other seeds",
        "source accuracy and a static list are the same for every task of one source: they are in the table of figure5",
        "s/task: training and test of one task",
        "a dash: fewer than four tasks, a score that does not vary over them (H-score where n < d), or one that the "
        "rows lack (`--rescore` adds it)",
    )
    header = ("row", "tasks", *ALL_SCORES.values(), "ceiling", "s/task")
    return titled("Beyond the paper: Pearson of other scores and baselines", header, cells, notes, words=1)


def confound_table(found: Sequence[Line]) -> View:
    """Partial coefficients given the number of classes, and coefficients with the accuracy relative to chance."""
    cells = [
        (line.short, how, *(_plain(values.get(name)) for name in CONFOUNDED))
        for line in found
        if any(line.partial.values())
        for how, values in (("given C", line.partial), ("over chance", line.chance))
    ]
    if not cells:
        return []
    notes = (
        "given C: partial Pearson, the logarithm of the number of classes held fixed",
        "over chance: Pearson with (accuracy - 1/C) / (1 - 1/C)",
    )
    header = ("row", "coefficient", *CONFOUNDED.values())
    return titled("The number of classes as a confound", header, cells, notes, words=2)


def published_table(found: Sequence[Line]) -> View:
    """Printed and obtained coefficients side by side, with their difference and a verdict; empty without such rows."""
    cells = []
    for line in found:
        told = dict(zip(PAPER_SCORES, paper.PUBLISHED.get(line.row.name, ()), strict=False))
        if told and line.row.setting == "large":
            told["h_share"] = told["h_score"]
        cells += [_comparison(line, name, printed) for name, printed in told.items()]
    if not cells:
        return []
    header = ("row", "used here", "score", "verdict", "printed", "obtained", "difference", "95 %")
    notes = (
        "difference: obtained minus printed, with a 95 % interval by Fisher's z for the tasks here and the paper's 200",
        "agrees: the interval contains 0; the print with its sign turned: it would if the obtained coefficient had the "
        "other sign; not comparable: other data or settings than the paper's, or a score that does not vary. Whether "
        "the network is the paper's is for the reader to judge",
    )
    return titled("Printed and obtained", header, cells, notes, words=4)


def _comparison(line: Line, name: str, printed: float) -> tuple[str, ...]:
    obtained = line.coefficients.get(name)
    about = (line.row.name, line.used, CONFOUNDED[name])
    saturated = line.saturated and name == "h_score"
    if obtained is None or saturated:
        why = "n < d" if saturated else "the score does not vary"
        return (*about, f"not comparable: {why}", f"{printed:.3f}", *[MISSING] * 3)
    gap, low, high = difference((obtained.value, line.tasks), (printed, paper.TASKS))
    verdict = "agrees" if low <= 0 <= high else "differs"
    if verdict == "differs":
        _, least, most = difference((-obtained.value, line.tasks), (printed, paper.TASKS))
        verdict = "differs: the print with its sign turned" if least <= 0 <= most else verdict
    if line.data != paper.TARGETS[line.row.target].data:
        verdict = "not comparable: stand-in data"
    elif line.otherwise:
        verdict = "not comparable: other settings"
    return (*about, verdict, f"{printed:.3f}", f"{obtained.value:.3f}", f"{gap:+.3f}", f"{low:.2f} to {high:.2f}")


def outcome_of(row: Mapping[str, Any]) -> float:
    """What the table correlates: accuracy, or F1 for imbalanced tasks."""
    return float(row["f1"] if paper.ROWS[row["row"]].setting == "imbalanced" else row["accuracy"])


def used(row: paper.TableRow, model: str, data: str) -> str:
    """Model and data for a reader; data that stand in for the paper's are called so.

    Example:
        >>> used(paper.ROWS["cifar100/cifar10/small/head"], "net", "Grocery Store")
        'net on Grocery Store (stand-in)'
    """
    return f"{model} on {data}" + ("" if data == paper.TARGETS[row.target].data else " (stand-in)")


def differences(rows: Sequence[Mapping[str, Any]], scale: Scale) -> list[str]:
    """In words, where rows of one method, one per task, are fewer than the paper's or were made otherwise.

    The paper does not name its precision, so that one is said and makes no row another's.
    """
    fewer = [f"{plural(len(rows), 'task')} instead of {paper.TASKS}"] if len(rows) < paper.TASKS else []
    trained = scale.precision != "fp32" and rows[0]["method"] in ("fine-tune", "scratch")
    return fewer + other_settings(rows, scale) + ([f"trained in {scale.precision}"] if trained else [])


def other_settings(rows: Sequence[Mapping[str, Any]], scale: Scale) -> list[str]:
    """In words, where rows of one method were made otherwise than the paper's; fewer tasks only widen the interval."""
    said = scale.differences(paper.ROWS[rows[0]["row"]], rows[0]["method"])
    if "meta" in rows[0]:
        data, episodes = rows[0]["meta"]["data"], rows[0]["meta"]["episodes"]
        said.append(f"adaptation networks trained on {plural(episodes, 'episode')} of {', '.join(data)}")
    return said


def _line(rows: Sequence[Mapping[str, Any]], scale: Scale) -> Line:
    first = [row for row in rows if row["outcome_seed"] == 0]
    y = np.array([outcome_of(row) for row in first])
    classes = np.array([row["classes"] for row in first])
    repeated: dict[int, list[float]] = {}
    for row in sorted(rows, key=lambda row: int(row["outcome_seed"])):
        repeated.setdefault(row["number"], []).append(outcome_of(row))
    scores = {name: np.array([row["scores"].get(name) for row in first], dtype=float) for name in ALL_SCORES}
    scores["h_share"] = scores["h_score"] / (classes - 1)

    def each(coefficient: Callable[[np.ndarray], Coefficient | None]) -> dict[str, Coefficient | None]:
        return {name: coefficient(x) for name, x in scores.items()}

    over_chance = relative_to_chance(y, classes)
    return Line(
        row=paper.ROWS[rows[0]["row"]],
        model=rows[0]["model"],
        data=rows[0]["data"],
        tasks=len(first),
        scaled=tuple(differences(first, scale)),
        otherwise=tuple(other_settings(first, scale)),
        coefficients=each(lambda x: pearson(x, y)),
        partial=each(lambda x: pearson(x, y, given=np.log(classes))),
        chance=each(lambda x: pearson(x, over_chance)),
        ceiling=ceiling(repeated),
        seconds=float(np.mean([row["seconds"] for row in rows])),
        saturated=bool(np.allclose(scores["h_share"], 1, rtol=0, atol=1e-4)),
    )


def _scaled(found: Sequence[Line]) -> list[str]:
    """Rows that differ from the paper in the same way share a note."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for line in found:
        if line.scaled:
            groups.setdefault(line.scaled, []).append(line.short)
    return [f"not the paper's settings ({'; '.join(how)}): {' | '.join(who)}" for how, who in groups.items()]


def _with_p(found: Coefficient | None) -> str:
    if found is None:
        return MISSING
    return f"{found.value:.3f} ({'<0.001' if found.p < 0.001 else f'{found.p:.3f}'})"


def _plain(found: Coefficient | None) -> str:
    return MISSING if found is None else f"{found.value:.3f}"
