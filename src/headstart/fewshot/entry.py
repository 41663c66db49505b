"""`few_shot`: rank sources by what their features reach from a few examples of each class."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np

from headstart.data.media import MEDIA
from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.errors import InputError, check_whole
from headstart.fewshot.classifiers import METHODS, classify
from headstart.fewshot.episodes import Episodes, draw, right
from headstart.fewshot.intervals import estimate
from headstart.ranking.inputs import Inputs, open_inputs
from headstart.records import Extraction, Failure, check_destination
from headstart.records.few_shot import FewShot, FewShotSource, ShotAccuracy
from headstart.runner import Progress, listener
from headstart.store import folder_of
from headstart.tasks import task_of

if TYPE_CHECKING:
    from headstart.meta import Cnaps
    from headstart.sources.lookup import Model

StrPath = str | os.PathLike[str]
WAYS = 5  # classes of an episode where the user names no number, as in most papers
Found = dict[tuple[str, int], np.ndarray]  # (method, shots) -> (episodes, ways, queries): 1 where right


def few_shot(
    target: object,
    models: "Model | Sequence[Model] | None" = None,
    *,
    ways: int | Literal["all"] | None = None,
    shots: int | Sequence[int] = (1, 5, 10),
    episodes: int = 600,
    queries: int = 15,
    method: str | Sequence[str] | None = None,
    cnaps: "StrPath | Cnaps | None" = None,
    limit: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch_size: int | None = None,
    cache: StrPath | bool | None = True,
    trust_pickle: bool = False,
    out: StrPath | None = None,
    report: StrPath | None = None,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[ReadingOptions],
) -> FewShot:
    """Rank source models by few-shot accuracy: one forward pass each, then many small tasks on the features.

    Args:
        target: Labelled data, whatever `hs.rank` reads; arrays of features need no models.
        models: Names, modules or sources, as for `hs.rank`.
        ways: Classes of an episode; "all" takes all classes of the data each time. None: 5, or all where the data
            have fewer.
        shots: Examples of each class to learn from; one number or several.
        episodes: Tasks in all, the same for every source.
        queries: Examples of each class that an episode is judged on, at most.
        method: Names out of "centred" (nearest class mean of centred, normalised features), "prototypes" (nearest
            class mean), "cosine", "ridge" and "logistic", as a list or one text with commas; None takes all.
        cnaps: Adaptation networks from `hs.meta.meta_train`, or a file of them: one more row, whose network adapts to
            every episode anew (images only; one forward pass per episode and number of shots).
        limit: Use this many examples, stratified by class.
        seed: Of the examples kept and of the episodes.
        out: Write `few_shot.json` into this folder.
        report: Write a self-contained HTML page to this path.
        device, batch_size, cache, trust_pickle, reading, progress, options: As in `headstart.rank`.

    Returns:
        Sources in order of accuracy at the largest number of shots, by the method that is best on average, with curves
        over the shots and intervals over classes and episodes. Sources that fail are its `failures`.

    Raises:
        InputError: An option or the target cannot be used, or the data hold too few classes or examples.

    Example:
        >>> labels = np.arange(120) % 6
        >>> features = np.eye(6)[labels] + 0.3 * np.random.default_rng(0).standard_normal((120, 6))
        >>> found = few_shot({"features": features, "labels": labels}, ways=3, shots=(1, 5), episodes=50)
        >>> found.rows[0].at("prototypes", 1).accuracy < found.rows[0].at("prototypes", 5).accuracy
        True
    """
    how = reading_of(reading, options, few_shot)
    methods, few = _methods(method), _shots(shots)
    check_whole(2, episodes=episodes, ways=None if ways == "all" else ways)
    check_whole(1, queries=queries, limit=limit)
    check_whole(0, seed=seed)
    for path, folder in ((out, True), (report, False)):
        check_destination(path, folder=folder)
    running: dict[str, Any] = {
        "cache": folder_of(cache), "device": device, "batch_size": batch_size, "max_bad": how.max_bad,
        "trust_pickle": trust_pickle, "progress": listener(progress),
    }  # fmt: skip
    inputs = open_inputs(target, how, most=limit, seed=seed)
    if not task_of(inputs.target.task).single_class:
        raise InputError(f"few-shot learning needs classes, and the target's task is {inputs.target.task}.")
    names = inputs.target.classes
    if ways is None:
        ways = WAYS if len(names) >= WAYS else "all"
    each = None if ways == "all" else ways
    drawn_for = partial(draw, ways=each, shots=max(few), queries=queries, episodes=episodes, names=names, seed=seed)
    drawn_for(np.asarray(inputs.target.labels))  # before any forward pass
    extractions, failures = _extract(inputs, models, running, optional=cnaps is not None)
    reasons = [(one, _unusable(one)) for one in extractions]
    failures += [Failure(one.source, reason) for one, reason in reasons if reason]
    seen = [one for one, reason in reasons if not reason]
    measured = [_measured(one, drawn_for(np.asarray(one.labels)), few, methods) for one in seen]
    if cnaps is not None:
        measured.append(_adapting(cnaps, inputs, drawn_for, few, running))
    if not measured:
        raise InputError(f"no source could be used: {failures[0].source}: {failures[0].reason}")
    used = len(np.unique(measured[0][1].classes))
    best, rows = _ordered(measured, few, methods)
    notes = _left_out(len(names) - used, len(names))
    found = FewShot(
        inputs.target.name, used, ways, few, queries, episodes, seed, best, methods, rows, tuple(failures), notes
    )
    _write(found, out, report)
    return found


def _unusable(seen: Extraction) -> str:
    """Why a source's features tell nothing apart; nothing where they may."""
    if seen.features is None:
        return "it has no features"
    same = bool((seen.features == seen.features[:1]).all())
    return "its features are the same for every example, so there is nothing to tell apart" if same else ""


