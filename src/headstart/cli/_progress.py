"""Progress on the error stream: bars on a terminal, elsewhere the lines worth keeping in a log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from headstart.runner.progress import Event, Progress
from headstart.wording import rate


class RateColumn(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{rate(task.finished_speed or task.speed)}/s", style="dim")


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """A listener for any long call; nothing stays on a terminal afterwards."""
    if not console.is_terminal:
        yield lambda event: console.print(event.message) if event.message else None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True, expand=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(event: Event) -> None:
            if event.what not in tasks and event.done < event.total:
                tasks[event.what] = bars.add_task(event.what)
            if event.what in tasks:
                bars.update(tasks[event.what], completed=event.done, total=event.total)
                if event.done >= event.total:
                    bars.remove_task(tasks.pop(event.what))

        yield tell
