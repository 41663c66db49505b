"""Rows of the record: the runs of each source and method taken together, and compared with no adaptation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from headstart.adaptation.criteria import CRITERIA, agreement
from headstart.adaptation.measure import Measured
from headstart.evaluation import gain, judge
from headstart.records import Predictions
from headstart.records.adaptation import AdaptedRow, forgets
from headstart.stats import share_interval

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
