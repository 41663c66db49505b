"""The paper's figures from the rows of results files: which rows, binned and averaged how."""

import re
from collections.abc import Iterable, Mapping, Sequence
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
    draw_convergence,
    draw_levels,
    draw_scatter,
    draw_selection,
)
from headstart_paper.plan import Scale
from headstart_paper.results import Stored, check_unmixed
from headstart_paper.selection import Choice, choices
from headstart_paper.table import differences, outcome_of, scale_of, used

NUMBERED = paper.NUMBERING
Groups = dict[tuple[str, str], tuple[list[Mapping[str, Any]], Scale]]  # (panel, method) -> rows, and their scale


def find_figure(name: str) -> paper.Figure:
    """A figure by its name, "figure4"."""
    found = [figure for figure in paper.FIGURES if figure.name == name]
    if not found:
        raise InputError(f"there is no `{name}`; `headstart reproduce list` names the table and the figures.")
    return found[0]


def draw(figure: paper.Figure, stored: Sequence[Stored], folder: Path) -> tuple[list[Path], list[str]]:
    """Draw a figure into `folder`; returns the files written and what the drawing shows, in words.

    Raises:
        InputError: The results files hold no rows for it, or one holds rows of one name that were made with two models
            or with two states of the data.
        MissingExtra: matplotlib is not installed.
    """
    stem = folder / figure.name
    for file in stored:
        check_unmixed(file)
    if figure.kind == "selection":
        return _selection(figure, stored, stem)
    if figure.kind == "convergence":
        return _convergence(figure, stored, stem)
    groups = _groups(figure, stored, curves=False)
    clouds, words = _clouds(figure, groups)
    title = _title(figure, _data_of(groups))
    if figure.kind == "scatter":
        return draw_scatter(clouds, stem, title=title), words
    binned = {panel: bins_of(members) for panel, members in clouds.items()}
    label = "F1 of the rare class" if figure.setting == "imbalanced" else "test accuracy"
    return draw_levels(clouds, binned, stem, title=title, y_label=label), words


def _title(figure: paper.Figure, data: Iterable[str]) -> str:
    """The figure's title; a stand-in for its target is called one."""
    there = sorted(set(data))
    if figure.target is None or there == [paper.DATA[figure.target]]:  # None: the panels say it
        return figure.title
    return f"{figure.title}; here {', '.join(there)} in its place"


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
        place = _level(cloud.scores, float(together.min()), float(together.max()))
        inside = [cloud.outcomes[place == level] for level in range(LEVELS)]
        found.append(
            [
                (
                    float(values.mean()) if len(values) else None,
                    float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None,
                    len(values),
                )
                for values in inside
            ]
        )
    return found


def _level(scores: np.ndarray, low: float, high: float) -> np.ndarray:
    """The bin 0..4 of each score."""
    edges = np.linspace(low, high, LEVELS + 1)
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, LEVELS - 1)


def _clouds(figure: paper.Figure, groups: Groups) -> tuple[dict[str, list[Cloud]], list[str]]:
    """Panel by panel (a source on a data set), the points of each way to transfer."""
    panels: dict[str, list[Cloud]] = {}
    words = []
    for (panel, method), (rows, scale) in groups.items():
        scores = np.array([row["scores"]["leep"] for row in rows])
        outcomes = np.array([outcome_of(row) for row in rows])
        panels.setdefault(panel, []).append(Cloud(f"{paper.METHODS[method]} ({len(rows)})", scores, outcomes))
        words.append(_said(panel, method, rows, scale, figure.setting))
    return panels, words


def _groups(figure: paper.Figure, stored: Sequence[Stored], *, curves: bool) -> Groups:
    """Rows of the first outcome seed, by task; those of another file are other panels, for it has other settings."""
    found: Groups = {}
    first: dict[str, int] = {}  # panel -> the file that it came from
    for number, file in enumerate(stored, start=1):
        scale = scale_of(file)
        for row in file.rows:
            target, _, setting, _ = str(row.get("row", "///")).split("/")
            wanted = setting == figure.setting and figure.target in (None, target) and ("curve" in row) == curves
            if wanted and row["outcome_seed"] == 0:
                panel = used(row)
                if first.setdefault(panel, number) != number:
                    panel = f"{panel}, file {number}"
                found.setdefault((panel, row["method"]), ([], scale))[0].append(row)
    if not found:
        raise InputError(
            f"the results hold no rows for {figure.name} ({figure.title}); run it without `--show`, or name "
            "another file with `--out`."
        )
    return found


