"""Race models by real fine-tuning: each begins with two settings, and the worse half stops as the epochs grow.

All trainings follow the schedule of a whole one, so that what stops at 2 of 20 epochs is comparable, and what continues
continues exactly from its checkpoint. A race over s models takes about a quarter of what s whole trainings take. The
likeliest model is trained to the end whatever happens: few held-out examples say less than what chose it
(benchmarks/RESULTS.md, "Search").
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.data import Target
from headstart.data.provenance import target_hash
from headstart.errors import HeadstartError, InputError
from headstart.records import CurvePoint, Failure, FineTuned
from headstart.runner import Event, Progress
from headstart.runner.progress import Stopped
from headstart.train.checkpoint import read_checkpoint
from headstart.transfers.carry_out import CHECKPOINT, train_once
from headstart.transfers.methods.fine_tune import FineTune
from headstart.transfers.opening import open_setting
from headstart.transfers.parts import Parts, hold_out
from headstart.transfers.setting import Setting, identity_of
from headstart.transfers.single import transfer

if TYPE_CHECKING:
    from headstart.sources import Candidate

RUNGS = (2, 5, 10, 20)  # epochs after which the worse half stops; the last is a whole training
RATIOS = (1.0, 10.0)  # how many times more slowly the body trains than the head
RATE = 1e-3
MOST = 8  # models that begin
VALID = 0.25


class _Arm:
    """One training in the race."""

    def __init__(self, setting: Setting) -> None:
        assert isinstance(setting.method, FineTune)
        self.setting, self.identity, self.curve = setting, identity_of(setting), list[CurvePoint]()

    @property
    def key(self) -> tuple[float, float]:
        """How good it is so far: validation quality, then minus the loss."""
        reached = [
            (point.valid_quality, -point.valid_loss)
            for point in self.curve
            if point.valid_quality is not None and point.valid_loss is not None
        ]
        return max(reached, default=(-math.inf, -math.inf))

    def advance(self, epochs: int, stop: Progress) -> None:
        """Train up to the end of an epoch, from where the training stands."""

        def heard(event: Event) -> None:
            stop(event)
            if event.what == "training" and event.done > event.total * epochs / RUNGS[-1]:
                raise Stopped

        assert self.setting.out is not None
        try:
            self.curve = list(train_once(replace(self.setting, progress=heard), None, self.identity).curve)
        except Stopped:
            found = read_checkpoint(self.setting.out / CHECKPOINT, self.identity)
            self.curve = found[0].curve if found else []

    def record(self) -> FineTuned:
        """The quality reached so far, and at what cost."""
        quality, loss = self.key
        ratio = self.setting.method.options["ratio"]
        judged = 0 if self.setting.parts.valid is None else len(self.setting.parts.valid)
        name, seconds = self.setting.source.name, self.curve[-1].seconds
        return FineTuned(name, float(ratio), len(self.curve), quality, -loss, judged, seconds)


def race(
    target: Target,
    models: "Sequence[Candidate]",
    place: Path,
    *,
    stop: Progress,
    tell: Progress,
    seed: int = 0,
    device: str = "auto",
    trust_pickle: bool = False,
) -> tuple[tuple[FineTuned, ...], dict[str, Failure]]:
    """Every training that was begun, the best first, and why a model could not be trained.

    Args:
        target: Labelled examples; a quarter is set aside to judge by.
        models: The likeliest first; the first eight begin.
        place: Folder for checkpoints: a race that was stopped goes on from there.
        stop: Called at every step; raises `Stopped` when the time is up.
        tell: Called after each training.
        seed: Of every random choice.
        device: Where to train.
        trust_pickle: Load checkpoints that can run code.

    Raises:
        InputError: There are too few examples to set any aside.
    """
    train, valid = hold_out(target, VALID, seed)
    if valid is None:
        raise InputError(f"{target.name} has too few examples to race by fine-tuning: every class needs two.")
    parts = Parts(train, valid, None, f"{target_hash(target)} {seed}", ())
    shared = {"seed": seed, "device": device, "trust_pickle": trust_pickle, "cache": False, "progress": False}
    failures: dict[str, Failure] = {}
    alive = [arm for model in models[:MOST] for arm in _arms(parts, model, place, shared, failures)]
    begun: list[_Arm] = []
    for rung, epochs in enumerate(RUNGS):
        for number, arm in enumerate(alive):
            title = f"{arm.setting.source.name}, {epochs} of {RUNGS[-1]} epochs"
            try:
                arm.advance(epochs, stop)
            except HeadstartError as error:
                failures[arm.setting.source.name] = Failure.of(arm.setting.source.name, error)
            begun += [arm] if rung == 0 else []
            tell(Event("fine-tunings", number + 1, len(alive), f"{title}: validation {arm.key[0]:.3f}"))
        order = sorted((arm for arm in alive if arm.curve), key=lambda arm: arm.key, reverse=True)
        alive = order[: math.ceil(len(order) / 2)]
        likeliest = [arm for arm in order if arm.setting.source.name == models[0].name][:1]
        alive += [arm for arm in likeliest if arm not in alive]
    ended = sorted((arm.record() for arm in begun if arm.curve), key=lambda one: one.standing, reverse=True)
    return tuple(ended), failures


def _arms(
    parts: Parts, model: "Candidate", place: Path, shared: dict[str, Any], failures: dict[str, Failure]
) -> list[_Arm]:
    try:
        source = model.load(shared["trust_pickle"])
        found = []
        for ratio in RATIOS:
            folder = place / f"{model.name.replace('/', '-')}-{ratio:g}"
            folder.mkdir(parents=True, exist_ok=True)
            method = FineTune(rate=RATE, ratio=ratio)
            asked = signature(transfer).bind(parts, source, method=method, out=folder, epochs=RUNGS[-1], **shared)
            asked.apply_defaults()
            found.append(_Arm(open_setting(transfer, asked.arguments)))
        return found
    except HeadstartError as error:
        failures[model.name] = Failure.of(model.name, error)
        return []
