"""Source selection (5.7): every candidate scored on a target, against what a head on its features then reaches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from headstart.evaluation import regret, weighted_kendall
from headstart.records import View, titled
from headstart.wording import MISSING
from headstart_paper.bench import Bench, data_hash, loaded, opened, outputs_of_source
from headstart_paper.correlate import pearson
from headstart_paper.measures import SCORES, as_stored, measure
from headstart_paper.networks import candidate, candidates
from headstart_paper.outcomes import head_outcomes
from headstart_paper.plan import Scale
from headstart_paper.results import KEY, SELECTION, Results, Stored, asked_of, refuse_other
from headstart_paper.run import forget
from headstart_paper.tasks import ClassTask

PUBLISHED = "source_accuracy"  # on ImageNet: a score that reads no target


@dataclass(frozen=True, eq=False)
class Choice:
    """All candidates on one target."""

    data: str  # for a reader
    title: str  # of the data set alone: two that were asked for by different names may have one
    n: int
    names: tuple[str, ...]
    outcomes: np.ndarray  # (m,) test accuracy of the re-trained head
    scores: dict[str, np.ndarray]  # name -> (m,); nan where a candidate has none


def choose(
    data: Sequence[str],
    models: Sequence[str],
    bench: Bench,
    results: Results,
    announce: Callable[[str], None] | None = None,
) -> int:
    """Score every model on every data set and re-train its head there; returns how many pairs were done now.

    All classes and all examples of the pool take part; the head is trained by SGD as everywhere in the paper.

    Raises:
        InputError: The results file holds rows of another model or of other data under the same names.
        ModelError: A model is not there, or two have one name.
    """
    forget()
    candidates(models)
    results.refresh()
    _check_same(results, data, models, bench)
    count = 0
    for name in data:
        for model in models:
            key = key_of(name, model)
            if key in results.refresh():
                continue
            row = _row(name, model, bench)
            now = {KEY: key, **row}
            count += results.append(key, row, check=partial(refuse_other, now=now, path=results.path))
            if announce:
                announce(f"{key}: accuracy {row['accuracy']:.3f}")
    return count


def key_of(data: str, model: str) -> str:
    """The name of a pair's row in the results file."""
    return f"{SELECTION}/{data}/{candidate(model).name}"


def _check_same(results: Results, data: Sequence[str], models: Sequence[str], bench: Bench) -> None:
    """Rows that are done, or that others stand beside, would pass for those of another model or of other data."""
    rows = [row for row in results.rows if row.get("kind") == SELECTION]
    if not rows:
        return
    hashes = {name: data_hash(name, bench) for name in data}
    for model in models:
        about = {"kind": SELECTION, "model": candidate(model).name, "fingerprint": loaded(model).fingerprint[:16]}
        for name, found in hashes.items():
            refuse_other(rows, about | {KEY: key_of(name, model), "data_hash": found}, results.path)


def choices(stored: Stored) -> list[Choice]:
    """The candidates of each target that a results file holds, in the file's order.

    Two targets of one title are told apart by the names that they were asked for by.
    """
    by_asked: dict[str, list[Mapping[str, Any]]] = {}
    for row in stored.rows:
        if row.get("kind") == SELECTION:
            by_asked.setdefault(asked_of(row), []).append(row)
    titles = [rows[0]["data"] for rows in by_asked.values()]
    found = []
    for asked, rows in by_asked.items():
        title = rows[0]["data"]
        data = title if titles.count(title) == 1 else f"{title} ({asked})"
        names = list(dict.fromkeys(name for row in rows for name in row["scores"]))
        scores = {name: np.array([_number(row["scores"].get(name)) for row in rows]) for name in names}
        scores["random"] = np.array([_drawn(data, row["model"]) for row in rows])
        outcomes = np.array([row["accuracy"] for row in rows])
        found.append(Choice(data, title, rows[0]["n"], tuple(row["model"] for row in rows), outcomes, scores))
    return found


