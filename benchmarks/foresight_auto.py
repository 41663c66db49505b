"""The section "Auto": the rule behind `sort="auto"` against every single score, with whole data sets left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from foresight_cases import Case, kendall, mean_interval, regimes, regret, weighted
from foresight_measure import GAUSSIAN, POOLED
from foresight_report import FEWEST, OUTCOMES, group_of

from headstart.ranking.order import AUTO, choose_sort

FEW = 10  # examples a class, below which a regime counts as one of few
SINGLES = (
    "leep",
    "leep_loo",
    "leep_calibrated",
    GAUSSIAN,
    POOLED,
    "nce",
    "knn",
    "ridge_probe",
    "logme",
    "regularized_h_score",
    "nleep",
    "source_accuracy",
    "random",
)
CHOICES = ("leep", "leep_calibrated", GAUSSIAN, POOLED, "knn", "ridge_probe", "logme", "regularized_h_score", "nleep")
RULE, FITTED, SPLIT = "auto (the rule)", "one score, chosen on the others", "one score a regime, chosen on the others"
Rule = Callable[[Case], str]
MEASURES = {"Kendall": kendall, "weighted tau": weighted, "regret": regret}


@dataclass(frozen=True)
class Line:
    """One row of a table: the mean over data sets of each measure, with half its interval."""

    name: str
    values: dict[str, tuple[float, float]]


def auto_lines(found: Sequence[Case]) -> list[str]:
    """Every line of the section."""
    lines = [
        f'The rule of `sort="auto"` (headstart.ranking.order): {_reason(found)}',
        "",
        "It was chosen after a look at these outcomes, so it is judged beside two procedures that choose blindly: for "
        "each data set, the score with the largest mean Kendall on all the other data sets (outcome: head on the whole "
        f"pool), once for everything and once for each regime (heads of one size or not, fewer than {FEW} examples "
        "a class or more). What they reach on the data set left out is what such a choice is worth. Regret: accuracy "
        "of the best source minus that of the one chosen. Weighted tau: hyperbolic weights of the true ranks "
        '(`weights="outcome"`).',
        "",
    ]
    for regime, members in regimes(found).items():
        for outcome in OUTCOMES:
            with_it = [case for case in members if outcome in case.outcomes]
            if len({case.data for case in with_it}) >= FEWEST:
                lines += _table(regime, outcome, with_it, [case for case in found if "head" in case.outcomes])
    return lines


def _reason(found: Sequence[Case]) -> str:
    reasons = dict(map(_by_rule, found))
    return " ".join(f"{name}, where {why}." for name, why in reasons.items())


def _each(case: Case) -> float:
    return case.n / case.target_classes


def _by_rule(case: Case) -> tuple[str, str]:
    """The score that the rule takes, and why."""
    names = [name for name in CHOICES if name in case.scores]
    return choose_sort(names, [names] * len(case.sources), AUTO, asked=True)


def _table(regime: str, outcome: str, members: Sequence[Case], everything: Sequence[Case]) -> list[str]:
    rules: dict[str, Mapping[str, Rule] | Rule] = {name: _always(name) for name in SINGLES}
    rules[RULE] = lambda case: _by_rule(case)[0]
    wholes = sorted({group_of(case.data) for case in members})
    for name, regime_of in ((FITTED, lambda case: ""), (SPLIT, _regime)):
        rules[name] = {
            whole: _fitted([case for case in everything if group_of(case.data) != whole], regime_of) for whole in wholes
        }
    body = [line for name, rule in rules.items() if (line := _line(name, rule, members, outcome)) is not None]
    body.sort(key=lambda line: -line.values["weighted tau"][0])
    head = f"### {regime[0].upper()}{regime[1:]}: {OUTCOMES[outcome]}"
    lines = [head, "", "| | Kendall | weighted tau | regret |", "|---|---:|---:|---:|"]
    for line in body:
        cells = [_cell(*line.values[name], digits=3 if name == "regret" else 2) for name in MEASURES]
        title = f"**{line.name}**" if line.name in (RULE, FITTED, SPLIT) else line.name
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return [*lines, ""]


def _always(name: str) -> Rule:
    return lambda case: name


def _regime(case: Case) -> str:
    heads = "heads of one size" if len(set(case.heads)) == 1 else "heads of several sizes"
    return f"{heads}, {'few' if _each(case) < FEW else 'many'}"


def _fitted(others: Iterable[Case], regime_of: Callable[[Case], str]) -> Rule:
    """The best score of `CHOICES` in each regime of the other data sets, every data set with the same weight."""
    sums: dict[str, dict[str, dict[str, list[float]]]] = {}
    for part in regimes(list(others)).values():
        for case in part:
            for name in CHOICES:
                if name in case.scores:
                    tau = kendall(case.scores[name], case.outcomes["head"])
                    sums.setdefault(regime_of(case), {}).setdefault(name, {}).setdefault(case.data, []).append(tau)
    best = {}
    for regime, table in sums.items():
        means = {name: np.mean([np.mean(taus) for taus in by_data.values()]) for name, by_data in table.items()}
        best[regime] = max(means, key=means.__getitem__)
    return lambda case: best.get(regime_of(case), "knn")


def _line(name: str, rule: Mapping[str, Rule] | Rule, members: Sequence[Case], outcome: str) -> Line | None:
    values: dict[str, dict[str, list[float]]] = {measure: {} for measure in MEASURES}
    for case in members:
        score = (rule[group_of(case.data)] if isinstance(rule, Mapping) else rule)(case)
        if score not in case.scores:
            return None
        keep = np.isfinite(case.scores[score])  # an untrained source has no accuracy of its own
        if keep.mean() < 0.9:
            return None
        given, truth = case.scores[score][keep], case.outcomes[outcome][keep]
        for measure, function in MEASURES.items():
            values[measure].setdefault(case.data, []).append(function(given, truth))
    means = {m: mean_interval([float(np.mean(v)) for v in by.values()]) for m, by in values.items()}
    return Line(name, means)


def _cell(mean: float, half: float, digits: int) -> str:
    return f"{mean:.{digits}f}" if np.isnan(half) else f"{mean:.{digits}f} ± {half:.{digits}f}"
