"""`zero_shot`: classify examples of classes that have names and no examples."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from headstart.data import Reading, Target, open_target, unlabelled_target
from headstart.data import limit as keep
from headstart.data.media import MEDIA
from headstart.data.provenance import digests, provenance
from headstart.data.reading import ReadingOptions, reading_of
from headstart.errors import HeadstartError, InputError, ModelError, ModelNameError, TargetError
from headstart.extract import extract
from headstart.records import Failure, ZeroShot, ZeroShotSource, check_destination
from headstart.records.zero_shot import Share
from headstart.runner import Event, Progress, listener
from headstart.sources.names import TEXT
from headstart.stats import share_interval
from headstart.store import folder_of
from headstart.tasks import task_of
from headstart.zeroshot import prompts
from headstart.zeroshot.descriptions import Descriptions, learn_descriptions, signatures_of

if TYPE_CHECKING:
    from headstart.sources import Source

ALL = "all sets"
Fits = Callable[[np.ndarray, Sequence[str], tuple[str, ...]], np.ndarray]  # features, names, templates -> logits
StrPath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class _Answered:
    row: ZeroShotSource
    ids: tuple[str, ...]
    logits: np.ndarray  # (n, C) of the chosen template set
    sets: dict[str, tuple[str, ...]]  # of templates; of several also ALL
    fingerprint: str


def zero_shot(
    data: object,
    models: str | Sequence[str],
    *,
    class_names: object = None,
    templates: str | Sequence[str] | None = None,
    labelled: object = None,
    limit: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch_size: int | None = None,
    cache: StrPath | bool | None = True,
    trust_pickle: bool = False,
    out: StrPath | None = None,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[ReadingOptions],
) -> ZeroShot:
    """Classify images by the names of their classes, with image-text pairs such as CLIP.

    Args:
        data: Whatever `hs.rank` reads. Without labels, the classes are those that `class_names` lists.
        models: Image-text pairs: `zoo/tiny_clip`, `hf/ID`, `local-dir:PATH`, `open_clip/NAME:PRETRAINED`; with
            `labelled`, also any other image model.
        class_names: What to call the classes: a mapping, a list in their order, or a CSV file with a class and its name
            in each line. By default the data's own names, made readable.
        templates: Sets of prompts, separated by commas: `names`, `plain`, `imagenet`, or text files with `{}`. None:
            `plain` for image-text pairs, `names` for other models.
        labelled: Labelled examples, read like `data`, of these classes or of others. They calibrate the temperature; an
            image model without a text encoder learns from them how its features go with names (ESZSL).
        limit: Use this many examples.
        seed: For the sample.
        out: Write `zero-shot.json` into this folder.
        device, batch_size, cache, trust_pickle, reading, progress, options: As in `headstart.rank`.

    Returns:
        Accuracy of each template set with its interval where there are labels, and the answers of the best source.

    Raises:
        InputError: An option, a name or a template cannot be used, or every model failed.
        TargetError: The data cannot be read.
    """
    how = reading_of(reading, options, zero_shot)
    check_destination(out, folder=True)
    asked = None if templates is None else prompts.templates(templates)
    target, known, classes = _open(data, how, class_names)
    named = class_names if known else None
    names = prompts.readable(classes, named)
    target = (target if limit is None else keep(target, limit, seed)).held()
    others = None if labelled is None else open_target(labelled, reading=how).held()
    if others is not None and not task_of(others.task).single_class:
        raise InputError(f"`labelled` must hold examples of classes; {others.name} has none.")
    target = replace(target, notes=(*target.notes, *prompts.renamed(classes, named), *_doubts(target, others)))
    running: dict[str, Any] = {
        "cache": folder_of(cache), "device": device, "batch_size": batch_size, "max_bad": how.max_bad,
        "progress": listener(progress),
    }  # fmt: skip
    answer = partial(
        _answered, target=target, known=known, called=dict(zip(classes, names, strict=True)), asked=asked,
        labelled=others, trust_pickle=trust_pickle, running=running,
    )  # fmt: skip
    found: list[_Answered] = []
    failures: list[Failure] = []
    for name in _named(models, labelled=others is not None):
        try:
            found.append(answer(name))
        except TargetError:
            raise
        except HeadstartError as error:
            failures.append(Failure.of(name, error))
    if not found:
        raise InputError(f"no model could be used: {failures[0].source}: {failures[0].reason}")
    record = _record(found, failures, target, known, classes, names, seed)
    if out is not None:
        record.save(out)
    return record


def _doubts(target: Target, labelled: Target | None) -> list[str]:
    """Why accuracy on the target may say little."""
    own = list(digests(target))
    same = 0 if labelled is None else len(set(digests(labelled)).intersection(own))
    told = f"{same} of {len(own)} examples are also in `labelled`: accuracy on them is too high for new examples."
    alike = f"All {len(own)} examples have the same content."
    return ([told] if same else []) + ([alike] if len(set(own)) == 1 < len(own) else [])


def _named(models: str | Sequence[str], *, labelled: bool) -> list[str]:
    """The models one by one; a glob, such as `zoo`, may name only models that learn from labelled examples."""
    from headstart.sources import candidates

    names = [models] if isinstance(models, str) else list(models)
    return [one.name for one in candidates(names, kind="image")] if labelled else names


def _open(data: object, how: Reading, class_names: object) -> tuple[Target, bool, tuple[str, ...]]:
    """The examples, whether they have labels, and the classes."""
    try:
        target = open_target(data, reading=how)
        if not MEDIA[target.kind].pictures:
            raise InputError(
                f"zero-shot classifies images, and {target.name} holds {MEDIA[target.kind].plural}. With a few labels, "
                "use `few-shot`."
            )
    except TargetError:
        if class_names is None:
            raise
        return unlabelled_target(data, "image", how), False, prompts.listed(class_names)
    if not task_of(target.task).single_class:
        raise TargetError(f"{target.name} has no classes to name; zero-shot needs a classification target.")
    return target, True, target.classes


def _answered(
    name: str,
    *,
    target: Target,
    known: bool,
    called: dict[str, str],
    asked: dict[str, tuple[str, ...]] | None,
    labelled: Target | None,
    trust_pickle: bool,
    running: dict[str, Any],
) -> _Answered:
    """One model's answers.

    Args:
        known: The target has labels.
        called: The target's classes and their names.
        asked: Template sets.
        labelled: Other examples, with labels.

    Raises:
        HeadstartError: It cannot be loaded or run.
    """
    running["progress"](Event(name, 0, len(target)))
    others = () if labelled is None else prompts.readable(labelled.classes, _own(called, labelled.classes))
    source, usual, fits = _classifier(name, labelled, others, trust_pickle, running)
    rows = extract(target, source, **running)
    assert rows.features is not None
    sets = asked or prompts.templates(usual)
    if len(sets) > 1:
        sets = {**sets, ALL: tuple(line for lines in sets.values() for line in lines)}
    logits = {key: fits(rows.features, list(called.values()), lines) for key, lines in sets.items()}
    chosen, accuracy, fitted = list(logits)[-1], {}, None
    if known:
        accuracy = {key: share(found.argmax(axis=1) == rows.labels) for key, found in logits.items()}
        chosen = max(accuracy, key=lambda key: accuracy[key].value)
    if labelled is not None:
        seen = extract(labelled, source, **running)
        assert seen.features is not None
        fitted = fitted_temperature(fits(seen.features, others, sets[chosen]), seen.labels)
    elif known:
        fitted = fitted_temperature(logits[chosen], rows.labels)
    temperature, before, after = fitted or (None, None, None)
    row = ZeroShotSource(name, accuracy, before, after, temperature, chosen)
    return _Answered(row, rows.ids, logits[chosen] / (temperature or 1.0), sets, source.fingerprint)


def _own(called: dict[str, str], classes: Sequence[str]) -> dict[str, str]:
    return {name: called[name] for name in classes if name in called}


def _classifier(
    name: str, labelled: Target | None, others: Sequence[str], trust_pickle: bool, running: dict[str, Any]
) -> "tuple[Source, str, Fits]":
    """An image source, its usual template set, and what makes logits of its features.

    Args:
        others: Names of the classes of `labelled`.
    """
    from headstart.sources import candidates
    from headstart.zeroshot.pairs import open_pair, text_head, unit

    try:
        pair = open_pair(name, trust_pickle=trust_pickle)
    except (ModelNameError, ModelError):
        if labelled is None:
            raise
        source = candidates(name, kind=labelled.kind)[0].load(trust_pickle)
        seen = extract(labelled, source, **running)

        @cache
        def learnt(lines: tuple[str, ...]) -> Descriptions:
            return learn_descriptions(np.asarray(seen.features), seen.labels, signatures_of(others, lines, TEXT))

        return (
            source,
            "names",
            lambda rows, names, lines: learnt(lines).compatibility(rows, signatures_of(names, lines, TEXT)),
        )
    return pair.image, "plain", lambda rows, names, lines: text_head(pair, names, lines)(unit(rows)).numpy()


def fitted_temperature(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """The temperature with the largest mean log-likelihood of the labels, and that likelihood before and after.

    Example:
        >>> temperature, before, after = fitted_temperature(np.array([[9.0, 0.0], [9.0, 0.0]]), np.array([0, 1]))
        >>> before < after
        True
    """
    rows = np.arange(len(labels))

    def mean(temperature: float) -> float:
        return float(log_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)[rows, labels].mean())

    best = minimize_scalar(lambda power: -mean(float(np.exp(power))), bounds=(-5.0, 5.0), method="bounded")
    temperature = float(np.exp(best.x))
    return temperature, mean(1.0), mean(temperature)


def share(hits: np.ndarray) -> Share:
    """The share of hits with its exact 95 % interval."""
    n, k = len(hits), int(np.sum(hits))
    return Share(k / n, *share_interval(k, n))


def _record(
    found: Sequence[_Answered],
    failures: Sequence[Failure],
    target: Target,
    labelled: bool,
    classes: tuple[str, ...],
    names: tuple[str, ...],
    seed: int,
) -> ZeroShot:
    ordered = sorted(found, key=lambda one: -max((each.value for each in one.row.accuracy.values()), default=0.0))
    best = ordered[0]
    probs = softmax(np.asarray(best.logits, dtype=np.float64), axis=1)
    chance = float(np.bincount(target.labels).max() / len(target)) if labelled else None
    notes = list(target.notes)
    sets = {key: lines for one in ordered for key, lines in one.sets.items() if key != ALL}
    if labelled and any(len(one.sets) > 1 for one in ordered):
        notes.append("The best template set was chosen on these labels, which favours it a little.")
    return ZeroShot(
        data=target.name,
        n=len(best.ids),
        classes=classes,
        names=names,
        prompts={key: tuple(line.replace("{}", names[0]) for line in lines) for key, lines in sets.items()},
        rows=tuple(one.row for one in ordered),
        ids=best.ids,
        answers=tuple(int(code) for code in probs.argmax(axis=1)),
        probabilities=tuple(float(value) for value in probs.max(axis=1)),
        labelled=labelled,
        chance=chance,
        failures=tuple(failures),
        provenance=provenance(
            target,
            command=f"headstart.zero_shot({target.name!r}, {[one.row.source for one in ordered]!r})",
            seed=seed,
            source_hashes={one.row.source: one.fingerprint for one in ordered},
            device="cpu",
        ),
        notes=tuple(notes),
    )
