"""Source selection (5.7): every candidate scored on a target, against what a head on its features then reaches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np

from headstart.evaluation import regret, weighted_kendall
from headstart.records import View, titled
from headstart.wording import MISSING
from headstart_paper.correlate import pearson
from headstart_paper.paper import SELECTION
from headstart_paper.results import Stored, asked_of

PUBLISHED = "source_accuracy"  # on ImageNet: a score that reads no target
NOTES = (
    "candidates: how many have the score, over the targets; what follows is among them",
    "tau: weighted Kendall, weights from both orders; regret: accuracy of the best minus the chosen one's",
    "static list: mean outcome on the other targets; source_accuracy: published ImageNet top-1, where there is one",
)


@dataclass(frozen=True, eq=False)
class Choice:
    """All candidates on one target."""

    data: str  # for a reader
    title: str  # of the data set alone: two that were asked for by different names may have one
    n: int
    names: tuple[str, ...]
    outcomes: np.ndarray  # (m,) test accuracy
    scores: dict[str, np.ndarray]  # name -> (m,); nan where a candidate has none
    method: str = "head"

    def only(self, kept: np.ndarray) -> "Choice":
        """The choice among fewer candidates (m,)."""
        names = tuple(name for name, there in zip(self.names, kept, strict=True) if there)
        scores = {name: values[kept] for name, values in self.scores.items()}
        return replace(self, names=names, outcomes=self.outcomes[kept], scores=scores)

    def published(self) -> np.ndarray:
        """(m,) whether a candidate has a published accuracy."""
        return np.asarray(np.isfinite(self.scores.get(PUBLISHED, np.full(len(self.names), np.nan))))


def choices(stored: Stored, method: str = "head") -> list[Choice]:
    """The candidates of each target that a results file holds for a method, in the file's order.

    Two targets of one title are told apart by the names that they were asked for by.
    """
    by_asked: dict[str, list[Mapping[str, Any]]] = {}
    for row in stored.rows:
        if row.get("kind") == SELECTION and row.get("method", "head") == method:
            by_asked.setdefault(asked_of(row), []).append(row)
    titles = [rows[0]["data"] for rows in by_asked.values()]
    found = []
    for asked, rows in by_asked.items():
        title = rows[0]["data"]
        data = title if titles.count(title) == 1 else f"{title} ({asked})"
        names = list(dict.fromkeys(name for row in rows for name in row["scores"]))
        scores = {name: np.array([row["scores"].get(name) for row in rows], dtype=float) for name in names}
        scores["random"] = np.array([_drawn(data, row["model"]) for row in rows])
        outcomes = np.array([row["accuracy"] for row in rows])
        found.append(Choice(data, title, rows[0]["n"], tuple(row["model"] for row in rows), outcomes, scores, method))
    return found


def static(found: Sequence[Choice]) -> list[np.ndarray]:
    """For each target and candidate the mean outcome on the OTHER targets: a list that never sees the target.

    Only targets that hold all of the choice's candidates count: in an unfinished file the mean of one would otherwise
    be over easier targets than that of another. A target of the same title is the same, also in another file.
    """
    lists = []
    for choice in found:
        others = [other for other in found if other.title != choice.title and set(choice.names) <= set(other.names)]
        elsewhere = [[other.outcomes[other.names.index(name)] for name in choice.names] for other in others]
        lists.append(np.mean(elsewhere, axis=0) if elsewhere else np.full(len(choice.names), np.nan))
    return lists


def selection_tables(found: Sequence[Choice]) -> View:
    """The scores on all candidates, and where only some have a published accuracy, all scores on just those too."""
    view = list(selection_table(found))
    known = [choice.published() for choice in found]
    if any(there.any() and not there.all() for there in known):
        some = [choice.only(there) for choice, there in zip(found, known, strict=True) if there.any()]
        view += selection_table(some, ", candidates with a published ImageNet accuracy")
    return view


def selection_table(found: Sequence[Choice], among: str = "") -> View:
    """Weighted tau, Pearson and regret of each score, averaged over the targets.

    Args:
        among: Which candidates, for the title.
    """
    merits: dict[str, list[tuple[float, ...]]] = {}
    for choice, elsewhere in zip(found, static(found), strict=True):
        for name, values in {**choice.scores, "static list": elsewhere}.items():
            there = np.isfinite(values)
            if there.sum() >= 3 and np.ptp(values[there]) > 0:  # a score that is the same for all cannot choose
                merits.setdefault(name, []).append(_merit(values[there], choice.outcomes[there]))
    cells = []
    for name, each in sorted(merits.items(), key=lambda item: -np.mean([merit[1] for merit in item[1]])):
        counts, taus, pearsons, regrets = np.array(each).T
        low, high = int(counts.min()), int(counts.max())
        pearsons = pearsons[np.isfinite(pearsons)]
        cells.append(
            (
                name,
                str(len(each)),
                str(low) if low == high else f"{low} to {high}",
                f"{taus.mean():.3f}",
                f"{pearsons.mean():.3f}" if len(pearsons) else MISSING,
                f"{regrets.mean():.4f}",
            )
        )
    notes = (*NOTES, *(f"{one.data}: {len(one.names)} candidates, {one.n} training images" for one in found))
    title = f"Choice among sources (5.7), mean over the targets{among}"
    return titled(title, ("score", "targets", "candidates", "tau", "Pearson", "regret"), cells, notes, words=1)


def _merit(score: np.ndarray, outcome: np.ndarray) -> tuple[float, float, float, float]:
    """How well a score ordered the candidates of one target: their number, weighted tau, Pearson (or nan), regret."""
    found = pearson(score, outcome)
    return len(score), weighted_kendall(score, outcome), found.value if found else np.nan, regret(score, outcome)


def _drawn(data: str, model: str) -> float:
    """The random baseline: a number that follows from the names alone."""
    digest = blake2b(f"{data}/{model}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