def _data_of(groups: Groups) -> set[str]:
    return {row["data"] for rows, _ in groups.values() for row in rows}


def _convergence(figure: paper.Figure, stored: Sequence[Stored], stem: Path) -> tuple[list[Path], list[str]]:
    groups = _groups(figure, stored, curves=True)
    panels: dict[str, list[LevelCurve]] = {}
    words = []
    for (panel, method), (rows, scale) in groups.items():
        reference = {row["number"]: row["curve"][-1] for row in groups.get((panel, "scratch"), ([], scale))[0]}
        paired = [row for row in rows if row["number"] in reference]
        if method == "scratch" or not paired:
            continue
        panels[panel] = level_curves(
            np.array([row["scores"]["leep"] for row in paired]),
            np.array([row["curve"] for row in paired]),
            np.array([reference[row["number"]] for row in paired]),
        )
        words.append(_said(panel, method, paired, scale, "convergence"))
    if not panels:
        raise InputError(f"{figure.name} needs the training from scratch of the same tasks, and the results hold none.")
    return draw_convergence(panels, stem, title=_title(figure, _data_of(groups))), words


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
    place = _level(scores, float(scores.min()), float(scores.max()))
    found = []
    for level in range(LEVELS):
        ahead = (curves - reference[:, None])[place == level]
        if len(ahead):
            error = ahead.std(axis=0, ddof=1) / np.sqrt(len(ahead)) if len(ahead) > 1 else None
            found.append(LevelCurve(level + 1, len(ahead), ahead.mean(axis=0), error))
    return found


def _selection(figure: paper.Figure, stored: Sequence[Stored], stem: Path) -> tuple[list[Path], list[str]]:
    found = [choice for file in stored for choice in choices(file)]
    if not found:
        raise InputError(
            f"the results hold no rows for {figure.name}; run it without `--show`, or name another file with `--out`."
        )
    written: list[Path] = []
    words = []
    for choice in found:
        place = stem if len(found) == 1 else _free(stem.with_name(f"{stem.name}_{_in_a_name(choice.data)}"), written)
        written += draw_selection(_panels(choice), place, title=_title(figure, [choice.data]))
        candidates, images = plural(len(choice.names), "candidate"), plural(choice.n, "training image")
        words.append(f"{choice.data}: {candidates}, {images}")
    return written, words


def _in_a_name(data: str) -> str:
    return re.sub(r"[^\w.-]+", "-", data.lower()).strip("-")


def _free(place: Path, taken: Sequence[Path]) -> Path:
    """The place, numbered where a drawing of the same data, from another file, has it."""
    number, free = 1, place
    while any(path.with_suffix("") == free for path in taken):
        number += 1
        free = place.with_name(f"{place.name}_{number}")
    return free


def _panels(choice: Choice) -> dict[str, Candidates]:
    """Those scores that every candidate has; ImageNet accuracy for the candidates that have one."""
    labels = {"leep": "LEEP", "nce": "NCE", "h_score": "H-score", "source_accuracy": "ImageNet top-1"}
    panels = {}
    for name, label in labels.items():
        values = choice.scores.get(name, np.full(len(choice.names), np.nan))
        there = np.flatnonzero(np.isfinite(values))
        if len(there) > 1:
            names = [choice.names[place] for place in there]
            panels[label] = Candidates(names, values[there], choice.outcomes[there])
    return panels


def _said(panel: str, method: str, rows: Sequence[Mapping[str, Any]], scale: Scale, setting: str) -> str:
    less = differences(rows, scale, setting)
    return f"{panel}, {paper.METHODS[method]}: " + ("; ".join(less) or f"{len(rows)} tasks, in full")
