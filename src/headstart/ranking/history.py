"""Forecasts that learn from a user's own rankings and outcomes, and how they hold on targets that were left out."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headstart.errors import InputError
from headstart.ranking.calibration import FEWEST, Judged, Recorded, adjusted, as_csv, judge, judged_view
from headstart.ranking.forecasts import Calibration
from headstart.records import History, Outcome, Prose, Ranking, View, write_atomically
from headstart.records.shown import Shown
from headstart.wording import plural

FITTED, ROWS = "calibration.json", "recorded.csv"


@dataclass(frozen=True, repr=False)
class Calibrated(Shown):
    """What `calibrate` found: forecasts of each own target's transfers, the target itself left out."""

    shipped: tuple[Judged, ...]  # by the transfers that headstart ships alone
    own: tuple[Judged, ...]  # by those and the other own targets
    calibration: Calibration
    kept: bool  # own is better, so that forecasts use it from now on
    transfers: int
    targets: int

    def view(self) -> View:
        """Both checks as tables, and which of the two forecasts use from now on."""
        said = (
            "Forecasts with this history now learn from your transfers too."
            if self.kept
            else "Learning from your transfers did not make forecasts better, so the shipped calibration stays in use."
        )
        own = f"{plural(self.transfers, 'own transfer')} to {plural(self.targets, 'target')}"
        return [
            Prose((f"{own}; each target is judged with all of its transfers left out.",)),
            Prose((), title="By the shipped transfers alone"),
            *judged_view(self.shipped),
            Prose((), title="By your other targets too"),
            *judged_view(self.own),
            Prose((said,)),
        ]


def calibrate(folder: str | os.PathLike[str]) -> Calibrated:
    """Fit forecasts to the transfers in a history too, and keep the fit there if it is better on targets left out.

    Args:
        folder: What `rank`, `transfer` and `run` wrote with `history=folder`. `recorded.csv` and, if forecasts became
            better, `calibration.json` are written there.

    Raises:
        InputError: The folder holds no history, or transfers of ranked models to fewer than three targets.
    """
    rows, place = recorded(History(folder)), Path(folder)
    targets = {row.target for row in rows}
    if len(targets) < FEWEST:
        raise InputError(
            f"{place} holds {plural(len(rows), 'transfer')} of ranked models to {plural(len(targets), 'target')}; "
            f"{FEWEST} targets are needed, so that each can be judged by the others. Rank and transfer more with "
            f"`--history {place}`."
        )
    usual = Calibration()
    shipped, own = tuple(judge(rows, lambda others: usual)), tuple(judge(rows, partial(adjusted, start=usual)))
    kept, calibration = _error(own) < _error(shipped), adjusted(rows, usual)
    write_atomically(place / ROWS, as_csv(rows).encode())
    if kept:
        write_atomically(place / FITTED, calibration.to_json().encode())
    else:
        (place / FITTED).unlink(missing_ok=True)
    return Calibrated(shipped, own, calibration, kept, len(rows), len(targets))


def _error(judged: Sequence[Judged]) -> float:
    return sum(one.error * one.outcomes for one in judged) / sum(one.outcomes for one in judged)


def calibration_of(history: History | None) -> Calibration | None:
    """What `calibrate` kept in a history; None where there is none."""
    path = None if history is None else history.folder / FITTED
    return Calibration.from_json(path.read_bytes(), origin=path) if path is not None and path.is_file() else None


def recorded(history: History) -> list[Recorded]:
    """Heads and fine-tunings of ranked models, each with what the ranking of the nearest size had seen."""
    seen = [(one.target.name, row.source, row.probe) for one in history.read(Ranking) for row in one.rows]
    rows = []
    for one in history.read(Outcome):
        known = [found for target, source, found in seen if found and (target, source) == (one.target, one.source)]
        if not known or one.method not in ("head", "fine-tune") or "accuracy" not in one.metrics:
            continue
        trained = one.n_train + (one.n_valid if one.method == "head" else 0)
        nearest = min(known, key=lambda found: abs(math.log(found.examples / trained)))
        said = (nearest.examples, nearest.classes, nearest.hits, nearest.confidence, nearest.half)
        reached = one.metrics["accuracy"]
        rows.append(Recorded(one.target, one.source, *said, one.method, trained, reached, one.n_test))
    return rows
