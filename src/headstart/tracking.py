"""Copies of results in an experiment tracker: a ranking as a table, every outcome as a run. Off unless asked for."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from typing import Any

from headstart.errors import HeadstartError, InputError, WriteError, did_you_mean, require
from headstart.records import Outcome, Ranking

PROJECT = "headstart"
Row = Mapping[str, object]


@dataclass(frozen=True)
class Tracked:
    """What one run of a tracker holds."""

    name: str
    config: Row
    steps: Sequence[Mapping[str, float]] = ()  # metrics, in order
    table: Sequence[Row] = ()  # rows with the same columns


def track(record: Ranking | Sequence[Outcome], tracker: str) -> None:
    """Log a ranking as one run with a table, or each outcome as a run with its curve and its test metrics.

    Where things go is the tracker's own matter: `TRACKIO_DIR`, `MLFLOW_TRACKING_URI`, `WANDB_MODE=offline`, ...

    Args:
        record: What `rank` returned, or the outcomes of transfers.
        tracker: "trackio", "mlflow" or "wandb"; each is an extra of the same name.

    Raises:
        InputError: There is no such tracker.
        MissingExtra: It is not installed.
        WriteError: It failed.
    """
    library = library_of(tracker)
    runs = [_ranking(record)] if isinstance(record, Ranking) else [_outcome(one) for one in record]
    try:
        with redirect_stdout(sys.stderr):  # trackers greet on standard output, which may carry JSON
            for run in runs:
                TRACKERS[tracker](library, run)
    except HeadstartError:
        raise
    except Exception as error:  # a tracker may raise anything
        raise WriteError(
            f"{tracker} failed ({type(error).__name__}: {error}). Everything else was written; run again without "
            "`--track`, or correct the settings of the tracker."
        ) from error


def library_of(tracker: str) -> Any:
    """The library of a tracker; check it before any work."""
    if tracker not in TRACKERS:
        known = ", ".join(TRACKERS)
        raise InputError(f"`track` must be one of {known}; got {tracker!r}.{did_you_mean(tracker, TRACKERS)}")
    return require(tracker, f"`--track {tracker}`", tracker)


def _ranking(ranking: Ranking) -> Tracked:
    first = ranking.provenance
    config = {
        "target": ranking.target.name,
        "examples": ranking.target.n,
        "sort": ranking.sort,
        "command": first.command,
    }
    rows = [*ranking.to_rows()]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Tracked(
        f"rank {ranking.target.name}", config, table=[{name: row.get(name) for name in columns} for row in rows]
    )


def _outcome(one: Outcome) -> Tracked:
    plain = {"method": one.method, "source": one.source, "target": one.target, "seed": one.seed}
    steps = [dict(_numbers(asdict(point))) for point in one.curve]
    tested = {f"test {name}": value for name, value in one.metrics.items()}
    config = {**plain, **one.options, "command": one.provenance.command}
    return Tracked(f"{one.method} {one.source} seed {one.seed}", config, [*steps, tested])


def _numbers(row: Row) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _numbers(value)
        elif isinstance(value, int | float):
            yield name, float(value)


def _trackio(trackio: Any, run: Tracked) -> None:
    trackio.init(project=PROJECT, name=run.name, config=dict(run.config), embed=False)
    try:
        _logged(trackio, trackio, run)
    finally:
        trackio.finish()


def _wandb(wandb: Any, run: Tracked) -> None:
    with wandb.init(project=PROJECT, name=run.name, config=dict(run.config)) as opened:
        _logged(opened, wandb, run)


def _logged(to: Any, library: Any, run: Tracked) -> None:
    for step, metrics in enumerate(run.steps):
        to.log(dict(metrics), step=step)
    if run.table:
        to.log({"ranking": library.Table(columns=list(run.table[0]), data=[list(row.values()) for row in run.table])})


def _mlflow(mlflow: Any, run: Tracked) -> None:
    mlflow.set_experiment(PROJECT)
    with mlflow.start_run(run_name=run.name):
        mlflow.log_params(dict(run.config))
        for step, metrics in enumerate(run.steps):
            mlflow.log_metrics(dict(metrics), step=step)
        if run.table:
            columns = {name: [row[name] for row in run.table] for name in run.table[0]}
            mlflow.log_table(columns, "ranking.json")


TRACKERS: dict[str, Callable[[Any, Tracked], None]] = {"trackio": _trackio, "mlflow": _mlflow, "wandb": _wandb}
