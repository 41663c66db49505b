"""`headstart reproduce NAME`: from the user's words to pieces of work, and from results files to tables and figures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from headstart.errors import HeadstartError, InputError, did_you_mean
from headstart.records import ModelCard, View
from headstart_paper import paper
from headstart_paper.data_sets import KNOWN, DataSet, open_data_set, parse_places
from headstart_paper.networks import candidate, candidates
from headstart_paper.plan import Meta, Order, Pair, Part, Piece, Scale, make_task, pieces
from headstart_paper.results import Stored, check_fields, read_results

TABLE, LIST, BENCHMARK = "table1", "list", "benchmark"
NAMES = {
    TABLE: "Pearson correlation of LEEP, NCE and H-score with the outcome of a transfer: 21 rows",
    **{figure.name: f"{figure.title} ({figure.kind})" for figure in paper.FIGURES.values()},
    BENCHMARK: "the outcomes that `headstart benchmark` compares scores with, made again",
}
DEFAULT_SOURCE = {"imagenet": "zoo/efficientnet_lite0"}
NO_CIFAR_SOURCE = (
    "no CIFAR-10 network was given: pass the weights of github.com/akamaster/pytorch_resnet_cifar10 as safetensors, "
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
    def figure(self) -> paper.Figure | None:
        return paper.FIGURES.get(self.name)

    @property
    def is_selection(self) -> bool:
        """Whether its rows are pairs of a source and a target, not tasks of the table."""
        return self.figure is not None and self.figure.kind == "selection"

    @property
    def has_table(self) -> bool:
        """Whether it is shown as a table, beside a drawing perhaps."""
        return self.figure is None or self.figure.kind in ("selection", "epochs")

    def open(self, name: str) -> DataSet:
        return open_data_set(name, places=parse_places(self.data), root=self.root)


@dataclass(frozen=True)
class Setup:
    """What can be run of it, and why the rest cannot."""

    pieces: tuple[Piece | Pair, ...]
    missing: tuple[str, ...] = ()


def check_name(name: str) -> None:
    """Raises InputError for a name that cannot be reproduced."""
    if name not in (*NAMES, LIST):
        raise InputError(f"`{name}` is not a table or figure of the paper.{did_you_mean(name, (*NAMES, LIST))}")


def listing() -> dict[str, dict[str, str]]:
    """What `list` prints: under each title, names and what they are."""
    rows = {
        name: f"{paper.SOURCES[row.source]} to {paper.TARGETS[row.target].title}, {paper.METHODS[row.method]}, "
        f"{paper.SETTINGS[row.setting].title}{'' if row.in_paper else '; not in the paper'}"
        for name, row in paper.ROWS.items()
    }
    data = {name: known.brings for name, known in KNOWN.items()}
    return {"": NAMES, "Rows of Table 1, for `--rows`:": rows, "Data sets, and how to get them:": data}


def wanted_rows(request: Request) -> list[paper.TableRow]:
    """The rows of the table that a name is about and that the glob selects.

    Raises:
        InputError: The glob selects none.
    """
    rows = [row for row in paper.ROWS.values() if request.beyond or row.in_paper]
    rows = [row for row in rows if request.figure is None or request.figure.has(row)]
    found = [row for row in rows if fnmatch(row.name, request.rows)]
    if not found:
        some = ", ".join(row.name for row in rows[:3])
        raise InputError(f"`--rows {request.rows}` matches no row of {request.name}. Rows are called {some}, ...")
    return found


def trains_networks(request: Request) -> bool:
    """Whether any of it is fine-tuned; the rest are heads on fixed features, or forward passes."""
    if request.is_selection:
        return request.figure is not None and request.figure.method == "fine-tune"
    return any(row.method == "fine-tune" for row in wanted_rows(request))


def prepare(request: Request, announce: Callable[[str], None] = lambda text: None) -> Setup:
    """What can be run with the data and the models that there are; every other row is named with its reason.

    Raises:
        InputError: An option does not fit the request.
        TargetError: The data of a selection, or data that the user gave a place for, cannot be opened.
        ModelError: A model cannot be found, or two have one name.
    """
    if request.is_selection:
        return Setup(tuple(_pairs(request, announce)))
    wanted = wanted_rows(request)
    if request.meta is not None and not any(row.method == "cnaps" for row in wanted):
        raise InputError("`--meta-data` is for rows of meta-transfer, and none of them is selected. Leave it out.")
    sources, targets = slots_of_models(request.models), slots_of_data(request.stand_ins)
    curve = request.figure is not None and request.figure.kind == "convergence"
    opened: dict[str, DataSet | str] = {}
    parts, missing = [], []
    for row in wanted:
        if row.target not in opened:  # seconds each
            opened[row.target] = _open(targets[row.target], request)
        data = opened[row.target]
        reason = None if row.source in sources else NO_CIFAR_SOURCE
        reason = NO_META_DATA if row.method == "cnaps" and request.meta is None else reason
        if reason is None and isinstance(data, DataSet):
            meta = request.meta if row.method == "cnaps" else None
            part = Part(row, sources[row.source], targets[row.target], curve, meta)
            reason = _unfit(part, data, request.scale)
            if reason is None:
                parts.append(part)
                continue
        missing.append(f"{row.name}: {reason or data}")
    return Setup(tuple(pieces(parts, request.order)), tuple(missing))


def slots_of_models(specs: Sequence[str]) -> dict[str, str]:
    """Which model fills which of the paper's two sources.

    A bare path or name fills the slot that its classes and input say: 10 classes at 32 px is the CIFAR-10 network,
    1,000 classes the ImageNet one. The file's name says nothing.

    Raises:
        InputError: A slot is unknown, filled twice, or unclear.
    """
    filled: dict[str, str] = {}
    for spec in specs:
        slot, equals, model = spec.partition("=")
        if not equals or Path(spec).exists():
            slot, model = _slot_of(candidate(spec).card, spec), spec
        if slot not in paper.SOURCES:
            raise InputError(f"`--models {spec}`: the slots are {' and '.join(paper.SOURCES)}; got `{slot}`.")
        if slot in filled:
            raise InputError(f"`--models` fills `{slot}` twice: {filled[slot]} and {model}. Run one after the other.")
        filled[slot] = model
    return {**DEFAULT_SOURCE, **filled}


def slots_of_data(stand_ins: Sequence[str]) -> dict[str, str]:
    """Which data set fills which of the paper's two targets: itself, unless a stand-in is named.

    Raises:
        InputError: A stand-in is for no target of the paper.
    """
    filled = {target: target for target in paper.TARGETS}
    for spec in stand_ins:
        slot, equals, name = spec.partition("=")
        if slot not in filled or not equals:
            raise InputError(f"`--stand-in {spec}`: write it as cifar100=NAME; the targets are {', '.join(filled)}.")
        filled[slot] = name
    return filled


def open_results(paths: Sequence[Path]) -> list[Stored]:
    """Every results file of these.

    Raises:
        InputError: One cannot be read, is not a results file, holds a row that tables and figures cannot show, or is
            named twice: its rows would count twice.
    """
    places: dict[Path, Path] = {}
    for path in paths:
        first = places.setdefault(path.resolve(), path)
        if first is not path:
            raise InputError(f"{path} is named twice in `--out` and `--with` ({first}); name each results file once.")
    found = [read_results(path) for path in paths]
    for stored in found:
        check_fields(stored)
    return found


def table_views(stored: Sequence[Stored], wanted: Sequence[paper.TableRow]) -> View:
    """All tables of Table 1: the paper's, and those beside it."""
    from headstart_paper import table
    from headstart_paper.claims import claims_table
    from headstart_paper.selection import choices

    found = [line for line in table.lines(stored) if line.row in wanted]
    chosen = [choice for file in stored for method in ("head", "fine-tune") for choice in choices(file, method)]
    beside = table.beyond_table, table.confound_table
    return [
        *table.main_table(found, wanted),
        *table.published_table(found),
        *claims_table(found, chosen),
        *(part for make in beside for part in make(found)),
    ]


