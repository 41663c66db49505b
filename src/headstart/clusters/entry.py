"""`cluster`: from examples without labels to groups of alike ones, in the features of the source to trust most."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from scipy.special import softmax

from headstart.clusters import criteria, oddities, partition, plane
from headstart.data import Reading, Target, limit, open_target, order_of, unlabelled_target
from headstart.data.media import MEDIA
from headstart.data.provenance import provenance
from headstart.data.reading import ReadingOptions, reading_of
from headstart.data.stored import ArrayRows
from headstart.data.target import row_ids
from headstart.errors import ExampleError, HeadstartError, InputError, TargetError
from headstart.records import Cluster, ClusteredSource, Clustering, Extraction, Failure, ModelCard, check_destination
from headstart.runner import Progress, listener
from headstart.store import folder_of

if TYPE_CHECKING:
    from headstart.sources.lookup import Model

StrPath = str | os.PathLike[str]
Naming = Callable[..., Extraction]
SELECT = ("stability", "agreement", "silhouette")
LITTLE = 0.1  # stability above chance below which a note says so


@dataclass(frozen=True, eq=False)
class _Grouped:
    """One source's points and groups."""

    extraction: Extraction
    points: partition.Points
    groups: partition.Groups
    row: ClusteredSource


def cluster(
    data: object,
    models: "Model | Sequence[Model] | None" = None,
    *,
    k: int | Literal["auto"] = "auto",
    algorithm: str = "k-means",
    select: str = "stability",
    map: str = "pca",
    name_by: str | None = None,
    names: object = None,
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
) -> Clustering:
    """Group examples without labels, in the features of the source whose groups can be trusted most.

    Args:
        data: Whatever `hs.rank` or `predict` reads, with or without labels; or a matrix of features (n, d). Labels are
            used for one table only: how well each source's groups agree with them.
        models: Names or modules, as for `hs.rank`; none for a matrix.
        k: The number of clusters; "auto" takes one from 2 to 30, for each source: where the silhouette lies
            furthest above that of the same data without structure.
        algorithm: "k-means", "agglomerative" (Ward) or "hdbscan", which finds the number itself and may leave examples
            in no cluster.
        select: How the source is chosen: "stability" between halves of the data, as far as it is above chance;
            "agreement" with the other sources; or "silhouette".
        map: The map of two dimensions: "pca", or "umap" (extra `umap`).
        name_by: An image-text pair that suggests names for the clusters, such as "zoo/tiny_clip"; by default the
            classes of the first source that has some serve.
        names: The names it chooses from: a list, or a file with a name in each line; by default ImageNet's classes.
        limit: Use this many examples.
        seed: For the sample, the starts of k-means and the halves.
        out: Write `clusters.json` into this folder.
        report: Write a self-contained HTML page to this path.
        device, batch_size, cache, trust_pickle, reading, progress, options: As in `headstart.rank`.

    Raises:
        InputError: An option or the data cannot be used, or every source failed.
        TargetError: Too many examples are unreadable.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> centres = np.repeat(10 * np.eye(3), 20, axis=0)
        >>> found = cluster(centres + rng.standard_normal((60, 3)))
        >>> found.rows[0].k, [one.size for one in found.clusters]
        (3, [20, 20, 20])
    """
    how = reading_of(reading, options, cluster)
    _check_names(select, map)
    partition.check_options(algorithm, k)
    for path, folder in ((out, True), (report, False)):
        check_destination(path, folder=folder)
    if names is not None and name_by is None:
        raise InputError("`names` has no effect without `name_by=...`, the image-text pair that chooses from them.")
    running: dict[str, Any] = {
        "cache": folder_of(cache), "device": device, "batch_size": batch_size, "max_bad": how.max_bad,
        "progress": listener(progress),
    }  # fmt: skip
    if map == "umap":
        plane.umap()
    naming = None if name_by is None else _naming(name_by, names, trust_pickle)
    extractions, failures, target = _extractions(
        data, models, how, most=limit, seed=seed, running={**running, "trust_pickle": trust_pickle}
    )
    if naming is not None and not MEDIA[target.kind].pictures:
        raise InputError(f"`name_by` names images, and {target.name} holds none. Leave it out.")
    grouped: list[_Grouped] = []
    for extraction in extractions:
        try:
            grouped.append(_group(extraction, k, algorithm, seed, labelled=bool(target.classes)))
        except InputError as error:
            failures.append(Failure.of(extraction.source, error))
    if not grouped:
        raise InputError(f"no source could be used: {failures[0].source}: {failures[0].reason}")
    named = None if naming is None else naming(target, **running)
    found = _record(_ordered(grouped, select), named, target, failures, how=(k, algorithm, select, map), seed=seed)
    if out is not None:
        found.save(out)
    if report is not None:
        from headstart.report.clusters import write_clusters

        write_clusters(found, report)
    return found


def _check_names(select: str, map: str) -> None:
    for option, value, allowed in (("select", select, SELECT), ("map", map, plane.MAPS)):
        if value not in allowed:
            raise InputError(f"`{option}` must be one of {', '.join(allowed)}; got {value!r}.")


