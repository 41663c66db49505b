"""The transfers of one project: measured beforehand, made while the budget lasts, the best one kept on disk."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import HeadstartError, InputError
from headstart.evaluation import evaluate
from headstart.ranking.budget import Deadline
from headstart.records import Comparison, Outcome, Project, Ranking
from headstart.records.options import options_of
from headstart.report import write_report
from headstart.runner import Event, Progress
from headstart.runner.progress import Stopped
from headstart.train.training import Training
from headstart.transfers import METHODS, Run, transfer
from headstart.transfers.costs import seconds_of_example
from headstart.transfers.parts import Parts
from headstart.wording import duration

if TYPE_CHECKING:
    from headstart.sources import Candidate

BACKWARD = 3  # passes that a step of training costs
FEWEST_EPOCHS = 3  # a training that has time for fewer is left out
USUAL = options_of(Training)["epochs"].default  # epochs of a training
SEEDS = 3  # of a verdict
TUNED = 2  # times its own seconds that a transfer takes with the choice of its rates
CAUTION = 0.8  # share of the time left that a training may be planned for


@dataclass(frozen=True)
class Attempt:
    """One transfer to be made."""

    source: str
    method: str

    @property
    def title(self) -> str:
        """For messages and folders."""
        return f"{self.method} of {self.source}"

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"{self.source.replace('/', '-')}-{self.method}"


class Attempts:
    """What was tried so far, and the best of it.

    Args:
        parts: The target, divided.
        ranking: The models in order, with forecasts.
        models: The same by name, to be loaded.
        place: The project's folder.
        deadline: When to stop.
        tell: Called at every step.
        shared: Arguments of every transfer.
    """

    def __init__(
        self,
        parts: Parts,
        ranking: Ranking,
        models: "Mapping[str, Candidate]",
        place: Path,
        deadline: Deadline,
        tell: Progress,
        shared: Mapping[str, Any],
    ) -> None:
        self.parts, self.ranking, self.place, self.deadline = parts, ranking, place, deadline
        self.tell, self.shared, self.models = tell, dict(shared), models
        self.runs: list[Run] = []
        self.comparison: Comparison | None = None
        self.validated: list[float | None] = []
        self.left_out: list[str] = []
        self.sources: dict[str, Any] = {}

    def make(self, one: Attempt) -> None:
        """Make the transfer if it fits into the time, and keep it if it is the best."""
        if self.deadline.passed and self.runs:
            self.left_out.append(f"{one.title} was left out: the time was up.")
            return
        trains = METHODS.find(one.method).trains
        folder = self.place / "runs" / one.folder
        try:
            options = self._affordable(one) if trains and not (folder / "outcome.json").exists() else {}
            if options is None:
                return
            self.tell(Event("transfers", len(self.runs), 0, one.title))
            run = self._transfer(self.parts, one, out=folder, **options)
        except Stopped:
            self.left_out.append(f"{one.title} was stopped: the time was up. The same command resumes it.")
            return
        except HeadstartError as error:
            self.left_out.append(f"{one.title} failed: {error}")
            return
        self.runs.append(run)
        self.validated.append(None)
        with suppress(Stopped):  # it was made, and counts without its validation
            self.validated[-1] = self._validated(one, run)
        self.project()

    def repeat(self) -> None:
        """Two more seeds of the chosen transfer and of training from scratch, where there is time, for a verdict."""
        chosen = self.runs[self._chosen()] if self.runs else None
        scratch = [run for run in self.runs if run.outcome.method == "scratch"]
        if chosen is None or not scratch or chosen is scratch[0]:
            return
        pair, first = (chosen, scratch[0]), int(self.shared["seed"])
        spent = (SEEDS - 1) * sum(TUNED * run.outcome.seconds for run in pair)
        if spent > CAUTION * self.deadline.left:
            self.left_out.append(f"A verdict on the gain needs {SEEDS} seeds: two more would take {duration(spent)}.")
            return
        runs = list(pair)
        try:
            for seed in range(first + 1, first + SEEDS):
                for run in pair:
                    one = Attempt(run.outcome.source, run.outcome.method)
                    epochs = {"epochs": run.outcome.options["epochs"]} if METHODS.find(one.method).trains else {}
                    folder = self.place / "runs" / f"{one.folder}-seed{seed}"
                    self.tell(Event("transfers", len(self.runs), 0, f"{one.title}, seed {seed}"))
                    runs.append(self._transfer(self.parts, one, out=folder, **{**epochs, "seed": seed}))
            self.comparison = evaluate(runs, progress=False)[0]
        except Stopped:
            self.left_out.append(f"A verdict on the gain needs {SEEDS} seeds: the time was up before.")
        except HeadstartError as error:
            self.left_out.append(f"There is no verdict on the gain: {error}")

    def project(self, *, final: bool = False) -> Project:
        """The record as it stands; also written, with the best model and the report, unless nothing was tried.

        Raises:
            InputError: No transfer could be made.
        """
        if not self.runs:
            raise InputError(f"no transfer could be made. {' '.join(self.left_out)}")
        place = self._chosen()
        found = Project(
            self.ranking,
            tuple(run.outcome for run in self.runs),
            tuple(self.validated),
            place,
            tuple(self.left_out),
            self.deadline.spent,
            self.deadline.seconds,
            self.comparison,
        )
        if final or place == len(self.runs) - 1:
            self.runs[place].save(self.place / "model")
        found.save(self.place)
        write_report(found, self.place / "report.html")
        return found

    def _chosen(self) -> int:
        """The best on the validation part among those that were validated; else the first."""
        known = [(value, -place) for place, value in enumerate(self.validated) if value is not None]
        return -max(known)[1] if known else 0

    def _transfer(self, parts: Parts, one: Attempt, **more: Any) -> Run:
        source = self._source(one.source)
        return transfer(parts, source, method=one.method, progress=self._until, **{**self.shared, **more})

    def _source(self, name: str) -> Any:
        if name not in self.sources:
            self.sources[name] = self.models[name].load(bool(self.shared.get("trust_pickle")))
        return self.sources[name]

    def _until(self, event: Event) -> None:
        """Passes progress on, and ends a training that would overrun when something is there to fall back on."""
        self.tell(event)
        if self.runs and self.deadline.passed and event.done < event.total:
            raise Stopped

    def _affordable(self, one: Attempt) -> dict[str, Any] | None:
        """The epochs that fit into the time left, as options; None where too few do."""
        if self.deadline.seconds is None:
            return {}
        if (least := self._least(one.source)) * FEWEST_EPOCHS > self.deadline.left:
            self._too_long(one, least)
            return None
        how = {name: self.shared[name] for name in ("device", "seed")}
        each = len(self.parts.train) * seconds_of_example(self.parts, self._source(one.source), one.method, **how)
        fit = int(CAUTION * self.deadline.left / each)
        if fit < FEWEST_EPOCHS:
            self._too_long(one, each)
            return None
        if fit >= USUAL:
            return {}
        self.left_out.append(f"{one.title} was trained for {fit} epochs, not {USUAL}: the time allowed no more.")
        return {"epochs": fit}

    def _too_long(self, one: Attempt, each: float) -> None:
        left = duration(max(self.deadline.left, 0.0))
        self.left_out.append(f"{one.title} was left out: an epoch takes about {duration(each)}, and {left} are left.")

    def _least(self, source: str) -> float:
        """Seconds that an epoch takes at the least: a step forward and back costs as much as three passes."""
        speeds = [row.examples_per_second for row in self.ranking.rows if row.source == source]
        return BACKWARD * len(self.parts.train) / speeds[0] if speeds and speeds[0] else 0.0

    def _validated(self, one: Attempt, run: Run) -> float | None:
        """What the transfer reaches on the validation part when that did not train it."""
        curve = [point.valid_quality for point in run.outcome.curve if point.valid_quality is not None]
        if curve:
            return max(curve)
        if self.parts.valid is None:
            return None
        trial = replace(self.parts, valid=None, test=self.parts.valid)
        return _reached(self._transfer(trial, one, history=None).outcome)


def _reached(outcome: Outcome) -> float:
    return outcome.metrics[outcome.metric]
