"""Which pieces of work a run consists of: tasks of a row of the table, an outcome seed, a method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headstart.train import Precision
from headstart.wording import plural
from headstart_paper import paper, tasks
from headstart_paper.data_sets import DataSet
from headstart_paper.outcomes import Budget


@dataclass(frozen=True)
class Scale:
    """How far a run is scaled down, and its seed: everything that decides the numbers beside data and models."""

    epochs: int | None = None  # at most; None: as many as in the paper
    rate: float = paper.RATE
    batch_size: int = paper.BATCH_SIZE
    pool: int | None = None  # training examples of a class that tasks are drawn from; None: all
    large_each: int | None = None  # training examples of a class in a large task; None: all of the pool
    test_each: int | None = None  # test examples of a class; None: all
    seed: int = 0
    precision: Precision = "fp32"  # of fine-tuning
    old: tuple[int, int, int] | None = None  # format 1: epochs of heads, of fine-tuning large tasks, and small ones

    def budget(self, row: paper.TableRow, method: str) -> Budget:
        """The training of one method on the tasks of a row."""
        setting = paper.SETTINGS[row.setting]
        if self.old is not None:
            head, large, small = self.old
            return Budget(head if method == "head" else large if row.setting == "large" else small)
        full = setting.head_epochs if method == "head" else setting.epochs
        full = paper.TARGETS[row.target].reference_epochs if method == "scratch" else full
        return Budget(min(full, self.epochs or full), self.rate, self.batch_size, self.precision)

    def differences(self, row: paper.TableRow, method: str) -> list[str]:
        """In words, where this differs from the paper's settings; empty for a run in full."""
        said = []
        mine, full = self.budget(row, method).epochs, Scale().budget(row, method).epochs
        if row.setting == "meta":
            said += ["drawn from the training part"] if self.old else []
        elif mine != full:
            said.append(f"{plural(mine, 'epoch')} instead of {full}")
        if self.pool is not None:
            said.append(f"drawn from {plural(self.pool, 'example')} per class")
        if self.large_each is not None and row.setting == "large":
            said.append(f"{plural(self.large_each, 'training example')} per class")
        if self.test_each is not None:
            said.append(f"{plural(self.test_each, 'test example')} per class")
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
    curve: bool = False  # also trained from scratch, and tested after each epoch
    meta: Meta | None = None  # of a meta-transfer

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def about(self) -> dict[str, Any]:
        """How the results file's rows of it are known."""
        return {"row": self.name}


@dataclass(frozen=True)
class Piece:
    """One task, one method, one seed: one row of the results file."""

    part: Part
    method: str
    number: int
    outcome_seed: int = 0

    @property
    def key(self) -> str:
        """The name of its row."""
        row = self.part.row
        setting = f"{row.setting}-curve" if self.part.curve else row.setting
        return f"{row.target}/{row.source}/{setting}/{self.method}/{self.number}/{self.outcome_seed}"


@dataclass(frozen=True)
class Pair:
    """A candidate source on all of a target: one row of a selection."""

    source: str  # path or name of the model
    model: str  # what it is called in the results
    data: str
    method: str = "head"

    @property
    def name(self) -> str:
        return paper.SELECTION

    @property
    def key(self) -> str:
        end = "" if self.method == "head" else f"/{self.method}"
        return f"{paper.SELECTION}/{self.data}/{self.model}{end}"

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": paper.SELECTION, "key": self.key, "model": self.model, "method": self.method}


@dataclass(frozen=True)
class Order:
    """How many tasks, and how many of them with how many seeds of the outcome."""

    tasks: int = paper.TASKS
    seeds: int = 1
    seeded: int = 0  # the first so many tasks get all the seeds


def pieces(parts: Sequence[Part], order: Order) -> list[Piece]:
    """All the work, the first tasks of every row before the later ones of any."""
    found: list[Piece] = []
    for part in parts:
        for method in (part.row.method, *(("scratch",) if part.curve else ())):
            for seed in range(1 if method == "cnaps" else order.seeds):  # forward passes have no seed
                count = order.tasks if seed == 0 else min(order.seeded, order.tasks)
                found += [Piece(part, method, number, seed) for number in range(count)]
    return sorted(found, key=lambda piece: (piece.outcome_seed > 0, piece.number))


def make_task(part: Part | Pair, number: int, data: DataSet, scale: Scale) -> tasks.ClassTask:
    """Task `number` of a row on a data set.

    Raises:
        InputError: The data set has too few examples of a class.
    """
    labels = data.train.labels, data.test.labels
    if isinstance(part, Pair):
        return tasks.whole(*labels)
    target, setting = paper.TARGETS[part.row.target], part.row.setting
    if setting == "large":
        return tasks.large_balanced(*labels, number, seed=scale.seed, each=scale.large_each)
    if setting == "imbalanced":
        return tasks.small_imbalanced(*labels, number, seed=scale.seed)
    if setting == "meta" and not scale.old:
        return tasks.meta_test(data.test.labels, number, seed=scale.seed, classes=target.classes, each=target.each)
    return tasks.small_balanced(
        *labels, number, seed=scale.seed, classes=target.classes, each=target.each, setting=setting
    )
