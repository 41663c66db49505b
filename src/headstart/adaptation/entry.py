"""`adapt`: from labels in one domain to a model for another, by several methods, chosen without labels of the other."""

import os
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.adaptation import criteria
from headstart.adaptation.gap import gap_of
from headstart.adaptation.measure import Measured, Seen, measure
from headstart.adaptation.method import ADAPTATIONS, Adaptation
from headstart.adaptation.opening import Opened, open_starts
from headstart.adaptation.rows import choices_of, grouped, row_of
from headstart.adaptation.run import Adapted
from headstart.data.media import MEDIA
from headstart.data.provenance import provenance
from headstart.data.reading import Reading, reading_of
from headstart.errors import HeadstartError, InputError, check_whole, did_you_mean
from headstart.records import Failure, check_destination
from headstart.records.adaptation import AdaptationRecord, DomainGap
from headstart.records.options import options_of
from headstart.runner import Progress, Workers, listener
from headstart.sources import Candidate, candidates
from headstart.store import folder_of
from headstart.train.training import Training
from headstart.transfers.campaign import campaign
from headstart.transfers.opening import READ
from headstart.wording import listing

if TYPE_CHECKING:
    from headstart.sources.lookup import Model

StrPath = str | os.PathLike[str]
GROUPS = {"features": (False,), "deep": (True,), "all": (False, True)}  # name -> does a method train by epochs?


def adapt(
    labelled: object,
    unlabelled: object,
    model: "Model | None" = None,
    *,
    models: "Model | Sequence[Model] | None" = None,
    sources: Sequence[object] | Mapping[str, object] = (),
    method: str | Adaptation | Sequence[str | Adaptation] = "features",
    select: str = "entropy",
    test: object = None,
    seeds: int = 1,
    seed: int = 0,
    limit: int | None = None,
    split_seed: int = 0,
    workers: Workers = 1,
    device: str = "auto",
    cache: StrPath | bool | None = True,
    trust_pickle: bool = False,
    out: StrPath | None = None,
    overwrite: bool = False,
    margin: float = 0.01,
    report: StrPath | None = None,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    command: str | None = None,
    **options: Any,
) -> Adapted:
    """Train on a labelled domain for another one without labels, by several methods, and say what that gained.

    Args:
        labelled: Labelled examples, whatever `open_target` reads. A quarter is held out, or its own test part.
        unlabelled: Examples of the new domain, whatever `predict` reads. Labels that come with them are ignored.
        model: A model's name, a module or a source. Arrays of features need none.
        models: Several of them, which are ranked for the new domain.
        sources: Further labelled domains with the same classes, which are ranked as starts; by name if wanted.
        method: One name or several, as a list or one text with commas; "features" (the default) for all that work on
            cached features, "deep" for all that train the network, "all" for both. `none` is always in the table, and
            `none-deep`, which fine-tunes on the labelled domain alone, beside methods that train.
        select: What chooses among the methods, without labels of the new domain: source-risk, importance-weighted,
            entropy, density or agreement.
        test: Labelled examples of the new domain: read once, for the report alone.
        seeds: Number of seeds, counted up from `seed`; a verdict on a method that trains needs several.
        seed: Of every random choice.
        limit, split_seed: Use so many examples of each domain; who is held out of the labelled one.
        workers: Processes that run side by side, "ray" or "ray://HOST:PORT".
        device: "auto", "cpu", "cuda" or "mps".
        cache: True keeps forward passes in the usual place, a path there, False or None for this call only.
        trust_pickle: Load checkpoints that can run code.
        out: Folder for the record and all runs; the same call resumes there.
        overwrite: Replace other runs in `out`.
        margin: The smallest difference in accuracy that matters.
        report: Write a self-contained HTML page to this path.
        reading: How the data are read, as one `headstart.Reading`.
        progress: None shows it in a terminal or notebook, True everywhere, False nowhere; a function gets each `Event`.
        command: What to record as the command.
        options: Options of the methods (`shrinkage`, `trade_off`, ...), settings of the training of deep methods
            (`epochs`, `batch_size`, ...), and the fields of `reading`.

    Raises:
        InputError: The data, a method, a criterion or an option cannot be used, or every model failed.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(200) % 2
        >>> features = rng.standard_normal((200, 2)) + 4 * labels[:, None]
        >>> run = adapt((features, labels), features[:100] @ np.array([[0.0, 1.0], [1.0, 0.0]]), method="coral")
        >>> run.chosen.outcome.method, run.predict(np.array([[0.0, 0.0], [4.0, 4.0]])).labels
        ('coral', ('0', '1'))
    """
    how = reading_of(reading, {name: options.pop(name) for name in READ & options.keys()}, adapt)
    _check(select, seeds)
    asked, methods, settings = methods_of(method, options)
    place = None if out is None else Path(out)
    for path, folder in ((place, True), (report, False)):
        check_destination(path, folder=folder)
    reads = {"test": test, "most": limit, "split_seed": split_seed, "reading": how}
    opened, failures = open_starts(labelled, sources, unlabelled, **reads)
    tell = listener(progress)
    found, gaps = list[Measured](), list[DomainGap]()
    with TemporaryDirectory() as spare:
        shared = {
            "seeds": seeds, "seed": seed, "workers": workers, "device": device, "overwrite": overwrite,
            "progress": tell, "cache": folder_of(cache) or Path(spare), "trust_pickle": trust_pickle,
            "command": command, **settings,
        }  # fmt: skip
        for name, (start, one) in _pairs(opened, _candidates(model, models, next(iter(opened.values())))).items():
            below = None if place is None else place / "runs" / re.sub(r"[^\w.-]+", "-", name)
            runs, failed, gap = _carried_out(name or one.name, one, start, methods, below, shared, not name)
            found, failures, gaps = found + runs, failures + failed, gaps + gap
    if not found:
        raise InputError(f"no model could be used: {failures[0].source}: {failures[0].reason}")
    said = {"select": select, "margin": margin, "seed": seed, "place": place, "command": command}
    record, chosen = _record(found, failures, gaps, opened, asked, said)
    if place is not None:
        record.save(place)
    if report is not None:
        from headstart.report import write_adaptation

        write_adaptation(record, report)
    return Adapted(record, chosen.run)


