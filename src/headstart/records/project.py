"""From data to proof: which model was chosen, what was forecast, what was reached, and what to try next."""

import math
from dataclasses import dataclass

from headstart.records.files import SavedRecord
from headstart.records.forecast import Forecast
from headstart.records.outcome import Comparison, Outcome
from headstart.records.ranking import Ranking
from headstart.records.shown import Shown
from headstart.records.table import Column, Prose, Table, Tone, View
from headstart.wording import MISSING, duration, plural


@dataclass(frozen=True, repr=False)
class Project(SavedRecord, Shown):
    """What `headstart.run` leaves. `print(project)` shows it; the model lies in the folder `model`."""

    FILE, MADE_BY = "project.json", "`headstart run --out FOLDER`"

    ranking: Ranking
    outcomes: tuple[Outcome, ...]  # every transfer, in the order in which they ran, all on one test part
    validated: tuple[float | None, ...]  # what each reached on the validation part, by which the model was chosen
    chosen: int  # place among the outcomes
    left_out: tuple[str, ...] = ()  # what there was no time for, or failed, and why
    seconds: float = 0.0
    budget: float | None = None  # seconds
    comparison: Comparison | None = None  # of the chosen transfer with training from scratch, over three seeds
    format: int = 1

    @property
    def best(self) -> Outcome:
        """The transfer that was chosen."""
        return self.outcomes[self.chosen]

    def forecast(self, outcome: Outcome) -> Forecast | None:
        """What had been forecast of a transfer, for a test part of the size that it had; None for scratch."""
        rows = [row for row in self.ranking.rows if row.source == outcome.source]
        found = [
            one for row in rows for one in row.forecasts if (one.method, one.metric) == (outcome.method, outcome.metric)
        ]
        given = outcome.n_train + (outcome.n_valid if outcome.method == "head" else 0)
        nearest = min(found, key=lambda one: abs(math.log(one.examples / given)), default=None)
        return None if nearest is None else nearest.on(outcome.n_test)

    def view(self) -> View:
        """What was chosen and reached, every transfer beside its forecast, and what to try next."""
        chosen, metric = self.best, self.best.metric.replace("_", " ")
        reached = (
            f"{_reached(chosen):.3f} {metric} on {plural(chosen.n_test, 'example')} that took part in nothing before"
        )
        title = f"{chosen.source} by {chosen.method}: {reached}"
        taken = f" of {duration(self.budget)} allowed" if self.budget else ""
        return [
            Prose((*self._held(), *self._gains()), title=title),
            self._table(),
            Prose(self._next(), "plain"),
            Prose((*self.left_out, f"It took {duration(self.seconds)}{taken}."), "quiet"),
        ]

    def _held(self) -> tuple[str, ...]:
        one = self.forecast(self.best)
        if one is None:
            return ()
        reached = _reached(self.best)
        said = f"The forecast was {one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
        if one.holds(reached):
            return (f"{said}, and it held.",)
        return (f"{said}: too {'low' if reached > one.high else 'high'}.",)

    def _gains(self) -> tuple[str, ...]:
        """Differences on the test part between the chosen transfer and each of the others."""
        others = [one for place, one in enumerate(self.outcomes) if place != self.chosen]
        parts = [f"{_reached(self.best) - _reached(one):+.3f} over {_titled(one)}" for one in others]
        return ((f"Gain: {'; '.join(parts)}.",) if parts else ()) + self._verdict()

    def _verdict(self) -> tuple[str, ...]:
        """What several seeds say of the gain over scratch; that one seed says nothing where there is only one."""
        one = self.comparison
        if one is None:
            return ("One seed of each: differences may be chance.",) if len(self.outcomes) > 1 else ()
        bounds = "" if one.low is None or one.high is None else f" ({one.low:+.3f} to {one.high:+.3f} at 95 %)"
        return (f"Over {len(one.seeds)} seeds the gain over scratch is {one.gain:+.3f}{bounds}: {one.verdict}.",)

    def _table(self) -> Table:
        found = [self.forecast(one) for one in self.outcomes]
        columns = (
            Column("model", tuple(one.source for one in self.outcomes), right=False),
            Column("method", tuple(one.method for one in self.outcomes), right=False),
            Column("forecast", tuple(f"{f.value:.3f} ({f.low:.3f} to {f.high:.3f})" if f else MISSING for f in found)),
            Column("validation", tuple(MISSING if v is None else f"{v:.3f}" for v in self.validated)),
            Column("reached", tuple(f"{_reached(one):.3f}" for one in self.outcomes)),
            Column("time", tuple(duration(one.seconds) for one in self.outcomes)),
        )
        tones: tuple[Tone, ...] = tuple("good" if k == self.chosen else "plain" for k in range(len(self.outcomes)))
        return Table(columns, tones)

    def _next(self) -> tuple[str, ...]:
        """What may bring more: labels, by the learning curve; fine-tuning, where it was not tried; other models."""
        row = next((row for row in self.ranking.rows if row.source == self.best.source), None)
        said = []
        tried = {(one.source, one.method) for one in self.outcomes}
        had = self.best.n_train + self.best.n_valid
        for one in row.forecasts if row else ():
            if (
                one.method == "fine-tune"
                and (self.best.source, "fine-tune") not in tried
                and one.value > _reached(self.best)
            ):
                said.append(
                    f"fine-tune it (forecast {one.value:.2f}, {one.low:.2f} to {one.high:.2f}): give a larger budget"
                )
            if one.method == "head" and one.examples > had:
                reach = f"{one.value:.2f}, {one.low:.2f} to {one.high:.2f}"
                said.append(f"label {one.examples - had:,} more examples, {one.examples:,} in all (a head: {reach})")
        if not any(one.method == "scratch" for one in self.outcomes):
            said.append("train from scratch beside it, to prove the gain")
        return (f"To try next: {'; '.join(said)}.",) if said else ()


def _reached(outcome: Outcome) -> float:
    return outcome.metrics[outcome.metric]


def _titled(outcome: Outcome) -> str:
    return f"{outcome.method} of {outcome.source}"
