"""What a run of a method says with and without labels of the new domain, and the rows that the record makes of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from headstart.adaptation import criteria
from headstart.adaptation.criteria import CRITERIA, agreement
from headstart.adaptation.method import Domains, OnFeatures, domains
from headstart.adaptation.methods.importance import density_ratio
from headstart.adaptation.opening import Opened
from headstart.data.target import Target
from headstart.errors import InputError
from headstart.evaluation import gain, judge
from headstart.extract import extract, pick_device
from headstart.records import Extraction, Predictions
from headstart.records.adaptation import AdaptedRow, forgets
from headstart.sources.source import Source
from headstart.stats import share_interval
from headstart.tasks import task_of
from headstart.transfers import Run


@dataclass(frozen=True, eq=False)
class Seen:
    """How to get features of both domains from a source; rows in the cache are not computed again."""

    opened: Opened
    cache: Path
    device: str
    seed: int

    def domains(self, source: Source) -> Domains:
        """A source's features of both domains.

        Raises:
            InputError: Those of a domain do not vary.
        """
        parts = self.opened.parts
        assert parts.unlabelled is not None, "the domains were opened together"
        old, new = (self.extraction(target, source) for target in (parts.together, parts.unlabelled))
        found = domains(old, new, parts.train.classes, seed=self.seed)
        for name, rows in ((parts.train.name, found.features), (parts.unlabelled.name, found.new)):
            if not np.ptp(rows, axis=0).any():
                raise InputError(
                    f"{source.name} gives the same features for every example of {name}; check those data, or leave "
                    "the model out."
                )
        return found

    def features(self, target: Target, source: Source) -> np.ndarray:
        """Features (n, d) of a target."""
        return np.asarray(self.extraction(target, source).features, dtype=np.float64)

    def weights(self, source: Source, both: Domains) -> np.ndarray:
        """How much each held-out labelled example (n,) looks like the new domain."""
        return density_ratio(both.features, both.new, self.features(self.opened.kept, source), seed=self.seed)

    def extraction(self, target: Target, source: Source) -> Extraction:
        """One forward pass."""
        return extract(target, source, cache=self.cache, device=self.device)


@dataclass(frozen=True, eq=False)
class Measured:
    """One run, its answers on the new domain, and the criteria that need no other run."""

    run: Run
    name: str  # of the source, and of the labelled domain where there are several
    folder: Path | None
    kept: float  # accuracy on held-out labelled examples
    answers: np.ndarray  # (m,) codes, on the new domain
    criteria: dict[str, float]


def measure(run: Run, name: str, folder: Path | None, seen: Seen, both: Domains, weights: np.ndarray) -> Measured:
    """Ask a run for its answers on both domains.

    Args:
        run: One method with one seed.
        name: What its source is called in the table.
        folder: Where it was kept.
        seen: For its source's features.
        both: The features of both domains before any adaptation.
        weights: Of the held-out labelled examples, also before any.
    """
    opened, method = seen.opened, run.method
    new, labels = opened.parts.unlabelled, opened.kept.labels
    assert new is not None, "the domains were opened together"
    if isinstance(method, OnFeatures):
        both = both if method.layer is None else seen.domains(run.source)
        held_out = seen.features(opened.kept, run.source)
        moved = method.moved(both, held_out)
        kept, as_new, other = (_answers(run, rows) for rows in (held_out, moved, both.new))
        if method.layer is not None or moved is not held_out:
            weights = density_ratio(method.moved(both, both.features), both.new, moved, seed=seen.seed)
    else:
        kept = as_new = _whole(run, opened.kept, seen.device)
        other = _whole(run, new, seen.device)
    found = {
        "source-risk": criteria.source_risk(as_new, labels),
        "importance-weighted": criteria.source_risk(as_new, labels, weights),
        "entropy": criteria.certainty(other),
        "density": criteria.neighbourhood_density(other),
    }
    return Measured(run, name, folder, criteria.source_risk(kept, labels), other.argmax(axis=1), found)


def _answers(run: Run, features: np.ndarray) -> np.ndarray:
    """Probabilities (n, C) of a solved head on features."""
    with torch.inference_mode():
        outputs = run.network.head(torch.tensor(features, dtype=torch.float32)).numpy()
    return task_of(run.outcome.task).answers(outputs)


def _whole(run: Run, target: Target, device: str) -> np.ndarray:
    """Probabilities (n, C) of a trained network on examples."""
    return task_of(target.task).answers(run.answer(target, device=pick_device(device)))


BASELINES = {False: "none", True: "none-deep"}  # does a method train by epochs? -> what it is compared with
Group = dict[tuple[str, str], list[Measured]]  # (source, method) -> its runs, by seed


def grouped(found: Sequence[Measured]) -> Group:
    """The runs of each source and method, in their order, each with the criterion that compares runs."""
    shares = agreement([one.answers for one in found])
    groups: Group = {}
    for one, share in zip(found, shares, strict=True):
        whole = replace(one, criteria={**one.criteria, "agreement": share})
        groups.setdefault((one.name, one.run.outcome.method), []).append(whole)
    return groups


def row_of(key: tuple[str, str], groups: Group, classes: int, margin: float) -> AdaptedRow:
    """One source and method, with its gain over no adaptation where there are test examples."""
    members = groups[key]
    first = members[0].run.outcome
    counts = np.stack([np.bincount(one.answers, minlength=classes) / len(one.answers) for one in members])
    row = AdaptedRow(
        *key,
        seeds=tuple(one.run.outcome.seed for one in members),
        kept=float(np.mean([one.kept for one in members])),
        criteria={name: float(np.mean([one.criteria[name] for one in members])) for name in CRITERIA},
        frequencies=tuple(float(share) for share in counts.mean(axis=0)),
        facts={name: float(np.mean([one.run.outcome.facts[name] for one in members])) for name in first.facts},
    )
    tested = [one.run.predictions for one in members if one.run.predictions is not None]
    if not tested:
        return row
    hits = np.mean([one.outputs.argmax(axis=1) == one.labels for one in tested], axis=0)
    low, high = share_interval(float(hits.sum()), len(hits))
    row = replace(row, accuracy=float(hits.mean()), low=low, high=high)
    return _compared(row, members, groups, margin)


def _compared(row: AdaptedRow, members: Sequence[Measured], groups: Group, margin: float) -> AdaptedRow:
    """The row with its gain over the baseline, seed by seed; without one where the baseline failed."""
    name = "none" if row.method == "none-deep" else BASELINES[members[0].run.method.trains]
    mine = {one.run.outcome.seed: one for one in members}
    others = {one.run.outcome.seed: one for one in groups.get((row.source, name), [])}
    shared = sorted(mine.keys() & others.keys())
    if row.method == "none" or not shared:
        return row
    pairs = [(_tested(mine[seed]), _tested(others[seed])) for seed in shared]
    if len(pairs) == 1 and not any(one.run.method.trains for one in (mine[shared[0]], others[shared[0]])):
        pairs *= 2  # a solved head is the same for every seed
    found = gain([one for one, _ in pairs], [other for _, other in pairs], metric="accuracy")
    return replace(
        row, baseline=name, gain=found.value, gain_low=found.low, gain_high=found.high,
        verdict=judge(found, margin=margin)[0],
    )  # fmt: skip


def _tested(one: Measured) -> Predictions:
    assert one.run.predictions is not None, "every run was tested, or none"
    return one.run.predictions


def choices_of(rows: Sequence[AdaptedRow], asked: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """What each criterion would choose among the methods that were asked for; equals go to the first.

    Methods that adapted nothing are not chosen, nor those that forget the labelled domain: a classifier that gives one
    answer to everything is sure of it.
    """
    named = [row for row in rows if row.method in asked]
    open_to = [row for row in named if not row.idle and not forgets(row, rows)] or named
    best = {name: max(open_to, key=lambda row: row.criteria[name]) for name in CRITERIA}
    return {name: (row.source, row.method) for name, row in best.items()}