def _check(select: str, seeds: int) -> None:
    if select not in criteria.CRITERIA:
        raise InputError(f"`select` must be one of {', '.join(criteria.CRITERIA)}; got {select!r}.")
    check_whole(1, seeds=seeds)


def methods_of(
    method: str | Adaptation | Sequence[str | Adaptation], options: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[Adaptation], dict[str, Any]]:
    """The names that were asked for, every method that runs with its options, and the settings of a training.

    Raises:
        InputError: A method or an option is unknown, or an option has no effect with any of the methods.
    """
    given: Sequence[Any] = method.split(",") if isinstance(method, str) else method  # type: ignore[assignment]
    made: dict[str, Adaptation | type[Adaptation]] = {}
    for one in [given] if isinstance(given, Adaptation) else given:
        if isinstance(one, Adaptation):
            made[one.name] = one
            continue
        kinds = GROUPS.get(str(one).strip())
        names = [str(one).strip()] if kinds is None else _whole_group(kinds)
        made |= {name: ADAPTATIONS.find(name) for name in names if name not in made}
    if not made:
        raise InputError(f"`method` is empty; name some of {', '.join(ADAPTATIONS)}.")
    asked = tuple(made)
    baselines = ["none", *(["none-deep"] if any(one.trains for one in made.values()) else [])]
    made = {name: made.get(name, ADAPTATIONS[name]) for name in baselines} | made
    settings = {name: value for name, value in options.items() if value is not None}
    own = {name: [key for key, one in made.items() if name in options_of(_class(one))] for name in settings}
    _refuse(settings, own, made)
    methods = [
        one if isinstance(one, Adaptation) else one(**{n: value for n, value in settings.items() if key in own[n]})
        for key, one in made.items()
    ]
    return asked, methods, {name: value for name, value in settings.items() if name in options_of(Training)}


def _whole_group(trains: Sequence[bool]) -> list[str]:
    """All methods that train by epochs, or do not, as far as their libraries are installed."""
    fitting = {name: made for name, made in ADAPTATIONS.items() if made.trains in trains}
    return [name for name, made in fitting.items() if made.library is None or find_spec(made.library)]


def _class(one: Adaptation | type[Adaptation]) -> type[Adaptation]:
    return one if isinstance(one, type) else type(one)


def _refuse(
    settings: Mapping[str, Any], own: Mapping[str, list[str]], made: Mapping[str, Adaptation | type[Adaptation]]
) -> None:
    """Refuse an option that nothing has, or that only methods have which do not run."""
    everywhere = {name for one in ADAPTATIONS.values() for name in options_of(one)}
    for name in settings:
        if name in options_of(Training) or own[name]:
            continue
        if name not in everywhere:
            known = [*everywhere, *options_of(Training), *READ]
            raise InputError(f"`adapt` has no option `{name}`.{did_you_mean(name, known)}")
        owners = [f"`{key}`" for key, one in ADAPTATIONS.items() if name in options_of(one)]
        raise InputError(
            f"`{name}` has no effect with {listing([f'`{key}`' for key in made])}; it belongs to {listing(owners)}."
        )


