"""The paper's figures from the rows of results files: which rows, binned and averaged how."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import InputError
from headstart.wording import plural
from headstart_paper import paper
from headstart_paper.drawings import (
    LEVELS,
    Candidates,
    Cloud,
    LevelCurve,
    Strand,
    draw_convergence,
    draw_levels,
    draw_scatter,
    draw_selection,
    draw_strands,
)
from headstart_paper.epochs import courses
from headstart_paper.plan import Scale
from headstart_paper.results import Stored
from headstart_paper.selection import Choice, choices
from headstart_paper.table import differences, outcome_of, scale_of, used

PANELS = {"leep": "LEEP", "nce": "NCE", "h_score": "H-score", "source_accuracy": "ImageNet top-1"}
Rows = list[Mapping[str, Any]]
Groups = dict[tuple[str, str], tuple[Rows, Scale]]  # (panel, method) -> rows, and their scale
Drawn = tuple[list[Path], list[str]]


def draw(figure: paper.Figure, stored: Sequence[Stored], folder: Path) -> Drawn:
    """Draw a figure into `folder`; returns the files written and what the drawing shows, in words.

    Raises:
        InputError: The results files hold no rows for it.
        MissingExtra: matplotlib is not installed.
    """
    if figure.kind == "selection":
        return _selection(figure, stored, folder)
    if figure.kind == "epochs":
        return _epochs(figure, stored, folder)
    groups = _groups(figure, stored)
    title = figure.title
    rows = [row for members, _ in groups.values() for row in members]
    targets = {paper.ROWS[row["row"]].target for row in rows}
    data = sorted({row["data"] for row in rows})
    if len(targets) == 1 and data != [paper.TARGETS[targets.pop()].data]:  # else the panels say it
        title += f"; here {', '.join(data)} in its place"
    if figure.kind == "convergence":
        return _convergence(figure, groups, folder / figure.name, title)
    clouds: dict[str, list[Cloud]] = {}
    for (panel, method), (members, _) in groups.items():
        scores, outcomes = _leep(members), np.array([outcome_of(row) for row in members])
        clouds.setdefault(panel, []).append(Cloud(f"{paper.METHODS[method]} ({len(members)})", scores, outcomes))
    words = [_said(panel, method, *group) for (panel, method), group in groups.items()]
    if figure.kind == "scatter":
        return draw_scatter(clouds, folder / figure.name, title=title), words
    binned = {panel: bins_of(members) for panel, members in clouds.items()}
    settings = {paper.ROWS[row["row"]].setting for row in rows}
    label = "test accuracy" if "imbalanced" not in settings else "F1 of the rare class"
    label = "test accuracy, or F1 of the rare class" if len(settings) > 1 and "imbalanced" in settings else label
    return draw_levels(clouds, binned, folder / figure.name, title=title, y_label=label), words


def _leep(rows: Rows) -> np.ndarray:
    return np.array([row["scores"]["leep"] for row in rows])


def bins_of(members: Sequence[Cloud]) -> list[list[tuple[float | None, float | None, int]]]:
    """Mean, standard error and count in five equal bins of the range of all the scores together, for each cloud.

    Example:
        >>> cloud = Cloud("", np.array([0.0, 0.1, 1.0]), np.array([0.2, 0.4, 0.9]))
        >>> [(mean and round(mean, 6), count) for mean, _, count in bins_of([cloud])[0]]
        [(0.3, 2), (None, 0), (None, 0), (None, 0), (0.9, 1)]
    """
    together = np.concatenate([cloud.scores for cloud in members])
    found = []
    for cloud in members:
        place = _level(cloud.scores, together)
        inside = [cloud.outcomes[place == level] for level in range(LEVELS)]
        errors = [float(v.std(ddof=1) / np.sqrt(len(v))) if len(v) > 1 else None for v in inside]
        means = [float(v.mean()) if len(v) else None for v in inside]
        found.append(list(zip(means, errors, map(len, inside), strict=True)))
    return found


def _level(scores: np.ndarray, all_scores: np.ndarray) -> np.ndarray:
    """The bin 0..4 of each score, in five equal bins of the range of all scores."""
    edges = np.linspace(all_scores.min(), all_scores.max(), LEVELS + 1)
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, LEVELS - 1)


def _groups(figure: paper.Figure, stored: Sequence[Stored]) -> Groups:
    """Rows of the first outcome seed, by task; those of another file are other panels, for it has other settings."""
    found: Groups = {}
    first: dict[str, int] = {}  # panel -> the file that its rows are from
    mixed = len({paper.ROWS[name].setting for name in paper.ROWS if figure.has(paper.ROWS[name])}) > 1
    for number, file in enumerate(stored, start=1):
        scale = scale_of(file)
        for row in file.rows:
            about = paper.ROWS.get(row.get("row", ""))
            if about is None or not figure.has(about) or row["outcome_seed"] != 0:
                continue
            if ("curve" in row) == (figure.kind == "convergence"):
                panel = used(about, row["model"], row["data"]) + (f", {about.setting}" if mixed else "")
                if first.setdefault(panel, number) != number:
                    panel += f", file {number}"
                found.setdefault((panel, row["method"]), ([], scale))[0].append(row)
    if not found:
        raise _empty(figure)
    return found


def _empty(figure: paper.Figure) -> InputError:
    return InputError(
        f"the results hold no rows for {figure.name} ({figure.title}). Run it without `--show`, or name another file "
        "with `--out`."
    )


def _epochs(figure: paper.Figure, stored: Sequence[Stored], folder: Path) -> Drawn:
    found = courses(figure, stored)
    if not found:
        raise _empty(figure)
    drawn: dict[str, list[Strand]] = {}
    for course in found:
        for name, each in course.coefficients.items():
            values, low, high = zip(*((one.value, one.low, one.high) for one in each), strict=True)
            drawn.setdefault(course.title, []).append(Strand(name, course.epochs, values, low, high))
    return draw_strands(drawn, folder / figure.name, title=figure.title), []


def _convergence(figure: paper.Figure, groups: Groups, stem: Path, title: str) -> Drawn:
    panels: dict[str, list[LevelCurve]] = {}
    words = []
    for (panel, method), (rows, scale) in groups.items():
        reference = {row["number"]: row["curve"][-1] for row in groups.get((panel, "scratch"), ([], scale))[0]}
        paired = [row for row in rows if row["number"] in reference]
        if method == "scratch" or not paired:
            continue
        ends = np.array([reference[row["number"]] for row in paired])
        panels[panel] = level_curves(_leep(paired), np.array([row["curve"] for row in paired]), ends)
        words.append(_said(panel, method, paired, scale))
    if not panels:
        raise InputError(f"{figure.name} needs the training from scratch of the same tasks, and the results hold none.")
    return draw_convergence(panels, stem, title=title), words


def level_curves(scores: np.ndarray, curves: np.ndarray, reference: np.ndarray) -> list[LevelCurve]:
    """The mean of curve minus reference in each of five equal bins of the score; empty bins have none.

    Args:
        scores: (n,).
        curves: (n, epochs) test accuracies of the transfer.
        reference: (n,) test accuracy that training from scratch ended with.

    Example:
        >>> found = level_curves(np.array([0.0, 1.0]), np.array([[0.5, 0.6], [0.7, 0.9]]), np.array([0.5, 0.5]))
        >>> [(curve.level, curve.difference.round(6).tolist()) for curve in found]
        [(1, [0.0, 0.1]), (5, [0.2, 0.4])]
    """
    place = _level(scores, scores)
    found = []
    for level in range(LEVELS):
        ahead = (curves - reference[:, None])[place == level]
        if len(ahead):
            error = ahead.std(axis=0, ddof=1) / np.sqrt(len(ahead)) if len(ahead) > 1 else None
            found.append(LevelCurve(level + 1, len(ahead), ahead.mean(axis=0), error))
    return found


def _selection(figure: paper.Figure, stored: Sequence[Stored], folder: Path) -> Drawn:
    found = [choice for file in stored for choice in choices(file, figure.method)]
    if not found:
        raise _empty(figure)
    written: list[Path] = []
    words = []
    same: Counter[str] = Counter()
    for choice in found:
        name = figure.name
        if len(found) > 1:
            name += "_" + re.sub(r"[^\w.-]+", "-", choice.data.lower()).strip("-")
            same[name] += 1
            name += f"_{same[name]}" if same[name] > 1 else ""
        there = choice.data == paper.TARGETS["cifar100"].data
        title = figure.title if there else f"{figure.title}; here {choice.data} in place of CIFAR-100"
        written += draw_selection(_panels(choice), folder / name, title=title)
        words.append(f"{choice.data}: {plural(len(choice.names), 'candidate')}, {plural(choice.n, 'training image')}")
    return written, words


def _panels(choice: Choice) -> dict[str, Candidates]:
    """Those scores that every candidate has; ImageNet accuracy for the candidates that have one."""
    panels = {}
    for name, label in PANELS.items():
        values = choice.scores.get(name, np.full(len(choice.names), np.nan))
        there = np.isfinite(values)
        if there.sum() > 1:
            names = [one for one, known in zip(choice.names, there, strict=True) if known]
            panels[label] = Candidates(names, values[there], choice.outcomes[there])
    return panels


def _said(panel: str, method: str, rows: Rows, scale: Scale) -> str:
    less = differences(rows, scale)
    return f"{panel}, {paper.METHODS[method]}: " + ("; ".join(less) or f"{len(rows)} tasks, in full")
