"""What a method of transfer is: a frozen dataclass of its options that says what trains, registered by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from torch import nn

from headstart.records import Kind
from headstart.records.options import check_options, option, options_of
from headstart.registry import Registry
from headstart.sources.source import Source
from headstart.train.batches import Batches
from headstart.train.groups import Group
from headstart.train.objectives import Objective
from headstart.train.training import Training

if TYPE_CHECKING:
    from headstart.transfers.network import Transferable
    from headstart.transfers.setting import Setting

SGD_RATE = 1e-2  # of plain SGD where no rate is given, as in the LEEP paper; the methods' own rates are for AdamW


@dataclass(frozen=True)
class Recipe:
    """How a network trains: what `Method.build` returns.

    Args:
        groups: Every live parameter of the network and of `inserts`, in exactly one of them.
        objective: What is minimised; None: the task's loss with the training's label smoothing and mixup.
        streams: Data for the objective beside the labelled training part, by name, opened when the training begins.
        inserts: Modules that train beside the network and are not kept (a critic, a projection), by name; their
            parameters are called `inserts.NAME....`.
        notes: Sentences for the record.
    """

    groups: tuple[Group, ...]
    objective: Objective | None = None
    streams: Mapping[str, Callable[[], Batches]] = field(default_factory=dict)
    inserts: Mapping[str, nn.Module] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """A way to transfer. A subclass is a frozen dataclass of its own options, registered by `@method(NAME)`.

    The class attributes say what must be known before there is a network; an instance with checked options builds the
    recipe. The network it is given is a copy, which `insert` may edit.

    Raises:
        InputError: An option has the wrong type, is out of range, or has no effect beside the others.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[Kind, ...]] = ("image", "text")
    settings: ClassVar[Mapping[str, Any]] = {}  # settings of the training whose defaults differ from its own
    trains: ClassVar[bool] = True  # False: only a head is solved on fixed features, and nothing trains by epochs
    holds_out: ClassVar[bool] = True  # False: it learns from the validation part too, and nothing picks an epoch
    scratch: ClassVar[bool] = False  # every weight is drawn anew
    probes_first: ClassVar[bool] = False  # the head starts from its optimum on the fixed features
    tunes: ClassVar[bool] = True  # it trains weights that the source brought along
    inserts: ClassVar[bool] = False  # what trains can be saved alone: all else stays as it is, statistics too
    light: ClassVar[bool] = False  # only a head, beside others of the same source: its weights are not kept again
    merges: ClassVar[bool] = False  # what it inserts can be folded into the source's layers

    def __post_init__(self) -> None:
        """Check every option."""
        check_options(self)

    def insert(self, network: "Transferable") -> None:
        """Add the parts that are saved with the network; runs before `build`, and when a saved run is loaded.

        Raises:
            InputError: The network has no place for them.
        """

    def build(self, network: "Transferable", setting: "Setting") -> Recipe:
        """What trains, how fast and on what.

        Raises:
            InputError: The method does not fit the network.
        """
        raise NotImplementedError

    def view(self, source: Source) -> Source:
        """The source as this method uses it: with the features of another layer, for example."""
        return source

    def merge(self, network: nn.Module) -> None:
        """Fold what `insert` added into the source's layers, in place; for methods that say they merge."""

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its value, for the record; sources and the like by their names."""
        found = {name: getattr(self, name) for name in options_of(type(self))}
        return {name: getattr(value, "name", value) for name, value in found.items()}

    def identity(self, setting: "Setting") -> str:
        """What of the method decides the numbers, as text."""
        return repr(self.options)

    @classmethod
    def unused(cls) -> frozenset[str]:
        """Settings of a training that have no effect with this method."""
        if not cls.trains:
            return frozenset(options_of(Training)) - {"metric", "class_weights"}
        return frozenset({*(() if cls.tunes else ("l2_sp",)), *(("keep_statistics",) if cls.inserts else ())})


@dataclass(frozen=True)
class Tuning(Method):
    """A method that trains by epochs at a peak learning rate."""

    rate: float | None = None

    def rate_in(self, setting: "Setting") -> float:
        """The peak learning rate: the given one, else the usual one of the method, or of SGD."""
        if self.rate is not None:
            return self.rate
        usual = options_of(type(self))["rate"].usual
        return SGD_RATE if setting.training.optimizer == "sgd" else float(usual or 0)


def learning_rate(usual: float) -> Any:
    """The option `rate` of a method whose usual rate, with AdamW, is this one."""
    return option(None, "Peak learning rate of the head and of other new parts", above=0, usual=usual)


METHODS: Registry[type[Method]] = Registry("headstart.transfers.methods", "method")
Made = TypeVar("Made", bound=type[Method])


def registered(name: str, registry: Registry[Any]) -> Callable[[Made], Made]:
    """Put a class of methods into a registry under the name that users type (class decorator).

    Raises:
        ValueError: Another method has the name.
    """

    def register(made: Made) -> Made:
        made.name = name
        registry.add(made)
        return made

    return register


def method(name: str) -> Callable[[Made], Made]:
    """Register a method of transfer, as `registered` does."""
    return registered(name, METHODS)


def methods_for(kind: Kind) -> list[str]:
    """Names of the methods for data of that kind."""
    return [name for name, made in METHODS.items() if kind in made.kinds]
