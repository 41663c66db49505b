"""`few_shot`: rank sources by what their features reach from a few examples of each class."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Unpack

import numpy as np

from headstart.data.media import MEDIA
from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.errors import InputError
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
    from headstart.sources.lookup import Model

StrPath = str | os.PathLike[str]
Found = dict[tuple[str, int], np.ndarray]  # (method, shots) -> (episodes, ways, queries): 1 where right


def few_shot(
    target: object,
    models: "Model | Sequence[Model] | None" = None,
    *,
    ways: int | Literal["all"] = 5,
    shots: int | Sequence[int] = (1, 5, 10),
    episodes: int = 600,
    queries: int = 15,
    method: str | Sequence[str] | None = None,
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
) -> FewShot:
    """Rank source models by few-shot accuracy: one forward pass each, then many small tasks on the features.

    Args:
        target: Labelled data, whatever `hs.rank` reads; arrays of features need no models.
        models: Names, modules or sources, as for `hs.rank`.
        ways: Classes of an episode; "all" takes all classes of the data each time.
        shots: Examples of each class to learn from; one number or several.
        episodes: Tasks in all, the same for every source.
        queries: Examples of each class that an episode is judged on, at most.
        method: Names out of "centred" (nearest class mean of centred, normalised features), "prototypes" (nearest
            class mean), "cosine", "ridge" and "logistic", as a list or one text with commas; None takes all.
        limit: Use this many examples, stratified by class.
        seed: Of the examples kept and of the episodes.
        device: "auto", "cpu", "cuda" or "mps".
        batch_size: Examples per forward pass; as many as fit in memory if None.
        cache: True keeps forward passes in the default folder, a path keeps them there, False or None keeps none.
        trust_pickle: Load checkpoints that can run code.
        out: Write `few_shot.json` into this folder.
        reading: How the target is read, as one `headstart.Reading`.
        progress: None shows it in a terminal or notebook, True everywhere, False nowhere; a function gets each `Event`.
        options: The fields of `reading` as keywords.

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
    numbers = {"episodes": (episodes, 2), "queries": (queries, 1), "seed": (seed, 0), "limit": (limit, 1)}
    for name, (value, least) in {**numbers, **({} if ways == "all" else {"ways": (ways, 2)})}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise InputError(f"`{name}` must be a whole number from {least} up{_or_all(name)}; got {value!r}.")
    check_destination(out, folder=True)
    inputs = open_inputs(target, how, most=limit, seed=seed)
    if not task_of(inputs.target.task).single_class:
        raise InputError(f"few-shot learning needs classes, and the target's task is {inputs.target.task}.")
    names = inputs.target.classes

    def drawn_for(labels: np.ndarray) -> Episodes:
        return draw(
            labels, ways=None if ways == "all" else ways, shots=max(few), queries=queries, episodes=episodes,
            names=names, seed=seed,
        )  # fmt: skip

    drawn_for(np.asarray(inputs.target.labels))  # before any forward pass
    extractions, failures = _extract(
        inputs, models, cache, device, batch_size, how.max_bad, trust_pickle, listener(progress)
    )
    measured: list[tuple[str, Episodes, Found]] = []
    for extraction in extractions:
        if extraction.features is None:
            failures.append(Failure(extraction.source, "it has no features"))
            continue
        drawn = drawn_for(np.asarray(extraction.labels))
        measured.append((extraction.source, drawn, _measure(np.asarray(extraction.features), drawn, few, methods)))
    if not measured:
        raise InputError(f"no source could be used: {failures[0].source}: {failures[0].reason}")
    used = len(np.unique(measured[0][1].classes))
    left = len(names) - used
    notes = (f"{left} of {len(names)} classes have too few examples and were left out.",) if left else ()
    best, rows = _ordered(measured, few, methods)
    found = FewShot(
        inputs.target.name, used, ways, few, queries, episodes, seed, best, methods, rows, tuple(failures), notes
    )
    if out is not None:
        found.save(out)
    return found


def _or_all(name: str) -> str:
    return ', or "all"' if name == "ways" else ""


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
    inputs: Inputs,
    models: "Model | Sequence[Model] | None",
    cache: StrPath | bool | None,
    device: str,
    batch_size: int | None,
    max_bad: float,
    trust_pickle: bool,
    tell: Progress,
) -> tuple[list[Extraction], list[Failure]]:
    """Features of every source: those given, or from one forward pass each."""
    if inputs.extractions:
        if models is not None:
            raise InputError("the target holds features already, which need no model; leave out `models`.")
        return list(inputs.extractions), []
    kind = inputs.target.kind
    if models is None:
        raise InputError(f"`models` is missing: name the sources to compare, for example `{MEDIA[kind].model}`.")
    from headstart.extract.several import extract_each
    from headstart.sources import candidates

    return extract_each(
        inputs.target, candidates(models, kind=kind), cache=folder_of(cache), device=device, batch_size=batch_size,
        max_bad=max_bad, trust_pickle=trust_pickle, progress=tell,
    )  # fmt: skip


def _measure(features: np.ndarray, drawn: Episodes, shots: tuple[int, ...], methods: tuple[str, ...]) -> Found:
    """Which query examples of each episode are given their class, by method and number of shots."""
    found: Found = {(name, few): np.empty(drawn.query.shape, dtype=int) for name in methods for few in shots}
    for block, few, name, predicted in classify(features, drawn, shots, methods):
        found[name, few][block] = right(predicted, drawn.query[block])
    return found


def _ordered(
    measured: Sequence[tuple[str, Episodes, Found]], shots: tuple[int, ...], methods: tuple[str, ...]
) -> tuple[str, tuple[FewShotSource, ...]]:
    """The method that is best at the most shots, averaged over sources, and the sources in its order."""
    most = max(shots)
    rows = {source: {at: estimate(found[at], drawn, at[1]) for at in found} for source, drawn, found in measured}
    best = max(methods, key=lambda name: np.mean([row[name, most].value for row in rows.values()]))
    order = sorted(measured, key=lambda one: -rows[one[0]][best, most].value)
    _, first, leading = order[0]
    ranked = []
    for place, (source, drawn, found) in enumerate(order):
        paired = np.array_equal(drawn.support, first.support) and np.array_equal(drawn.query, first.query)
        behind = estimate(leading[best, most] - found[best, most], drawn, most, share=False) if paired else None
        points = (
            ShotAccuracy(name, few, one.value, one.low, one.high)
            for (name, few), one in sorted(
                rows[source].items(), key=lambda item: (methods.index(item[0][0]), item[0][1])
            )
        )
        ranked.append(FewShotSource(source, place + 1, behind is None or behind.low <= 0, tuple(points)))
    return best, tuple(ranked)