def _pairs(request: Request, announce: Callable[[str], None]) -> Iterable[Pair]:
    """The data sets and models of a selection: those given, each once, else the target (or its stand-in), the zoo's."""
    data = list(parse_places(request.data)) or [slots_of_data(request.stand_ins)["cifar100"]]
    chosen = [spec.partition("=")[2] if spec.partition("=")[0] in paper.SOURCES else spec for spec in request.models]
    chosen = chosen or ["zoo/efficientnet_lite*"]
    candidates(chosen)
    models = {one.name: one.name if "*" in spec else spec for spec in chosen for one in candidates([spec])}
    for name in data:
        opened = request.open(name)
        announce(f"{opened.title}: {len(opened.train)} training and {len(opened.test)} test images")
    method = "head" if request.figure is None else request.figure.method
    return [Pair(source, model, name, method) for name in data for model, source in models.items()]


def _slot_of(card: ModelCard, spec: str) -> str:
    if card.num_classes == 1000:
        return "imagenet"
    if card.num_classes == 10 and card.input_size is not None and card.input_size[1] == 32:
        return "cifar10"
    raise InputError(
        f"`--models {spec}`: a model of {card.num_classes} classes fits neither source of the paper. Say which one it "
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
        return request.open(name)
    except HeadstartError as error:
        if name in parse_places(request.data):  # the user said where it is, and that is wrong
            raise
        return str(error)