def static(found: Sequence[Choice]) -> list[np.ndarray]:
    """For each target and candidate the mean outcome on the OTHER targets: a list that never sees the target.

    Only targets that hold all of the choice's candidates count: else, in a file that is not finished, the mean of one
    would be over easier targets than that of another. A target of the same title is the same, also in another file.
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
    known = [np.isfinite(choice.scores.get(PUBLISHED, np.full(len(choice.names), np.nan))) for choice in found]
    if any(there.any() and not there.all() for there in known):
        some = [_only(choice, there) for choice, there in zip(found, known, strict=True) if there.any()]
        view += selection_table(some, ", candidates with a published ImageNet accuracy")
    return view


def selection_table(found: Sequence[Choice], among: str = "") -> View:
    """Weighted tau, Pearson and regret of each score, averaged over the targets.

    Args:
        among: Of which candidates, for the title.
    """
    columns: dict[str, list[_Merit]] = {}
    for choice, never_saw in zip(found, static(found), strict=True):
        for name, values in {**choice.scores, "static list": never_saw}.items():
            there = np.isfinite(values)
            if there.sum() < 3 or np.ptp(values[there]) == 0:  # what no candidate changes cannot choose
                continue
            columns.setdefault(name, []).append(_merit(values[there], choice.outcomes[there]))
    by_tau = sorted(columns.items(), key=lambda item: -np.mean([merit.tau for merit in item[1]]))
    notes = (
        "candidates: how many have the score, over the targets; what follows is among them",
        "tau: weighted Kendall, weights from both orders; regret: accuracy of the best minus the chosen one's",
        "static list: mean outcome on the other targets; source_accuracy: published ImageNet top-1, where there is one",
        *(f"{choice.data}: {len(choice.names)} candidates, {choice.n} training images" for choice in found),
    )
    title = f"Choice among sources (5.7), mean over the targets{among}"
    header = ("score", "targets", "candidates", "tau", "Pearson", "regret")
    return titled(title, header, tuple(_cells(name, each) for name, each in by_tau), notes, words=1)


@dataclass(frozen=True)
class _Merit:
    """How well a score ordered the candidates of one target that have it."""

    candidates: int
    tau: float
    pearson: float | None
    regret: float


def _merit(score: np.ndarray, outcome: np.ndarray) -> _Merit:
    coefficient = pearson(score, outcome)
    tau = weighted_kendall(score, outcome)
    return _Merit(len(score), tau, coefficient.value if coefficient else None, regret(score, outcome))


def _cells(name: str, each: Sequence[_Merit]) -> tuple[str, ...]:
    low, high = min(merit.candidates for merit in each), max(merit.candidates for merit in each)
    pearsons = [merit.pearson for merit in each if merit.pearson is not None]
    return (
        name,
        str(len(each)),
        str(low) if low == high else f"{low} to {high}",
        f"{np.mean([merit.tau for merit in each]):.3f}",
        f"{np.mean(pearsons):.3f}" if pearsons else MISSING,
        f"{np.mean([merit.regret for merit in each]):.4f}",
    )


def _only(choice: Choice, kept: np.ndarray) -> Choice:
    """The choice among fewer candidates (m,)."""
    names = tuple(name for name, there in zip(choice.names, kept, strict=True) if there)
    scores = {name: values[kept] for name, values in choice.scores.items()}
    return replace(choice, names=names, outcomes=choice.outcomes[kept], scores=scores)


def _row(name: str, model: str, bench: Bench) -> dict[str, Any]:
    data, source, scale = opened(name, bench), loaded(model), bench.scale
    outputs = outputs_of_source(model, name, bench)
    task = whole_task(data.train.labels, data.test.labels)
    outcome = head_outcomes(outputs.features, outputs.test_features, [task], _budget(scale), seed=scale.seed)[0]
    scores = measure(outputs.features, outputs.logits, task, names=SCORES, seed=scale.seed)
    if source.card.imagenet_top1 is not None:
        scores[PUBLISHED] = source.card.imagenet_top1
    return {
        "kind": SELECTION,
        "model": source.name,
        "fingerprint": outputs.fingerprint[:16],
        "data": data.title,
        "data_hash": data_hash(name, bench),
        "n": len(task.train),
        "test_n": len(task.test),
        "classes": len(task.classes),
        "accuracy": round(outcome.accuracy, 6),
        "scores": as_stored(scores),
        "seconds": round(outcome.seconds, 3),
    }


def _budget(scale: Scale) -> Any:
    return scale.budget("large", "head")


def whole_task(train_labels: np.ndarray, test_labels: np.ndarray) -> ClassTask:
    """All classes that both parts have, and all their examples."""
    classes = np.intersect1d(train_labels, test_labels)
    train = np.flatnonzero(np.isin(train_labels, classes))
    test = np.flatnonzero(np.isin(test_labels, classes))
    return ClassTask(
        "large",
        0,
        classes,
        train,
        test,
        np.searchsorted(classes, train_labels[train]),
        np.searchsorted(classes, test_labels[test]),
    )


def _drawn(data: str, model: str) -> float:
    """The random baseline: a number that follows from the names alone."""
    digest = blake2b(f"{data}/{model}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
