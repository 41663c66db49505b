"""`headstart reproduce NAME`: from the user's words to a run, a table or a figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from headstart.errors import HeadstartError, InputError, did_you_mean
from headstart.records import ModelCard
from headstart_paper import paper
from headstart_paper.data_sets import KNOWN, DataSet, open_data_set, parse_places
from headstart_paper.fields import check_fields
from headstart_paper.networks import candidate, candidates
from headstart_paper.plan import Meta, Order, Part, Scale, make_task
from headstart_paper.results import Results, Stored, read_results

TABLE, LIST, BENCHMARK = "table1", "list", "benchmark"
DEFAULT_SOURCE = {"imagenet": "zoo/efficientnet_lite0"}
NO_CIFAR_SOURCE = (
    "no CIFAR-10 network was named: pass the weights of github.com/akamaster/pytorch_resnet_cifar10 as safetensors, "
    "`--models cifar10=resnet20.safetensors`"
)


NO_META_DATA = (
    "CNAPs first learns to adapt, from tasks out of other data sets: name some, none of them the target's, "
    "`--meta-data mnist trashnet`"
)


@dataclass(frozen=True)
class Request:
    """What is asked for, as the command line takes it."""

    name: str
    order: Order = field(default_factory=Order)
    scale: Scale = field(default_factory=Scale)
    models: tuple[str, ...] = ()  # "SLOT=PATH", or a path or name whose classes say which slot it fills
    data: tuple[str, ...] = ()  # "NAME=PATH", or a path
    stand_ins: tuple[str, ...] = ()  # "cifar100=grocery-store"
    rows: str = "*"
    beyond: bool = True
    meta: Meta | None = None  # what meta-transfer learns from
    root: str = "data"

    @property
    def places(self) -> dict[str, str]:
        return parse_places(self.data)


@dataclass(frozen=True)
class Setup:
    """What can be run of it, and why the rest cannot."""

    parts: tuple[Part, ...]
    missing: tuple[str, ...]


def names() -> list[tuple[str, str]]:
    """What can be reproduced: name and title."""
    table = (TABLE, "Pearson correlation of LEEP, NCE and H-score with the outcome of a transfer: 21 rows")
    benchmark = (BENCHMARK, "the outcomes that `headstart benchmark` compares scores with, made anew")
    return [table, *((one.name, f"{one.title} ({one.kind})") for one in paper.FIGURES), benchmark]


def check_name(name: str) -> None:
    """Raises InputError for a name that is not to be reproduced."""
    known = [LIST, *(known for known, _ in names())]
    if name not in known:
        raise InputError(f"`{name}` is no table or figure of the paper.{did_you_mean(name, known)}")


def is_selection(name: str) -> bool:
    """Whether its rows are pairs of a source and a target, not tasks of the table."""
    return any(figure.name == name and figure.kind == "selection" for figure in paper.FIGURES)


def is_meta(name: str) -> bool:
    """Whether all its rows are of meta-transfer."""
    return any(figure.name == name and figure.setting == "meta" for figure in paper.FIGURES)


def wanted_rows(request: Request) -> list[paper.TableRow]:
    """The rows of the table that a name is about and that the glob lets through.

    Raises:
        InputError: The glob lets none through.
    """
    rows = list(paper.ROWS) + (list(paper.BEYOND) if request.beyond else [])
    if request.name != TABLE:
        figure = next(figure for figure in paper.FIGURES if figure.name == request.name)
        rows = [row for row in rows if row.setting == figure.setting and figure.target in (None, row.target)]
        if figure.kind == "convergence":
            rows = [row for row in rows if row.method == "fine-tune"]
    found = [row for row in rows if fnmatch(row.name, request.rows)]
    if not found:
        some = ", ".join(row.name for row in rows[:3])
        raise InputError(f"`--rows {request.rows}` fits no row of {request.name}; rows are called {some}, ...")
    return found


def prepare(request: Request) -> Setup:
    """Which rows can be run with the data and the models at hand; every other row is named with its reason."""
    sources, targets = slots_of_models(request.models), slots_of_data(request)
    figure = next((figure for figure in paper.FIGURES if figure.name == request.name), None)
    parts, missing = [], []
    wanted = wanted_rows(request)
    if request.meta is not None and not any(row.method == "cnaps" for row in wanted):
        raise InputError("`--meta-data` is for rows of meta-transfer, and none of them is asked for. Leave it out.")
    opened: dict[str, DataSet | str] = {}
    for row in wanted:
        reason = None if row.source in sources else NO_CIFAR_SOURCE
        if row.method == "cnaps" and request.meta is None:
            reason = NO_META_DATA
        if row.target not in opened:  # seconds each
            opened[row.target] = _open(targets[row.target], request)
        data = opened[row.target]
        if reason or isinstance(data, str):
            missing.append(f"{row.name}: {reason or data}")
            continue
        curve = figure is not None and figure.kind == "convergence"
        extra = ("scratch",) if curve else ()
        learnt = request.meta if row.method == "cnaps" else None
        part = Part(row, sources[row.source], targets[row.target], curve, extra, learnt)
        unfit = _unfit(part, data, request.scale)
        if unfit:
            missing.append(f"{row.name}: {unfit}")
        else:
            parts.append(part)
    return Setup(tuple(parts), tuple(missing))


def slots_of_models(specs: Sequence[str]) -> dict[str, str]:
    """Which model fills which of the paper's two sources.

    A bare path or name fills the slot that its classes and input say: 10 classes at 32 px is the CIFAR-10 network,
    1,000 classes the ImageNet one. The file's name says nothing.

    Raises:
        InputError: A slot is unknown, filled twice, or not to be told.
    """
    filled: dict[str, str] = {}
    for spec in specs:
        slot, equals, model = spec.partition("=")
        if not equals or Path(spec).exists():
            slot, model = _slot_of(candidate(spec).card, spec), spec
        if slot not in paper.SOURCES:
            raise InputError(f"`--models {spec}`: the slots are {' and '.join(paper.SOURCES)}, not `{slot}`.")
        if slot in filled:
            raise InputError(f"`--models` fills `{slot}` twice: {filled[slot]} and {model}. Run one after the other.")
        filled[slot] = model
    return {**DEFAULT_SOURCE, **filled}


def slots_of_data(request: Request) -> dict[str, str]:
    """Which data set fills which of the paper's two targets: itself, unless a stand-in is named.

    Raises:
        InputError: A stand-in is for no target of the paper.
    """
    filled = {target: target for target in paper.TARGETS}
    for spec in request.stand_ins:
        slot, equals, name = spec.partition("=")
        if slot not in filled or not equals:
            raise InputError(f"`--stand-in {spec}`: write it as cifar100=NAME; the targets are {', '.join(filled)}.")
        filled[slot] = name
    return filled


def open_results(paths: Sequence[Path]) -> list[Stored]:
    """Every results file that is there, for a table of all of them; settings are said for each row.

    Raises:
        InputError: One cannot be read, is no results file, holds a row that tables and figures cannot show, or is named
            twice.
    """
    check_distinct(paths)
    found = [read_results(path) for path in paths]
    for path, stored in zip(paths, found, strict=True):
        check_fields(stored.rows, path)
    return found


def check_distinct(paths: Sequence[Path]) -> None:
    """Raises InputError where one results file is named twice: its rows would count twice."""
    places: dict[Path, Path] = {}
    for path in paths:
        first = places.setdefault(path.resolve(), path)
        if first is not path:
            raise InputError(
                f"{path} is named twice among `--out` and `--with` ({first}); name each results file once."
            )


def selection_request(
    request: Request, models: Sequence[str], announce: Callable[[str], None]
) -> tuple[list[str], list[str]]:
    """The data sets and models of figure 5: those given, each once, else the target (or its stand-in) and the zoo's.

    Raises:
        InputError: A data set is not there.
        ModelError: A model is not there, or two have one name.
    """
    data = list(request.places) or [slots_of_data(request)["cifar100"]]
    chosen = [spec.partition("=")[2] if _is_slot(spec) else spec for spec in models] or ["zoo/efficientnet_lite*"]
    candidates(chosen)
    found = {one.name: one.name if "*" in spec else spec for spec in chosen for one in candidates([spec])}
    for name in data:
        opened = open_data_set(name, places=request.places, root=request.root)
        announce(f"{opened.title}: {len(opened.train)} training and {len(opened.test)} test images")
    return data, list(found.values())


def _is_slot(spec: str) -> bool:
    return spec.partition("=")[0] in paper.SOURCES and "=" in spec


def _slot_of(card: ModelCard, spec: str) -> str:
    if card.num_classes == 1000:
        return "imagenet"
    if card.num_classes == 10 and card.input_size is not None and card.input_size[1] == 32:
        return "cifar10"
    raise InputError(
        f"`--models {spec}`: a model of {card.num_classes} classes fills neither source of the paper. Say which one it "
        f"is for, as in `--models imagenet={spec}`."
    )


def _unfit(part: Part, data: DataSet, scale: Scale) -> str | None:
    """Why the data cannot make a task of this row (too few examples of a class), in words."""
    try:
        make_task(part, 0, data.limited(train_each=scale.pool, test_each=scale.test_each, seed=scale.seed), scale)
    except InputError as error:
        return f"{data.title}: {error}"
    return None


def _open(name: str, request: Request) -> DataSet | str:
    """The data set, or in words why there is none: a missing one leaves the other rows to run."""
    try:
        return open_data_set(name, places=request.places, root=request.root)
    except HeadstartError as error:
        if name in request.places:  # the user said where it is, and that is wrong
            raise
        return str(error)


def known_rows() -> dict[str, str]:
    """Rows of Table 1 by name, for `--rows`, and what each is about."""
    return {
        row.name: f"{paper.SOURCES[row.source]} to {paper.TARGETS[row.target]}, {paper.METHODS[row.method]}, "
        f"{row.property}{'' if row.in_paper else '; not in the paper'}"
        for row in (*paper.ROWS, *paper.BEYOND)
    }


def known_data() -> dict[str, str]:
    """Data sets by name, and what brings them."""
    return {name: known.brings for name, known in KNOWN.items()}


def start(path: Path, scale: Scale) -> Results:
    """The results file of a run at this scale.

    Raises:
        InputError: It holds results of other settings, is no results file, or holds a row that cannot be shown.
    """
    from headstart_paper.run import settings_of

    results = Results(path, settings_of(scale))
    check_fields(results.rows, path)
    return results
