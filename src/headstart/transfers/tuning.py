"""Learning rates that are not given: chosen by short trainings, at the same cost for every method and for scratch.

Each setting of a small grid trains for a fifth of the epochs on at most 500 examples; the lowest validation loss wins.
The grid has four settings: methods with a `ratio` try four ratios, the others four rates around their usual one.
Trainings of fewer than 5 epochs use the usual rate.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from headstart.data import limit
from headstart.errors import TrainingError
from headstart.records import Trial, write_atomically
from headstart.records.options import options_of
from headstart.runner.progress import Event, silent
from headstart.train.loop import Fitted
from headstart.transfers.method import Tuning
from headstart.transfers.setting import Setting

FACTORS = (1 / 3, 1.0, 3.0, 10.0)  # times the usual rate
RATIOS = (1.0, 3.0, 10.0, 30.0)
SHORTER, EXAMPLES = 5, 500
FILE = "tuning.json"

TrainOnce = Callable[[Setting], Fitted]


def grid(setting: Setting) -> list[dict[str, float]]:
    """The settings to try; none where the rate is given, training is short or nothing is held out to judge by."""
    method = setting.method
    if not isinstance(method, Tuning) or method.rate is not None or setting.parts.valid is None:
        return []
    if setting.training.epochs < SHORTER:
        return []
    if "ratio" in options_of(type(method)) and getattr(method, "ratio", None) is None:
        return [{"rate": method.rate_in(setting), "ratio": ratio} for ratio in RATIOS]
    return [{"rate": float(f"{method.rate_in(setting) * factor:.2g}")} for factor in FACTORS]


def tuned(setting: Setting, identity: str, train_once: TrainOnce) -> tuple[Setting, tuple[Trial, ...]]:
    """The setting with the best options of its grid, and how all of them did; resumes from the output folder.

    Args:
        train_once: Trains a setting and returns how it went.
    """
    file = None if setting.out is None else setting.out / FILE
    wanted, done = grid(setting), list(setting.opened.get("trials", ())) or _read(file, identity)
    for options in wanted[len(done) :]:
        trial = tried(setting, options, train_once)
        done.append(trial)
        _write(file, identity, done)
        shown = "not finite" if trial.loss is None else f"{trial.loss:.3f}"
        message = f"trial {len(done)}/{len(wanted)}: {_in_words(options)}, validation loss {shown}"
        setting.progress(Event("trials", len(done), len(wanted), message))
    finite = [trial for trial in done if trial.loss is not None]
    if not finite:
        return setting, tuple(done)
    best = min(finite, key=lambda trial: trial.loss or 0.0)
    return replace(setting, method=replace(setting.method, **best.options)), tuple(done)


def tried(setting: Setting, options: dict[str, float], train_once: TrainOnce) -> Trial:
    """A short training with these options."""
    epochs = max(1, setting.training.epochs // SHORTER)
    parts = replace(setting.parts, train=limit(setting.parts.train, EXAMPLES, 0))
    short = replace(
        setting,
        method=replace(setting.method, **options),
        training=replace(setting.training, epochs=epochs, patience=None),
        parts=parts,
        out=None,
        progress=silent,
    )
    try:
        curve = train_once(short).curve
    except TrainingError:  # the smallest rates of the grid may still do
        return Trial(options, None)
    losses = [point.valid_loss for point in curve if point.valid_loss is not None]
    qualities = [point.valid_quality for point in curve if point.valid_quality is not None]
    return Trial(options, min(losses), max(qualities))


def to_be_tuned(setting: Setting) -> tuple[str, ...]:
    """What choosing the options would add to a training, in a sentence; nothing where they are given."""
    if not (options := grid(setting)):
        return ()
    epochs, n = max(1, setting.training.epochs // SHORTER), len(setting.parts.train)
    added = len(options) * epochs * min(n, EXAMPLES) / (setting.training.epochs * n)
    return (
        f"{' and '.join(options[0])} will be chosen by {len(options)} short trainings first (epochs={epochs}, at most "
        f"{EXAMPLES} examples), which adds {added:.0%} to the training; `rate` fixes it.",
    )


def note(setting: Setting, trials: tuple[Trial, ...]) -> str:
    """How the options were chosen, in a sentence."""
    chosen = {name: getattr(setting.method, name) for name in trials[0].options}
    epochs = max(1, setting.training.epochs // SHORTER)
    return (
        f"{_in_words(chosen)}: the best of {len(trials)} settings by validation loss in short trainings "
        f"(epochs={epochs}); `rate` fixes it"
    )


def _in_words(options: dict[str, float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in options.items())


def _read(file: Path | None, identity: str) -> list[Trial]:
    if file is None or not file.exists():
        return []
    try:
        found = json.loads(file.read_bytes())
        return [Trial(**trial) for trial in found["trials"]] if found["identity"] == identity else []
    except (ValueError, KeyError, TypeError):  # trials are cheap to repeat
        return []


def _write(file: Path | None, identity: str, trials: list[Trial]) -> None:
    if file is not None:
        content = {"identity": identity, "trials": [asdict(trial) for trial in trials]}
        write_atomically(file, json.dumps(content).encode())


def forget(out: str | os.PathLike[str]) -> None:
    """Remove the trials of a run that is finished."""
    (Path(out) / FILE).unlink(missing_ok=True)
