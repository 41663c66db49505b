"""`method="auto"`: a head on the best layer, fine-tuning or training from scratch, chosen by measurement.

1. One forward pass gives the features of every layer. The head reads the one with the best leave-one-out result of
   ridge regression.
2. Where that is short of perfect, fine-tuning runs its short trainings (see `tuning`), and so does training from
   scratch where there are 200 examples or more. A whole training leaves about 55 % of the errors of a short one; one
   that is then expected to beat the head is chosen. Both trained alike, scratch must be shown to be better than
   fine-tuning (by two standard errors), which starts where the source ended and ends no lower as a rule.
3. Where the source is not shown to help, the reason names `residual`, which cannot lose to scratch in the limit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import sqrt

import numpy as np

from headstart.data import limit
from headstart.records import Trial
from headstart.records.files import remember, remembered
from headstart.scores import ridge_probe
from headstart.tasks import task_of
from headstart.transfers import tuning
from headstart.transfers.setting import Setting
from headstart.transfers.taps import layer_features
from headstart.transfers.tuning import TrainOnce

CHOICES = ("head", "fine-tune", "scratch")
MANY, PERFECT, MARGIN = 200, 0.98, 0.05
REMAINS = 0.55  # share of the errors of a short training that a whole one leaves: benchmarks/RESULTS.md, "Method auto"
EXAMPLES = 2000  # on which layers are compared
FILE = "auto.json"


@dataclass(frozen=True)
class Advice:
    """A method with its reason."""

    method: str
    reason: str
    layer: str | None = None
    trials: tuple[Trial, ...] = ()  # of the chosen training


def recommend(settings: Mapping[str, Setting], train_once: TrainOnce) -> Advice:
    """The method for a target and a source.

    Args:
        settings: What "head", "fine-tune" and "scratch" would be; kept in the output folder is what was chosen.
        train_once: Trains a setting and returns how it went.
    """
    head = settings["head"]
    about = "\n".join(
        f"{one.source.cache_key} {one.method} {one.training} {one.parts.split}" for one in settings.values()
    )
    key = blake2b(about.encode(), digest_size=16).hexdigest()
    file = None if head.out is None else head.out / FILE
    kept = remembered(file, key, Advice)
    if kept is None:
        kept = _measured(settings, train_once)
        remember(file, key, kept)
    return kept


def _measured(settings: Mapping[str, Setting], train_once: TrainOnce) -> Advice:
    head = settings["head"]
    train, valid = head.parts.train, head.parts.valid

    def trials(name: str) -> tuple[Trial, ...]:
        if valid is None:  # nothing to judge a training by
            return ()
        return tuning.trials(settings[name], train_once)

    layers = layer_quality(head)
    if valid is None:
        return decide(layers, trials, n=len(train), slack=-np.inf)
    if not task_of(train.task).single_class:
        return decide(layers, trials, n=len(train), slack=MARGIN)
    guess, slack = float(np.bincount(train.labels).max() / len(train)), doubt(max(layers.values()), len(valid))
    return decide(layers, trials, n=len(train), guess=guess, slack=slack)


def doubt(accuracy: float, judged: int) -> float:
    """Two standard errors of an accuracy on so many examples."""
    return 2 * sqrt(max(accuracy * (1 - accuracy), 1 / judged) / judged)


def decide(
    layers: dict[str, float],
    trials: Callable[[str], tuple[Trial, ...]],
    *,
    n: int,
    guess: float = -np.inf,
    slack: float = 0.0,
) -> Advice:
    """The rule alone: which method these measurements speak for.

    Args:
        layers: Leave-one-out quality of a head on each layer, from input to output; the last under the empty name.
        trials: The short trainings of a method; asked for only where they may change the choice.
        n: Examples to train on.
        guess: Quality without any model.
        slack: How much more than that, or than training from scratch, shows that the source helps.
    """
    layer = max(reversed(layers), key=layers.__getitem__)  # of equals the last
    best, where = layers[layer], f"layer {layer}" if layer else "the last layer"
    reason = f"a head on {where} (of {len(layers)}) reaches {best:.3f} by leave-one-out"
    chosen = Advice("head", reason, layer or None)
    if best >= PERFECT:
        return chosen
    reached = {"head": best}
    for name in ("fine-tune", "scratch") if n >= MANY else ("fine-tune",):
        made = trials(name)
        finite = [trial for trial in made if trial.loss is not None and trial.quality is not None]
        if not finite:
            continue
        trial = min(finite, key=lambda trial: trial.loss or 0.0)
        reached[name] = quality = trial.quality or 0.0
        expected = 1 - REMAINS * (1 - quality)
        reason += f"; {name} reaches {quality:.3f} after a short training, which promises {expected:.3f}"
        if expected > best and (chosen.method == "head" or quality > reached["fine-tune"] + slack):
            chosen = Advice(name, reason, None, made if trial.options else ())
    alone = max(guess, reached.pop("scratch", guess))  # without the source
    if max(reached.values()) <= alone + slack:
        reason += "; the source is not shown to help: `--method residual` cannot lose to scratch in the limit"
    return replace(chosen, reason=reason)


def layer_quality(setting: Setting) -> dict[str, float]:
    """Leave-one-out quality of ridge regression on each layer's features, from input to output: accuracy or R2.

    The last, under the empty name, is for the features that the source's own head reads.
    """
    part = limit(setting.parts.train, EXAMPLES, 0)
    features = layer_features(setting.source, part, setting.device)
    kind = task_of(part.task).scored_as
    return {name: ridge_probe(x.astype(np.float64), part.labels, task=kind) for name, x in features.items()}
