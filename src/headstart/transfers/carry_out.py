"""Carry out one transfer that is opened and checked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.data import stratified_order
from headstart.data.media import MEDIA
from headstart.data.provenance import provenance
from headstart.data.target import Target
from headstart.errors import HeadstartError, ModelError
from headstart.evaluation import bounds, metrics
from headstart.evaluation.causes import SKILL, stop_behind
from headstart.extract import extract
from headstart.records import Bound, Extraction, Outcome, PlanRow, Predictions
from headstart.records.options import options_of
from headstart.records.outcome import ClassResult
from headstart.scores import leep_skill
from headstart.tasks import Task, softmax, task_of
from headstart.tasks.by_class import by_class
from headstart.train.batches import batches_of
from headstart.train.groups import Group
from headstart.train.loop import Fitted, fit
from headstart.train.outputs import outputs_of
from headstart.train.training import Training
from headstart.transfers.method import Recipe
from headstart.transfers.methods.head import Head, Solved
from headstart.transfers.network import Transferable, as_it_trains, count, transferable
from headstart.transfers.run import Run
from headstart.transfers.scale import Scale
from headstart.transfers.setting import Setting
from headstart.transfers.tuning import note, tuned

CHECKPOINT = "training.safetensors"
FOR_BOUNDS = 2000  # examples on which the bounds are checked


def planned(setting: Setting) -> tuple[Transferable, Recipe]:
    """The network, with whatever the method inserts, and how it trains.

    Raises:
        ModelError: A training has nothing to train: no layer with parameters lies before the features.
    """
    method = setting.method
    train = setting.parts.train
    outputs = task_of(train.task).width(train.labels, train.classes)
    model = transferable(setting.source, outputs, seed=setting.seed, scratch=method.scratch)
    if method.trains and not model.body:
        raise ModelError.of(
            setting.source.name,
            "it has no layers to train below its features: they have no parameters, or run without "
            "gradients. Use `--method head`.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)  # inserted parts start at random
        method.insert(model)
        return model, method.build(model, setting)


def plan_rows(model: Transferable, groups: Sequence[Group]) -> tuple[PlanRow, ...]:
    """The groups as a table, one row per block, from input to output."""
    rows = []
    for block in model.blocks:
        mine = [group for group in groups if group.block == block.name]
        trained = [group for group in mine if group.rate > 0]
        rows.append(
            PlanRow(
                block.name,
                bool(trained),
                max((group.rate for group in trained), default=0.0),
                sum(count(model.network, group.parameters) for group in mine),
                sum(count(model.network, group.parameters) for group in trained),
                min((group.thaw for group in trained), default=0),
            )
        )
    return tuple(rows)


def carry_out(setting: Setting, identity: str) -> Run:
    """Train, test once, and put the record together."""
    started = time.perf_counter()
    solves = not setting.method.trains or setting.method.probes_first
    seen = _extraction(setting, setting.parts.together) if solves else None
    setting, trials = tuned(setting, identity, lambda short: train_once(short, seen))
    model, recipe = planned(setting)
    parts, method = setting.parts, setting.method
    notes = [*parts.notes, *([f"method chosen: {setting.reason}"] if setting.reason else [])]
    notes += [*([note(setting, trials)] if trials else []), *recipe.notes]
    if not method.trains:
        assert seen is not None, "a head is solved on what the source saw"
        fitted, facts = _solved(setting, model, seen)
    else:
        fitted = _trained(setting, model, recipe, identity, seen)
        facts = {} if recipe.objective is None else recipe.objective.facts
        notes += [parts.valid_note] if parts.valid_note and method.holds_out else []
    notes += fitted.notes
    network = model.network.to("cpu").eval()
    seconds = fitted.seconds or time.perf_counter() - started
    predictions = _tested(setting, model)
    try:
        checked, skill = _of_source(setting, seen)
    except HeadstartError as error:  # a finished run is not lost to a bound
        checked, skill, notes = (), {}, [*notes, f"the bounds of LEEP could not be checked: {error}"]
    notes += _caveats(predictions, task_of(parts.train.task))
    outcome = _outcome(
        setting, model, recipe.groups, fitted, predictions, bounds=checked, trials=trials, notes=notes, seconds=seconds,
        facts={**skill, **facts},
    )  # fmt: skip
    trained = tuple(name for group in recipe.groups if group.rate > 0 for name in group.parameters)
    return Run(outcome, predictions, network, setting.source, method, identity, trained)


def _outcome(
    setting: Setting,
    model: Transferable,
    groups: Sequence[Group],
    fitted: Fitted,
    predictions: Predictions | None,
    *,
    notes: Sequence[str],
    **found: Any,
) -> Outcome:
    """The record. `found` are further fields of it."""
    parts, method = setting.parts, setting.method
    task, rows = task_of(parts.train.task), plan_rows(model, groups)
    results, confusion = _by_class(predictions, parts.train)
    return Outcome(
        method=method.name,
        source=setting.source.name,
        target=parts.train.name,
        task=task.name,
        seed=setting.seed,
        metric=task.metric(setting.training.metric).name,
        metrics={} if predictions is None else metrics(predictions.labels, predictions.outputs, task.name),
        n_train=len(parts.train if method.holds_out else parts.together),
        n_valid=0 if parts.valid is None or not method.holds_out else len(parts.valid),
        n_test=0 if parts.test is None else len(parts.test),
        parameters=sum(row.parameters for row in rows),
        trained=sum(row.trained for row in rows),
        epochs=len(fitted.curve),
        best_epoch=fitted.best_epoch,
        stopped=fitted.stopped,
        curve=fitted.curve,
        plan=rows,
        classes=parts.train.classes,
        split=parts.split,
        provenance=provenance(
            parts.train,
            command=setting.command,
            seed=setting.seed,
            source_hashes={setting.source.name: setting.source.fingerprint},
            device=str(setting.device),
            precision=setting.training.precision if method.trains else "fp32",
        ),
        options=method.options | _settings(setting),
        by_class=results,
        confusion=confusion,
        notes=(*notes, *_one_class_only(results)),
        adapted_from=setting.source.adapted_from,
        white_level=parts.train.white_level,
        **found,
    )


def _settings(setting: Setting) -> dict[str, Any]:
    names = options_of(Training) if setting.method.trains else ("metric", "class_weights")
    return {name: getattr(setting.training, name) for name in names}


def _caveats(predictions: Predictions | None, task: Task) -> list[str]:
    if predictions is None:
        return []
    return [said for metric in task.metrics for said in task.caveats(metric.name, predictions.labels)]


def _by_class(
    predictions: Predictions | None, train: Target
) -> tuple[tuple[ClassResult, ...], tuple[tuple[int, ...], ...]]:
    if predictions is None or not task_of(train.task).single_class:
        return (), ()
    return by_class(predictions.labels, predictions.outputs.argmax(axis=1), train.classes)


def _one_class_only(results: tuple[ClassResult, ...]) -> list[str]:
    predicted = [row.name for row in results if row.precision is not None]
    if len(predicted) != 1:
        return []
    return [
        f"every test example was predicted as {predicted[0]}: the model has learnt no other class. Train for more "
        "epochs, or try `--class-weights balanced` or `--balanced-sampling`."
    ]


def train_once(setting: Setting, seen: Extraction | None = None, identity: str = "") -> Fitted:
    """One training by epochs of a network of its own, without a test; resumes from the output folder."""
    model, recipe = planned(setting)
    return _trained(setting, model, recipe, identity, seen)


def _trained(setting: Setting, model: Transferable, recipe: Recipe, identity: str, seen: Extraction | None) -> Fitted:
    parts, scale = setting.parts, Scale(setting.parts.train)
    if seen is not None:
        how = Head(penalty=getattr(setting.method, "penalty", None))
        head = how.solve(seen, parts.train, 0, balanced=setting.training.class_weights == "balanced")
        scale.shrink(head).put_into(model.network.head)
    changed = MEDIA[parts.train.kind].augment(setting.training.augment)
    source = as_it_trains(setting.source, model.probe)
    held = parts.valid if setting.method.holds_out else None
    labelled = parts.train if setting.method.holds_out else parts.together
    train = batches_of(scale.of(labelled), source, augment=changed, seed=setting.seed)
    valid = None if held is None else batches_of(scale.of(held), source)
    if recipe.inserts:
        model.network.add_module("inserts", nn.ModuleDict(dict(recipe.inserts)))
    fitted = fit(
        model.network,
        recipe.groups,
        train,
        valid,
        setting.training,
        task=parts.train.task,
        objective=recipe.objective,
        streams={name: opened() for name, opened in recipe.streams.items()},
        device=setting.device,
        checkpoint=None if setting.out is None else setting.out / CHECKPOINT,
        identity=identity,
        progress=setting.progress,
        stop=stop_behind(setting.against, 0 if held is None else len(held), setting.training.epochs),
    )
    if recipe.inserts:
        del model.network.inserts
    scale.unfold(model.network.head)
    return fitted


def _solved(setting: Setting, model: Transferable, seen: Extraction) -> tuple[Fitted, Mapping[str, float]]:
    assert isinstance(setting.method, Solved), "only a head is solved"
    found = setting.method.solved(setting, seen)
    head, told = found.head, f"head solved: {setting.method.told(found.head)}"
    head.put_into(model.network.head)
    return Fitted((), None, told, 0.0, 0, head.weight.size + head.bias.size, found.notes), found.facts


def _extraction(setting: Setting, target: Target) -> Extraction:
    return extract(target, setting.source, cache=setting.cache, device=str(setting.device), progress=setting.progress)


def _tested(setting: Setting, model: Transferable) -> Predictions | None:
    """Touch the test part, once."""
    test = setting.parts.test
    if test is None:
        return None
    if not setting.method.trains:
        features = torch.tensor(np.array(_extraction(setting, test).features))
        with torch.inference_mode():
            outputs = model.network.head(features.to(model.network.head.weight.dtype)).float().numpy()
        return Predictions(test.ids, test.labels, task_of(test.task).answers(outputs))
    model.network.to(setting.device)
    outputs = outputs_of(model.network, batches_of(test, setting.source, memory=0), device=setting.device).numpy()
    model.network.to("cpu")
    return Predictions(test.ids, test.labels, task_of(test.task).answers(outputs))


def _of_source(setting: Setting, seen: Extraction | None) -> tuple[tuple[Bound, ...], dict[str, float]]:
    """LEEP's bounds on the training part and the skill of the source's classes, where there are classes on both sides.

    Args:
        seen: Of training and validation part, in this order; None where the source has not been through them.
    """
    train, source = setting.parts.train, setting.source
    if not task_of(train.task).single_class or source.card.num_classes is None:
        return (), {}
    if seen is None:
        seen = _extraction(setting, train.subset(_for_bounds(train.labels)))
    rows = _for_bounds(seen.labels[: len(train)])
    assert seen.features is not None, "a source has features"
    assert seen.logits is not None, "the source has a classifier"
    part = replace(seen, labels=seen.labels[rows], features=seen.features[rows])
    head = Head().solve(part, train, 0)
    outputs = head.outputs(np.asarray(part.features, dtype=np.float64))
    probs = softmax(seen.logits[rows])
    return bounds(probs, part.labels, softmax(outputs)), {SKILL: leep_skill(probs, part.labels)}


def _for_bounds(labels: np.ndarray) -> np.ndarray:
    return np.sort(stratified_order(labels, 0)[:FOR_BOUNDS])
