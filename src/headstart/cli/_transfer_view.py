"""What a transfer shows: progress, the plan, results and comparisons."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from headstart.records import Comparison, Outcome
from headstart.records.words import duration, magnitude, plural

if TYPE_CHECKING:
    from headstart.transfers import Preview

TITLES = {
    "balanced_accuracy": "balanced",
    "macro_f1": "macro F1",
    "log_likelihood": "loglik",
    "calibration_error": "ECE",
    "r2": "R2",
    "mae": "MAE",
}  # short enough for a table on 80 columns
Tell = Callable[[int, int, str], None]


@contextmanager
def progress_shown() -> Iterator[tuple[Tell, Tell]]:
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


def print_preview(preview: "Preview") -> None:
    """The plan: one row per block."""
    console = Console(highlight=False, markup=False)
    console.print(Text(f"{preview.method}: {preview.source} on {preview.target}", style="bold"))
    parts = f"{preview.n_train} to train, {preview.n_valid} to validate, {preview.n_test} to test"
    console.print(Text(parts, style="dim"))
    if preview.reason:
        console.print(Text(f"Chosen because {preview.reason}."))
    numbers = [(title, True) for title in ("rate", "parameters", "of them train")]
    table = _table(("block", False), ("trainable", False), *numbers)
    gradual = any(row.thaw for row in preview.rows)
    if gradual:
        table.add_column("from epoch", justify="right")
    for row in preview.rows:
        rate = "solved" if preview.training is None and row.trains else f"{row.rate:.2g}" if row.trains else "0"
        cells = [row.block, "yes" if row.trains else "no", rate, f"{row.parameters:,}", f"{row.trained:,}"]
        if gradual:
            cells.append(str(row.thaw + 1) if row.trains else "")
        table.add_row(*map(Text, cells), style="" if row.trains else "dim")
    console.print(table)
    whole, trained = (sum(getattr(row, name) for row in preview.rows) for name in ("parameters", "trained"))
    console.print(Text(f"{trained:,} of {whole:,} parameters train ({trained / whole:.2%})."))
    if preview.training is not None:
        t = preview.training
        console.print(
            Text(
                f"{t.epochs} epochs, batches of {t.batch_size}, {t.optimizer}, {t.schedule} rate, {t.precision}, "
                f"seed {t.seed}"
            )
        )
    for note in preview.notes:
        console.print(Text(note, style="dim"))


def print_campaign(
    outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], folders: Sequence[Path], *, errors: bool = False
) -> None:
    """Source by source: results run by run, what each method gained, the bounds; then where everything lies."""
    console = Console(stderr=errors, highlight=False, markup=False)
    for number, source in enumerate(dict.fromkeys(outcome.source for outcome in outcomes)):
        if number:
            console.print()
        mine = [outcome for outcome in outcomes if outcome.source == source]
        _print_source(console, mine, [comparison for comparison in comparisons if comparison.source == source])
    for folder in folders:
        console.print(Text(f"Wrote {folder}"))


def _print_source(console: Console, outcomes: Sequence[Outcome], comparisons: Sequence[Comparison]) -> None:
    first = outcomes[0]
    console.print(Text(f"{first.source} on {first.target}: {first.n_test} test examples", style="bold"))
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.metrics))
    table = _table(("method", False), ("seed", True), *((TITLES.get(name, name), True) for name in names), gap=1)
    for title in ("params", "epochs", "time"):
        table.add_column(title, justify="right", no_wrap=True)
    for outcome in outcomes:
        values = [f"{outcome.metrics[name]:.3f}" if name in outcome.metrics else "" for name in names]
        epochs = str(outcome.epochs) if outcome.epochs else "-"
        spent = [magnitude(outcome.trained), epochs, duration(outcome.seconds)]
        table.add_row(*map(Text, [outcome.strategy, str(outcome.seed), *values, *spent]))
    console.print(table)
    for comparison in comparisons:
        console.print(Text(in_words(comparison), style="bold" if comparison.verdict == "positive" else ""))
        for line in (comparison.advice, *comparison.notes):
            console.print(Text(f"  {line}", style="dim"))
    for bound in next((outcome.bounds for outcome in outcomes if outcome.bounds), ()):
        sign = "holds" if bound.holds else f"does not hold: {bound.note}"
        console.print(Text(f"{bound.name}: {bound.low:.3f} <= {bound.high:.3f} {sign}", style="dim"))
    for note in dict.fromkeys(note for outcome in outcomes for note in outcome.notes):
        console.print(Text(note, style="dim"))


def in_words(comparison: Comparison) -> str:
    """A comparison as one sentence."""
    metric, seeds = comparison.metric.replace("_", " "), len(comparison.seeds)
    text = (
        f"{comparison.strategy}: {comparison.verdict}. {metric} {comparison.transfer:.3f}, from scratch "
        f"{comparison.scratch:.3f}; gain {comparison.gain:+.3f}"
    )
    if comparison.low is not None:
        text += f", {comparison.level:.0%} interval {comparison.low:+.3f} to {comparison.high:+.3f}"
    text += f", {plural(seeds, 'seed')}."
    speed = comparison.convergence
    if speed is None:
        return text
    reached = "never" if speed.epochs is None else f"after {plural(speed.epochs, 'epoch')}"
    return f"{text} Reaches scratch's best {reached}; scratch itself after {speed.scratch_epochs}."


def _table(*columns: tuple[str, bool], gap: int = 2) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title, right in columns:
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    return table
