"""What transfers reached and gained, as tables and sentences."""

from collections.abc import Sequence
from logging import INFO, getLogger
from typing import TYPE_CHECKING

from headstart.records.table import Prose, Table, View, table, titled
from headstart.wording import MISSING, duration, magnitude, plural, shortened_inside

if TYPE_CHECKING:
    from headstart.records.outcome import Bound, ClassResult, Comparison, Outcome, PlanRow

CLASSES = 20  # more are left to the record
TITLES = {
    "balanced_accuracy": "balanced",
    "macro_f1": "macro F1",
    "log_likelihood": "loglik",
    "calibration_error": "ECE",
    "r2": "R2",
    "mae": "MAE",
}  # short enough for a table on 80 columns


AREAS = ("roc_auc", "pr_auc")  # in the record; in a table, too wide already, where runs are compared by them


def view(outcomes: Sequence["Outcome"], comparisons: Sequence["Comparison"] = ()) -> View:
    """For each source: results run by run, what each method gained, any bound that does not hold, and the notes."""
    parts: list[Table | Prose] = []
    for source in dict.fromkeys(outcome.source for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.source == source]
        first = mine[0]
        parts += [Prose(title=f"{source} on {first.target}: {plural(first.n_test, 'test example')}"), runs(mine)]
        for comparison in comparisons:
            parts += gains(comparison) if comparison.source == source else []
        told = getLogger("headstart").isEnabledFor(INFO)  # theory is for those who ask for it
        bounds = next((outcome.bounds for outcome in mine if outcome.bounds and told), ())
        notes = dict.fromkeys(note for outcome in mine for note in outcome.notes)
        below = (*(_bound(bound) for bound in bounds if not bound.holds), *notes)
        parts += [Prose(below, "quiet")] if below else []
    return parts


def by_class(outcome: "Outcome") -> list[Table | Prose]:
    """Quality of each class on the test part, and which classes were taken for which; nothing where there is none."""
    if not outcome.by_class or len(outcome.by_class) > CLASSES:
        return []
    who = f"{outcome.source}, {outcome.method}, seed {outcome.seed}"
    parts: list[Table | Prose] = [Prose(title=f"By class: {who}"), quality(outcome.by_class)]
    if outcome.confusion:
        names = [shortened_inside(one.name, 12) for one in outcome.by_class]
        rows = [(name, *map(str, counts)) for name, counts in zip(names, outcome.confusion, strict=True)]
        parts += titled("Predicted (columns) for each true class (rows)", ("", *names), rows)
    return parts


def quality(results: Sequence["ClassResult"]) -> Table:
    """One row per class: how many examples it has, and how it was predicted."""
    rows = [
        (one.name, str(one.n), *(MISSING if v is None else f"{v:.3f}" for v in (one.recall, one.precision, one.f1)))
        for one in results
    ]
    return table(("class", "examples", "recall", "precision", "F1"), rows)


def runs(outcomes: Sequence["Outcome"]) -> Table:
    """One row per run: every metric on the test part, and what the training cost."""
    compared = {outcome.metric for outcome in outcomes}
    found = dict.fromkeys(name for outcome in outcomes for name in outcome.metrics)
    names = [name for name in found if name not in AREAS or name in compared]
    rows = [
        (
            outcome.method,
            str(outcome.seed),
            *(f"{outcome.metrics[name]:.3f}" if name in outcome.metrics else "" for name in names),
            magnitude(outcome.trained),
            str(outcome.epochs or "-"),
            duration(outcome.seconds),
        )
        for outcome in outcomes
    ]
    titles = (TITLES.get(name, name.replace("_", " ")) for name in names)
    return table(("method", "seed", *titles, "trained", "epochs", "time"), rows)


def gains(comparison: "Comparison") -> list[Table | Prose]:
    """The verdict on one method, and below it the advice and the notes."""
    return [Prose((comparison.advice, *comparison.notes), "quiet", in_words(comparison))]


def in_words(comparison: "Comparison") -> str:
    """A comparison in one or two sentences."""
    verdict = comparison.verdict if comparison.low is not None else "no verdict"
    metric = comparison.metric.replace("_", " ")
    text = f"{comparison.method}: {verdict}. {metric} {comparison.transfer:.3f}, from scratch {comparison.scratch:.3f}"
    text += f"; gain {comparison.gain:+.3f}"
    if comparison.low is not None:
        text += f", {comparison.level:.0%} interval {comparison.low:+.3f} to {comparison.high:+.3f}"
    text += f", {plural(len(comparison.seeds), 'seed')}."
    speed = comparison.convergence
    if speed is None:
        return text
    reached = "never" if speed.epochs is None else f"after {plural(speed.epochs, 'epoch')}"
    return f"{text} Reaches scratch's best {reached}; scratch itself after {speed.scratch_epochs}."


def plan(rows: Sequence["PlanRow"], *, solved: bool = False) -> Table:
    """One row per block: whether it trains, how fast, and from which epoch.

    Args:
        rows: The plan.
        solved: The head is solved rather than trained, so there is no learning rate.
    """
    gradual = any(row.thaw for row in rows)
    header = ("block", "trainable", "rate", "parameters", "of them train", *(("from epoch",) if gradual else ()))
    cells = []
    for row in rows:
        rate = "0" if not row.trains else "solved" if solved else f"{row.rate:.2g}"
        start = (str(row.thaw + 1) if row.trains else "",) if gradual else ()
        cells.append(
            (row.block, "yes" if row.trains else "no", rate, f"{row.parameters:,}", f"{row.trained:,}", *start)
        )
    tones = tuple("plain" if row.trains else "quiet" for row in rows)
    found = table(header, cells, words=2)
    return Table(found.columns, tones, lead=1)  # type: ignore[arg-type]  # two of the tones


def _bound(bound: "Bound") -> str:
    return f"{bound.name}: {bound.low:.3f} <= {bound.high:.3f} does not hold: {bound.note}"