def _extractions(
    data: object,
    models: "Model | Sequence[Model] | None",
    how: Reading,
    *,
    most: int | None,
    seed: int,
    running: dict[str, Any],
) -> tuple[list[Extraction], list[Failure], Target]:
    """Each source's features, failed sources, and the examples."""
    given = _arrays(data, how)
    if given is not None:
        if models is not None:
            raise InputError("the data are features already, which need no model; leave out `models`.")
        features, target = given
        kept = np.arange(len(target)) if most is None else np.sort(order_of(target, seed)[:most])
        target = target.subset(kept)
        card = ModelCard(target.name, target.kind)
        row = Extraction(target.name, target.labels, target.ids, features=features[kept], card=card)
        return [row], [], target
    if models is None:
        raise InputError("`models` is missing: name the sources whose features to group, for example `zoo`.")
    from headstart.extract.several import extract_each
    from headstart.sources import candidates

    target = _open(data, models, how)
    target = (target if most is None else limit(target, most, seed)).held()
    found, failures = extract_each(target, candidates(models, kind=target.kind), **running)
    return found, failures, target


def _arrays(data: object, how: Reading) -> tuple[np.ndarray, Target] | None:
    """Features (n, d) that were computed elsewhere, with their labels if there are some; None for other data."""
    if isinstance(data, str | os.PathLike) and Path(data).suffix.casefold() == ".npz":
        try:
            target = _open(data, None, how)
        except TargetError:
            if not Path(data).is_file():
                raise
            return None  # it may hold images without labels
        if not MEDIA[target.kind].computed:
            return None
        return np.stack([np.asarray(target.examples.load(row)) for row in range(len(target))]), target
    if isinstance(data, Mapping) and "features" in data:
        features, labels = np.asarray(data["features"]), data.get("labels")
    elif isinstance(data, np.ndarray) and data.ndim == 2:
        features, labels = data, None
    else:
        return None
    if features.ndim != 2 or not np.isfinite(features).all():
        raise InputError(f"`features` must be finite numbers of shape (n, d); the shape is {features.shape}.")
    if labels is not None:
        return features, open_target((features, labels))
    ids = tuple(row_ids(len(features)))
    empty = np.zeros(len(features))
    return features, Target("features", "arrays", "regression", ArrayRows(features), empty, (), ids)


def _open(data: object, models: "Model | Sequence[Model] | None", how: Reading) -> Target:
    """The examples, with their classes if they have some. What cannot be read with labels is read without."""
    try:
        return open_target(data, reading=how)
    except TargetError as error:
        first = error
    from headstart.sources import candidates

    kinds = ["arrays"] if models is None else [candidate.card.kind for candidate in candidates(models)]
    for kind in dict.fromkeys(kinds):
        try:
            return unlabelled_target(data, kind, how)
        except HeadstartError:
            continue
    raise first


def _group(extraction: Extraction, k: int | str, algorithm: str, seed: int, *, labelled: bool) -> _Grouped:
    """One source's clusters and what speaks for them.

    Raises:
        InputError: Its features cannot be grouped so.
    """
    if extraction.features is None:
        raise InputError("it has no features.")
    distinct = len(np.unique(extraction.features, axis=0))
    partition.check_points(algorithm, k, len(extraction.ids), distinct)
    run = partition.ALGORITHMS[algorithm]
    points = partition.points_of(extraction.features)
    number = k if isinstance(k, int) else 0 if algorithm == "hdbscan" else partition.best_k(points, run, seed)
    groups = _by_size(run(points, number, seed))
    stable = criteria.stability(points, run, number, seed)
    others = [one for one in partition.counts(points) if k == "auto" and number and one != number]
    excess = [stable.above_chance, *(criteria.stability(points, run, one, seed).above_chance for one in others)]
    rand, information = (None, None)
    if labelled:
        rand, information = criteria.against_labels(groups, extraction.labels, seed)
    row = ClusteredSource(
        source=extraction.source,
        k=int(groups.max()) + 1,
        stability=stable.value,
        stability_sd=stable.deviation,
        chance=stable.chance,
        above_chance=float(np.mean(excess)),
        agreement=None,
        silhouette=partition.silhouette(points, groups),
        alone=int((groups < 0).sum()),
        card=extraction.card or ModelCard(extraction.source, "arrays"),
        rand=rand,
        information=information,
        notes=extraction.notes,
    )
    return _Grouped(extraction, points, groups, row)


def _by_size(groups: partition.Groups) -> partition.Groups:
    """The groups numbered from the largest, 0, to the smallest.

    Example:
        >>> _by_size(np.array([2, 2, 0, -1, 2])).tolist()
        [0, 0, 1, -1, 0]
    """
    numbers, sizes = np.unique(groups[groups >= 0], return_counts=True)
    renamed = {int(numbers[place]): new for new, place in enumerate(np.argsort(-sizes, kind="stable"))}
    return np.array([renamed.get(int(one), -1) for one in groups], dtype=np.int64)