def _write(found: FewShot, out: StrPath | None, report: StrPath | None) -> None:
    if out is not None:
        found.save(out)
    if report is not None:
        from headstart.report.few_shot import write_few_shot

        write_few_shot(found, report)


def _left_out(count: int, classes: int) -> tuple[str, ...]:
    return (f"Left out for too few examples: {count} of {classes} classes.",) if count else ()


def _methods(method: str | Sequence[str] | None) -> tuple[str, ...]:
    named = tuple(METHODS) if method is None else method.split(",") if isinstance(method, str) else tuple(method)
    for name in named:
        if name not in METHODS:
            raise InputError(f"`method` must be out of {', '.join(METHODS)}; got {name!r}.")
    if not named:
        raise InputError(f"`method` is empty; name some of {', '.join(METHODS)}.")
    return tuple(dict.fromkeys(named))


def _shots(shots: int | Sequence[int]) -> tuple[int, ...]:
    few = (shots,) if isinstance(shots, int) else tuple(shots)
    if not few or any(isinstance(one, bool) or not isinstance(one, int) or one < 1 for one in few):
        raise InputError(f"`shots` must be whole numbers from 1 up, as in (1, 5, 10); got {shots!r}.")
    return tuple(sorted(set(few)))


def _extract(
    inputs: Inputs, models: "Model | Sequence[Model] | None", running: dict[str, Any], *, optional: bool
) -> tuple[list[Extraction], list[Failure]]:
    """Features of every source: those given, or from one forward pass each."""
    if inputs.extractions:
        if models is not None:
            raise InputError("the target holds features already, which need no model; leave out `models`.")
        return list(inputs.extractions), []
    kind = inputs.target.kind
    if models is None:
        if optional:
            return [], []
        raise InputError(f"`models` is missing: name the sources to compare, for example `{MEDIA[kind].model}`.")
    from headstart.extract.several import extract_each
    from headstart.sources import candidates

    return extract_each(inputs.target, candidates(models, kind=kind), **running)


def _adapting(
    given: "StrPath | Cnaps",
    inputs: Inputs,
    drawn_for: Callable[[np.ndarray], Episodes],
    shots: tuple[int, ...],
    running: dict[str, Any],
) -> tuple[str, Episodes, Found]:
    """The row of a learner that adapts to each episode.

    Raises:
        InputError: The target holds no images.
    """
    if inputs.extractions or not MEDIA[inputs.target.kind].pictures:
        raise InputError("`cnaps` adapts a network to images, and the target holds none. Leave it out.")
    from headstart.data.skips import readable
    from headstart.fewshot.cnaps import NAME, right_answers
    from headstart.meta import Cnaps, load

    learner = given if isinstance(given, Cnaps) else load(given)
    target = readable(inputs.target, max_bad=running["max_bad"])[0]
    drawn = drawn_for(np.asarray(target.labels))
    found = right_answers(learner, target, drawn, shots, running["progress"])
    return f"{learner.source.name} ({NAME})", drawn, found


def _measured(
    seen: Extraction, drawn: Episodes, shots: tuple[int, ...], methods: tuple[str, ...]
) -> tuple[str, Episodes, Found]:
    """The row of a source: which query examples are given their class, by method and number of shots."""
    found: Found = {(name, few): np.empty(drawn.query.shape, dtype=int) for name in methods for few in shots}
    for block, few, name, predicted in classify(np.asarray(seen.features), drawn, shots, methods):
        found[name, few][block] = right(predicted, drawn.query[block])
    return seen.source, drawn, found


def _ordered(
    measured: Sequence[tuple[str, Episodes, Found]], shots: tuple[int, ...], methods: tuple[str, ...]
) -> tuple[str, tuple[FewShotSource, ...]]:
    """The method that is best at the most shots, averaged over sources, and the sources in its order."""
    most = max(shots)
    rows = {source: {at: estimate(found[at], drawn, at[1]) for at in found} for source, drawn, found in measured}
    usual = [row for row in rows.values() if (methods[0], most) in row] or list(rows.values())
    names = [name for name in methods if (name, most) in usual[0]] or [name for name, _ in usual[0]]
    best = max(names, key=lambda name: np.mean([row[name, most].value for row in usual]))
    own = {source: best if (best, most) in row else next(iter(row))[0] for source, row in rows.items()}
    order = sorted(measured, key=lambda one: -rows[one[0]][own[one[0]], most].value)
    head, first, leading = order[0]
    ranked = []
    for place, (source, drawn, found) in enumerate(order):
        paired = np.array_equal(drawn.support, first.support) and np.array_equal(drawn.query, first.query)
        behind = (
            estimate(leading[own[head], most] - found[own[source], most], drawn, most, share=False) if paired else None
        )
        points = (
            ShotAccuracy(name, few, one.value, one.low, one.high)
            for (name, few), one in sorted(
                rows[source].items(), key=lambda item: ([*methods, item[0][0]].index(item[0][0]), item[0][1])
            )
        )
        ranked.append(FewShotSource(source, place + 1, behind is None or behind.low <= 0, tuple(points)))
    return best, tuple(ranked)
