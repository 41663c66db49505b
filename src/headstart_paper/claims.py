"""What the paper's text claims, counted in the printed Table 1 and in the rows obtained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.records import View, titled
from headstart.wording import MISSING, listing, plural
from headstart_paper import paper
from headstart_paper.correlate import Coefficient, coefficient, pearson
from headstart_paper.selection import PUBLISHED, Choice
from headstart_paper.table import PAPER_SCORES, Line

LEAST = 20  # tasks of a row; the coefficient of fewer may be anything
NAMED = 2  # exceptions to a claim that are named
ALPHA = 0.05
SELECTED = {**PAPER_SCORES, PUBLISHED: "ImageNet top-1"}
CHOICES = {"head": "figure 5: what predicts the head", "fine-tune": "figure 9b: what predicts fine-tuning"}
CHOICES_PRINTED = {
    "head": "LEEP; NCE fails on MobileNet1.0, H-score and ImageNet top-1 on SENet154",
    "fine-tune": "nothing predicts it well",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """A row of the table, printed or obtained."""

    row: paper.TableRow
    name: str
    scores: Mapping[str, Coefficient | None]

    def value(self, score: str) -> float:
        """A coefficient; 0 of a score that is the same for every task."""
        found = self.scores[score]
        return found.value if found else 0.0


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper about rows of Table 1."""

    words: str
    holds: Callable[[Entry], bool]
    about: Callable[[paper.TableRow], bool] = lambda row: True


CLAIMS = (
    Claim("5.1: LEEP above 0.94, large", lambda e: e.value("leep") > 0.94, lambda row: row.setting == "large"),
    Claim(
        "5.2: LEEP above 0.5, small, but for fine-tuning from CIFAR-10",
        lambda e: e.value("leep") > 0.5,
        lambda row: row.setting == "small" and (row.source, row.method) != ("cifar10", "fine-tune"),
    ),
    Claim("5.3: LEEP above 0.5, imbalanced", lambda e: e.value("leep") > 0.5, lambda row: row.setting == "imbalanced"),
    Claim("5.6: LEEP is at least NCE", lambda e: e.value("leep") >= e.value("nce")),
    Claim("5.6: LEEP is above H-score", lambda e: e.value("leep") > e.value("h_score")),
    Claim("5.6: H-score says nothing (p > 0.05)", lambda e: (h := e.scores["h_score"]) is None or h.p > ALPHA),
    Claim("Table 1: H-score above 0, large", lambda e: e.value("h_score") > 0, lambda row: row.setting == "large"),
)


def claims_table(lines: Sequence[Line], choices: Sequence[Choice] = ()) -> View:
    """Each claim as printed, in rows with the paper's data and settings, and in all rows; empty without any."""
    shown = [line for line in lines if line.row.in_paper and line.tasks >= LEAST and line.coefficients["leep"]]
    cells = _of_rows(shown) if shown else []
    cells += [
        (f"{CHOICES[one.method]} ({one.data})", CHOICES_PRINTED[one.method], MISSING, _predicting(one))
        for one in choices
    ]
    if not cells:
        return []
    notes = (
        f"in print: counted in the printed Table 1. Others: rows of {LEAST} tasks or more; first those with the "
        "paper's data and settings, whatever the network, then also scaled-down rows and stand-in data",
        "an H-score that is C - 1 for every task counts as a coefficient of 0",
        "gain: LEEP's coefficient over that of the better of NCE and H-score, minus 1, where the interval of the "
        "latter lies above 0",
        "figures 5 and 9b: the scores whose Pearson coefficient over the candidates has a 95 % interval above 0",
    )
    return titled(
        "What the paper claims", ("claim", "in print", "same data and settings", "all rows"), cells, notes, words=4
    )


def _of_rows(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    printed = [
        Entry(paper.ROWS[name], name, {s: coefficient(v, paper.TASKS) for s, v in zip(PAPER_SCORES, told, strict=True)})
        for name, told in paper.PUBLISHED.items()
    ]
    everything = {line: _entry(line) for line in lines}
    groups = printed, [entry for line, entry in everything.items() if line.as_printed], list(everything.values())
    cells = [(claim.words, *(_count(claim, group) for group in groups)) for claim in CLAIMS]
    return [*cells, ("5.6: gain over the better, ImageNet to CIFAR-100", *map(_largest_gain, groups))]


def _entry(line: Line) -> Entry:
    h = None if line.saturated else line.coefficients["h_score"]
    return Entry(line.row, line.row.name, {**line.coefficients, "h_score": h})


def _count(claim: Claim, entries: Sequence[Entry]) -> str:
    of_claim = [entry for entry in entries if claim.about(entry.row)]
    against = [entry.name for entry in of_claim if not claim.holds(entry)]
    if not of_claim:
        return MISSING
    named = f" (not {listing(against)})" if 0 < len(against) <= NAMED else ""
    return f"in {len(of_claim) - len(against)} of {plural(len(of_claim), 'row')}{named}"


def _largest_gain(entries: Sequence[Entry]) -> str:
    """Where LEEP gains most; a coefficient that may be 0 or less has no ratio."""
    gains = []
    for entry in entries:
        others = [other for name in ("nce", "h_score") if (other := entry.scores[name]) is not None]
        best = max(others, key=lambda other: other.value, default=None)
        of_claim = (entry.row.source, entry.row.target) == ("imagenet", "cifar100") and entry.row.method != "cnaps"
        if of_claim and best is not None and best.low > 0:
            gains.append((entry.value("leep") / best.value - 1, entry.name))
    if not gains:
        return MISSING
    gain, name = max(gains)
    return f"up to {100 * gain:+.0f} % ({name})"


def _predicting(choice: Choice) -> str:
    found = {}
    for name, title in SELECTED.items():
        values = choice.scores.get(name, np.full(len(choice.names), np.nan))
        known = np.isfinite(values)
        found[title] = pearson(values[known], choice.outcomes[known])
    told = [f"{title} {one.value:.2f} ({one.low:.2f} to {one.high:.2f})" for title, one in found.items() if one]
    predict = [title for title, one in found.items() if one and one.low > 0]
    return f"{listing(predict) if predict else 'nothing'}, among {len(choice.names)}: {'; '.join(told)}"