def _candidates(model: "Model | None", models: "Model | Sequence[Model] | None", opened: Opened) -> list[Candidate]:
    train = opened.parts.train
    if model is not None and models is not None:
        raise InputError("`model` and `models` mean the same; give one of them.")
    given = models if model is None else model
    if MEDIA[train.kind].computed:
        if given is not None:
            raise InputError("the data are features already, which need no model; leave out `model`.")
        given = f"rows/{len(np.asarray(train.examples.load(0)))}"
    if given is None:
        raise InputError(f"`models` is missing: name a source, for example `{MEDIA[train.kind].model}`.")
    return candidates(given, kind=train.kind)


def _pairs(opened: Mapping[str, Opened], sources: Sequence[Candidate]) -> dict[str, tuple[Opened, Candidate]]:
    """Each model with each labelled domain, by what of the two tells the pairs apart; "" for a single pair."""
    found = {}
    for start, domain in opened.items():
        for one in sources:
            name = [one.name] * (len(sources) > 1) + [start] * (len(opened) > 1)
            found[" from ".join(name)] = domain, one
    return found


def _carried_out(
    name: str,
    one: Candidate,
    opened: Opened,
    methods: Sequence[Adaptation],
    folder: Path | None,
    shared: Mapping[str, Any],
    alone: bool,
) -> tuple[list[Measured], list[Failure], list[DomainGap]]:
    """All runs of one source. A source that fails is a failure, unless it is the only one.

    Raises:
        HeadstartError: The only source fails.
    """
    seen = Seen(opened, Path(shared["cache"]), shared["device"], shared["seed"])
    try:
        source = one.load(shared["trust_pickle"])
        both = seen.domains(source)
        gap = gap_of(name, both)
        model = one.name if shared["workers"] != 1 and one.files is not None else source
        done = campaign(opened.parts, model, methods, out=folder, **shared)
        places: Sequence[Path | None] = done.folders or [None] * len(done.runs)
        weights = seen.weights(source, both)
        found = [measure(run, name, place, seen, both, weights) for run, place in zip(done.runs, places, strict=True)]
    except HeadstartError as error:
        if alone:
            raise
        return [], [Failure.of(name, error)], []
    return found, [Failure(f"{name}, {each.source}", each.reason) for each in done.failures], [gap]


def _record(
    found: Sequence[Measured],
    failures: Sequence[Failure],
    gaps: Sequence[DomainGap],
    opened: Mapping[str, Opened],
    asked: Sequence[str],
    how: Mapping[str, Any],
) -> tuple[AdaptationRecord, Measured]:
    """The record, and the run that it chose.

    Raises:
        InputError: Every method that was asked for failed.
    """
    starts = list(opened.values())
    parts, groups, place = starts[0].parts, grouped(found), how["place"]
    assert parts.unlabelled is not None, "the domains were opened together"
    rows = tuple(row_of(key, groups, len(parts.train.classes), how["margin"]) for key in groups)
    if not any(row.method in asked for row in rows):
        raise InputError(f"{failures[0].source} failed: {failures[0].reason}")
    choices = choices_of(rows, asked)
    chosen = max(groups[choices[how["select"]]], key=lambda one: one.criteria[how["select"]])
    name, other = listing(list(opened)), parts.unlabelled.name
    record = AdaptationRecord(
        labelled=name,
        unlabelled=other,
        kind=parts.train.kind,
        n_labelled=sum(len(one.parts.together) for one in starts),
        n_kept=sum(len(one.kept) for one in starts),
        n_new=len(parts.unlabelled),
        n_test=0 if parts.test is None else len(parts.test),
        classes=parts.train.classes,
        select=how["select"],
        choices=dict(choices),
        rows=rows,
        gaps=tuple(gaps),
        failures=tuple(failures),
        provenance=provenance(
            parts.train,
            command=how["command"] or f"headstart.adapt({name!r}, {other!r}, method={','.join(asked)!r})",
            seed=how["seed"],
            source_hashes={one.run.outcome.source: one.run.source.fingerprint for one in found},
            device="cpu",
        ),
        folder="" if place is None or chosen.folder is None else chosen.folder.relative_to(place).as_posix(),
        notes=tuple(dict.fromkeys(note for one in starts for note in (*one.parts.notes, *one.notes))),
    )
    return record, chosen