def _ordered(grouped: Sequence[_Grouped], select: str) -> list[_Grouped]:
    """Best first; all sources are compared on the examples that every one of them could read."""
    agreements = criteria.agreement([one.groups for one in grouped]) if _same_rows(grouped) else [None] * len(grouped)
    rows = [replace(one, row=replace(one.row, agreement=value)) for one, value in zip(grouped, agreements, strict=True)]

    def key(one: _Grouped) -> float:
        value = one.row.above_chance if select == "stability" else getattr(one.row, select)
        return float("inf") if value is None else -float(value)

    return sorted(rows, key=key)


def _same_rows(grouped: Sequence[_Grouped]) -> bool:
    return len({one.extraction.ids for one in grouped}) == 1


def _naming(pair: str, names: object, trust_pickle: bool) -> Naming:
    """What suggests names: turns the examples into an extraction with the names as its classes.

    Raises:
        InputError: The names cannot be read; ModelError: the model is no image-text pair.
    """
    from headstart.extract import extract
    from headstart.zeroshot import open_pair, text_head
    from headstart.zeroshot.pairs import unit
    from headstart.zeroshot.prompts import SETS, imagenet, listed, readable

    found = open_pair(pair, trust_pickle=trust_pickle)
    classes = imagenet() if names is None else readable(listed(names, "names"), remedy="`names`: a name in each line")

    def named(target: Target, **running: Any) -> Extraction:
        rows = extract(target, found.image, **running)
        logits = text_head(found, classes, SETS["plain"])(unit(np.asarray(rows.features))).numpy()
        return replace(rows, source=pair, logits=logits, source_classes=classes)

    return named


def _record(
    grouped: Sequence[_Grouped],
    named: Extraction | None,
    target: Target,
    failures: Sequence[Failure],
    *,
    how: tuple[int | str, str, str, str],
    seed: int,
) -> Clustering:
    k, algorithm, select, map = how
    best = grouped[0]
    ids = best.extraction.ids
    known = (named, *(one.extraction for one in grouped))
    named = next((one for one in known if one is not None and _has_names(one) and one.ids == ids), None)
    clusters = tuple(_cluster(best, number, target, named) for number in range(best.row.k))
    return Clustering(
        data=target.name,
        kind=target.kind,
        n=len(ids),
        algorithm=algorithm,
        asked=str(k),
        select=select,
        rows=tuple(one.row for one in grouped),
        clusters=clusters,
        ids=ids,
        groups=tuple(best.groups.tolist()),
        places=plane.places(best.points, map, seed),
        map=map,
        duplicates=tuple((ids[one], ids[two]) for one, two in oddities.duplicates(best.points)),
        outliers=tuple((ids[row], round(factor, 3)) for row, factor in oddities.outliers(best.points)),
        failures=tuple(failures),
        skipped=dict(best.extraction.skipped),
        provenance=provenance(
            target,
            command=f"headstart.cluster({target.name!r}, k={k!r}, algorithm={algorithm!r}, select={select!r})",
            seed=seed,
            source_hashes={one.row.source: one.extraction.fingerprint for one in grouped},
            device="cpu",
        ),
        notes=_notes(best, target, named if any(one.names for one in clusters) else None),
        named_by=named.source if named else "",
        pictures=MEDIA[target.kind].pictures,
    )


def _notes(best: _Grouped, target: Target, named: Extraction | None) -> tuple[str, ...]:
    row = best.row
    notes = [*target.notes]
    if row.stability < row.chance + LITTLE:
        notes.append(
            f"The clusters are hardly more stable ({row.stability:.2f}) than those of data without structure "
            f"({row.chance:.2f}): take them as a sketch."
        )
    if row.alone:
        notes.append(f"{row.alone} of {len(best.groups)} examples are in no cluster.")
    if named is not None:
        notes.append(f"What a cluster is like is told by {named.source}, whose classes may not fit your data.")
    return tuple(notes)


def _has_names(extraction: Extraction) -> bool:
    return extraction.logits is not None and extraction.source_classes is not None


def _cluster(best: _Grouped, number: int, target: Target, named: Extraction | None) -> Cluster:
    ids = best.extraction.ids
    rows = oddities.central(best.points, best.groups, number)
    names: tuple[str, ...] = ()
    if named is not None and named.logits is not None:
        probs = softmax(np.asarray(named.logits, dtype=np.float64), axis=1)
        names = oddities.names(probs, named.source_classes or (), best.groups, number)
    size = int((best.groups == number).sum())
    return Cluster(number, size, tuple(ids[row] for row in rows), _samples(target, [ids[row] for row in rows]), names)


def _samples(target: Target, ids: Sequence[str]) -> tuple[str, ...]:
    place = {name: index for index, name in enumerate(target.ids)}
    shown = []
    for name in ids:
        try:
            sample = MEDIA[target.kind].sample(target.examples.load(place[name]))
        except ExampleError:
            continue
        shown += [sample] if sample else []
    return tuple(shown)
