"""What the paper's Table 1 and figures are made of: rows, settings, hyper-parameters, published numbers."""

from dataclasses import dataclass
from typing import Literal

SourceSlot = Literal["imagenet", "cifar10"]
TargetSlot = Literal["cifar100", "fashion-mnist"]
SettingName = Literal["large", "small", "imbalanced", "meta"]
Method = Literal["head", "fine-tune", "scratch", "cnaps"]

PAPER = (
    "Nguyen, Hassner, Seeger, Archambeau: LEEP: A New Measure to Evaluate Transferability of Learned Representations, "
    "ICML 2020, https://arxiv.org/abs/2002.12462"
)
SOURCES: dict[str, str] = {"imagenet": "ResNet18 on ImageNet", "cifar10": "ResNet20 on CIFAR-10"}
TARGETS: dict[str, str] = {"cifar100": "CIFAR-100", "fashion-mnist": "FashionMNIST"}
DATA = {"cifar100": "CIFAR-100", "fashion-mnist": "Fashion-MNIST"}  # the targets as data sets title them
PROPERTIES: dict[str, str] = {
    "large": "large, balanced (5.1)",
    "small": "small, balanced (5.2)",
    "imbalanced": "small, imbalanced (5.3)",
    "meta": "small, balanced (5.4)",
}
METHODS: dict[str, str] = {
    "head": "re-trained head",
    "fine-tune": "fine-tuned",
    "scratch": "from scratch",
    "cnaps": "CNAPs (meta-transfer)",
}
TASKS, RATE, BATCH_SIZE = 200, 0.01, 10
EPOCHS = {"head": 100, "fine-tune large": 20, "fine-tune small": 50}
SMALL = {"cifar100": (5, 50), "fashion-mnist": (4, 30)}  # classes, examples of each (5.2)


@dataclass(frozen=True)
class TableRow:
    """One row of Table 1: which transfers it is about."""

    target: TargetSlot
    source: SourceSlot
    setting: SettingName
    method: Method
    in_paper: bool = True

    @property
    def name(self) -> str:
        """For a command line: "fashion-mnist/cifar10/small/head"."""
        return f"{self.target}/{self.source}/{self.setting}/{self.method}"

    @property
    def property(self) -> str:
        return PROPERTIES[self.setting]


def _grid(target: TargetSlot, setting: SettingName, in_paper: bool = True) -> list[TableRow]:
    sources: tuple[SourceSlot, ...] = ("imagenet", "cifar10")
    methods: tuple[Method, ...] = ("head", "fine-tune")
    return [TableRow(target, source, setting, method, in_paper) for source in sources for method in methods]


ROWS: tuple[TableRow, ...] = (
    *_grid("cifar100", "large"),
    *_grid("fashion-mnist", "large"),
    *_grid("cifar100", "small"),
    *_grid("fashion-mnist", "small"),
    *_grid("cifar100", "imbalanced"),
    TableRow("cifar100", "imagenet", "meta", "cnaps"),
)  # 21: two sources, two targets, two methods in 5.1 and 5.2; CIFAR-100 in 5.3; one meta-transfer in 5.4
BEYOND: tuple[TableRow, ...] = (
    *_grid("fashion-mnist", "imbalanced", in_paper=False),
    TableRow("cifar100", "cifar10", "meta", "cnaps", in_paper=False),
)

# Row name -> Pearson of LEEP, NCE and H-score with the outcome as printed in Table 1. Empty: the printed table was not
# at hand when this was written, and a number from memory is no reference. `--published FILE` fills it in.
PUBLISHED: dict[str, tuple[float | None, float | None, float | None]] = {}
NOT_AT_HAND = (
    "The published coefficients are not part of this package: the printed table was not at hand. "
    "`--published FILE` (CSV: row, leep, nce, h) shows them beside the obtained ones."
)


@dataclass(frozen=True)
class Figure:
    """A figure of the paper, by the kind of drawing and the rows it draws."""

    number: int
    kind: Literal["scatter", "levels", "convergence", "selection"]
    title: str
    target: TargetSlot | None  # None: whichever there is
    setting: SettingName

    @property
    def name(self) -> str:
        return f"figure{self.number}"


FIGURES: tuple[Figure, ...] = (
    Figure(1, "scatter", "LEEP and test accuracy, large tasks of CIFAR-100", "cifar100", "large"),
    Figure(2, "levels", "Five levels of LEEP, small balanced tasks of CIFAR-100", "cifar100", "small"),
    Figure(3, "levels", "Five levels of LEEP, meta-transfer to CIFAR-100", "cifar100", "meta"),
    Figure(4, "convergence", "Speed of convergence by level of LEEP, CIFAR-100", "cifar100", "large"),
    Figure(5, "selection", "Choice of a source for CIFAR-100", "cifar100", "large"),
    Figure(6, "scatter", "LEEP and test accuracy, large tasks of FashionMNIST", "fashion-mnist", "large"),
    Figure(7, "levels", "Five levels of LEEP, small balanced tasks of FashionMNIST", "fashion-mnist", "small"),
    Figure(8, "levels", "Five levels of LEEP, small imbalanced tasks", None, "imbalanced"),
    Figure(9, "convergence", "Speed of convergence by level of LEEP, FashionMNIST", "fashion-mnist", "large"),
)
NUMBERING = (
    "The figures are numbered by kind in the order of section 5, CIFAR-100 first. The print was not at hand, so a "
    "number may differ from the paper's."
)
