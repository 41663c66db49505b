"""Progress on the error stream: bars on a terminal, one line per finished model elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from headstart.wording import duration, plural, rate

if TYPE_CHECKING:
    from headstart.ranking import Event

Tell = Callable[[int, int, str], None]


class RateColumn(ProgressColumn):
    """Examples per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{rate(task.finished_speed or task.speed)}/s", style="dim")


@contextmanager
def shown(console: Console) -> "Iterator[Callable[[Event], None]]":
    """A listener for `headstart.ranking.rank` that shows where it stands; nothing stays on a terminal afterwards."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield _Bars(progress)


class _Bars:
    """One bar for the model at work and one for all."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.examples = 0

    def __call__(self, event: "Event") -> None:
        if event.stage == "start":
            self.examples = event.total
            self.one = self.progress.add_task("reading", total=None)
            self.all = self.progress.add_task("all models", total=event.sources * event.total)
        elif event.stage == "round":
            self.examples = event.total
            self.progress.reset(self.all, description=f"round {event.index + 1}", total=event.sources * event.total)
        elif event.stage == "load":
            self.progress.reset(self.one, description=event.source, total=self.examples)
        elif event.stage == "forward":
            self.progress.update(self.one, completed=event.done, total=event.total)
            self.progress.update(self.all, completed=event.index * self.examples + event.done)
        elif event.stage in ("done", "failed"):
            self.progress.update(self.all, completed=(event.index + 1) * self.examples)


class _Lines:
    """For logs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = 0.0

    def __call__(self, event: "Event") -> None:
        if event.stage == "round":
            models, examples = plural(event.sources, "model"), plural(event.total, "example")
            self.console.print(f"Round {event.index + 1}: {models} on {examples}")
        elif event.stage == "load":
            self.started = time.monotonic()
        elif event.stage in ("done", "failed"):
            what = "done" if event.stage == "done" else "failed"
            seconds = duration(time.monotonic() - self.started)
            self.console.print(f"[{event.index + 1}/{event.sources}] {event.source}: {what} in {seconds}")


@contextmanager
def transfers_shown() -> Iterator[tuple[Tell, Tell]]:
    """Two listeners: for the steps of a run, and for the start of each run. Bars on a terminal, lines elsewhere."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield (lambda done, total, what: None), (lambda run, runs, name: console.print(f"[{run + 1}/{runs}] {name}"))
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=None), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        steps = progress.add_task("reading", total=None)
        runs = progress.add_task("all runs", total=None)

        def tell(done: int, total: int, what: str) -> None:
            progress.update(steps, completed=done, total=total, description=what)

        def announce(run: int, count: int, name: str) -> None:
            progress.reset(steps, description=name, total=None)
            progress.update(runs, completed=run, total=count)

        yield tell, announce
