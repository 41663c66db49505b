"""Which pieces of work a run consists of: tasks of a row of the table, an outcome seed, a method."""

from collections.abc import Sequence
from dataclasses import dataclass

from headstart.errors import InputError
from headstart.wording import plural
from headstart_paper import paper
from headstart_paper.data_sets import DataSet
from headstart_paper.outcomes import Budget
from headstart_paper.tasks import ClassTask, large_balanced, small_balanced, small_imbalanced

SIDE_BY_SIDE = 16  # heads of small tasks that are trained in one product, and so finish together


BUDGETS = tuple(f"{setting}{of}_epochs" for setting in paper.EPOCHS for of in ("_head", ""))  # fields of `Scale`


@dataclass(frozen=True)
class Scale:
    """How far a run is scaled down, and its seed: everything that decides the numbers beside data and models."""

    large_head_epochs: int = paper.EPOCHS["large"][0]
    large_epochs: int = paper.EPOCHS["large"][1]
    small_head_epochs: int = paper.EPOCHS["small"][0]
    small_epochs: int = paper.EPOCHS["small"][1]
    imbalanced_head_epochs: int = paper.EPOCHS["imbalanced"][0]
    imbalanced_epochs: int = paper.EPOCHS["imbalanced"][1]
    rate: float = paper.RATE
    batch_size: int = paper.BATCH_SIZE
    pool: int | None = None  # training examples of a class that tasks are drawn from; None: all
    large_each: int | None = None  # training examples of a class in a large task; None: all of the pool
    test_each: int | None = None  # test examples of a class; None: all
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InputError where a number is out of its range."""
        for name in (*BUDGETS, "batch_size", "pool", "large_each", "test_each"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"`{name}` must be at least 1; got {value}.")
        if not self.rate > 0:
            raise InputError(f"`rate` must be positive; got {self.rate}.")

    def budget(self, setting: str, method: str) -> Budget:
        """The training of one method on tasks of one setting."""
        of_setting = {"convergence": "large", "meta": "small"}.get(setting, setting)
        epochs = getattr(self, f"{of_setting}{'_head' if method == 'head' else ''}_epochs")
        return Budget(epochs, self.rate, self.batch_size)

    def differences(self, method: str, setting: str) -> list[str]:
        """In words, where this differs from the paper's settings; empty for a run in full."""
        full, said = Scale(), []
        if method != "cnaps":  # which trains on no task
            mine, theirs = self.budget(setting, method).epochs, full.budget(setting, method).epochs
            if mine != theirs:
                said.append(f"{plural(mine, 'epoch')} for {theirs}")
            if self.rate != full.rate or self.batch_size != full.batch_size:
                said.append(f"rate {self.rate:g}, batch {self.batch_size}")
        if self.pool is not None:
            said.append(f"drawn from {plural(self.pool, 'example')} a class")
        if self.large_each is not None and setting in ("large", "convergence"):
            said.append(f"{plural(self.large_each, 'training example')} a class")
        if self.test_each is not None:
            said.append(f"{plural(self.test_each, 'test example')} a class")
        return said


@dataclass(frozen=True)
class Meta:
    """What a meta-transfer learns to adapt from."""

    data: tuple[str, ...]  # names of data sets, none of them the target's
    episodes: int = 2000


@dataclass(frozen=True)
class Part:
    """A row of the table with what stands in its slots here."""

    row: paper.TableRow
    source: str  # path or name of the model
    data: str  # name of the data set
    curve: bool = False
    methods: tuple[str, ...] = ()  # more to run on the same tasks (convergence: scratch)
    meta: Meta | None = None  # of a meta-transfer


@dataclass(frozen=True)
class Piece:
    """Work that is done, and written, at once."""

    part: Part
    method: str
    numbers: tuple[int, ...]
    outcome_seed: int = 0

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key(self.part.row, self.part.curve, self.method, n, self.outcome_seed) for n in self.numbers)


def key(row: paper.TableRow, curve: bool, method: str, number: int, outcome_seed: int) -> str:
    """The name of one task's row in the results file."""
    setting = f"{row.setting}-curve" if curve else row.setting
    return f"{row.target}/{row.source}/{setting}/{method}/{number}/{outcome_seed}"


@dataclass(frozen=True)
class Order:
    """How many tasks, and how many of them with how many seeds of the outcome."""

    tasks: int = paper.TASKS
    seeds: int = 1
    seeded: int = 0  # the first so many tasks get all the seeds

    def __post_init__(self) -> None:
        """Raises InputError where a number is out of its range."""
        if self.tasks < 1 or self.seeds < 1 or self.seeded < 0:
            raise InputError(f"`tasks` and `seeds` must be at least 1; got {self.tasks} and {self.seeds}.")


def pieces(parts: Sequence[Part], order: Order) -> list[Piece]:
    """All the work, the first tasks of every row before the later ones of any."""
    found: list[Piece] = []
    for part in parts:
        for method in (part.row.method, *part.methods):
            for seed in range(1 if method == "cnaps" else order.seeds):  # forward passes have no seed
                count = order.tasks if seed == 0 else min(order.seeded, order.tasks)
                step = SIDE_BY_SIDE if method == "head" and part.row.setting != "large" else 1
                for first in range(0, count, step):
                    found.append(Piece(part, method, tuple(range(first, min(first + step, count))), seed))
    return sorted(found, key=lambda piece: (piece.outcome_seed > 0, piece.numbers[0]))


def make_task(part: Part, number: int, data: DataSet, scale: Scale) -> ClassTask:
    """Task `number` of a row on a data set."""
    row, labels = part.row, (data.train.labels, data.test.labels)
    if row.setting == "large":
        return large_balanced(*labels, number, seed=scale.seed, each=scale.large_each)
    if row.setting == "imbalanced":
        return small_imbalanced(*labels, number, seed=scale.seed)
    classes, each = paper.SMALL[row.target]
    return small_balanced(*labels, number, seed=scale.seed, classes=classes, each=each, setting=row.setting)
