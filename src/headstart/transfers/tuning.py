"""Learning rates that are not given: chosen by short trainings, at the same cost for every method and for scratch.

Four settings train for a fifth of the epochs on at most 500 examples; the lowest validation loss wins. Rates a decade
apart, around the usual one, come first; the fourth lies half a decade from the best of them, towards its better side.
Methods with a `ratio` try the same rates as the others, for the pretrained part; the head has at least the usual rate.
Trainings of fewer than 5 epochs use the usual rate.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from headstart.data import limit
from headstart.errors import TrainingError
from headstart.records import Trial
from headstart.records.files import remember, remembered
from headstart.records.options import options_of
from headstart.runner.progress import Event, silent
from headstart.train.loop import Fitted
from headstart.transfers.method import Tuning
from headstart.transfers.setting import Setting

DECADES = (0.1, 1.0, 10.0)  # times the usual rate
HALF = 10**0.5
TRIALS = len(DECADES) + 1
SHORTER, EXAMPLES = 5, 500
FILE = "tuning.json"

TrainOnce = Callable[[Setting], Fitted]


def chosen_by_trials(setting: Setting) -> tuple[str, ...]:
    """Names of the options to choose; none where the rate is given, training is short or nothing is held out."""
    method = setting.method
    if not isinstance(method, Tuning) or method.rate is not None or setting.parts.valid is None:
        return ()
    if setting.training.epochs < SHORTER:
        return ()
    own = "ratio" in options_of(type(method)) and getattr(method, "ratio", None) is None
    return ("rate", "ratio") if own else ("rate",)


def following(setting: Setting, done: Sequence[Trial]) -> dict[str, float]:
    """The options of the next trial, by how the others ended."""
    assert isinstance(setting.method, Tuning), "only methods with a rate are tuned"
    usual = setting.method.rate_in(setting)
    factor = DECADES[len(done)] if len(done) < len(DECADES) else _between([_loss(trial) for trial in done])
    rate = float(f"{usual * factor:.2g}")
    if "ratio" not in chosen_by_trials(setting):
        return {"rate": rate}
    return {"rate": max(usual, rate), "ratio": float(f"{max(usual, rate) / rate:.2g}")}


def _between(losses: Sequence[float]) -> float:
    """Half a decade from the best rate: towards the better of its neighbours, or outwards at an end.

    Example:
        >>> [round(_between(losses), 3) for losses in ([1.0, 2.0, 3.0], [3.0, 1.0, 2.0], [3.0, 2.0, 1.0])]
        [0.032, 3.162, 31.623]
    """
    best = min(range(len(losses)), key=losses.__getitem__)
    up = best == len(losses) - 1 or (best > 0 and losses[best + 1] < losses[best - 1])
    return DECADES[best] * (HALF if up else 1 / HALF)


def _loss(trial: Trial) -> float:
    return float("inf") if trial.loss is None else trial.loss


def tuned(setting: Setting, identity: str, train_once: TrainOnce) -> tuple[Setting, tuple[Trial, ...]]:
    """The setting with the best options that were tried, and how all of them did; resumes from the output folder.

    Args:
        train_once: Trains a setting and returns how it went.
    """
    file = None if setting.out is None else setting.out / FILE
    done = list(setting.opened.get("trials", ())) or remembered(file, identity, list[Trial]) or []
    while chosen_by_trials(setting) and len(done) < TRIALS:
        trial = tried(setting, following(setting, done), train_once)
        done.append(trial)
        remember(file, identity, done)
        shown = "not finite" if trial.loss is None else f"{trial.loss:.3f}"
        message = f"trial {len(done)}/{TRIALS}: {_in_words(trial.options)}, validation loss {shown}"
        setting.progress(Event("trials", len(done), TRIALS, message))
    finite = [trial for trial in done if trial.loss is not None]
    if not finite:
        return setting, tuple(done)
    return replace(setting, method=replace(setting.method, **min(finite, key=_loss).options)), tuple(done)


def trials(setting: Setting, train_once: TrainOnce) -> tuple[Trial, ...]:
    """The short trainings of a setting; one with the given options where nothing is to be chosen."""
    if not chosen_by_trials(setting):
        return (tried(setting, {}, train_once),)
    return tuned(replace(setting, out=None, progress=silent), "", train_once)[1]


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
    if not (names := chosen_by_trials(setting)):
        return ()
    epochs, n = max(1, setting.training.epochs // SHORTER), len(setting.parts.train)
    added = TRIALS * epochs * min(n, EXAMPLES) / (setting.training.epochs * n)
    return (
        f"{' and '.join(names)} will be chosen by {TRIALS} short trainings first (epochs={epochs}, at most "
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


def forget(out: str | os.PathLike[str]) -> None:
    """Remove the trials of a run that is finished."""
    (Path(out) / FILE).unlink(missing_ok=True)
