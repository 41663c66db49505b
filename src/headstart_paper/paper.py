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
EPOCHS = {  # of the head and of fine-tuning; the paper names no other number for fine-tuning small tasks than for large
    "large": (100, 100),
    "small": (50, 100),
    "imbalanced": (20, 20),
}
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
    *_grid("cifar100", "small"),
    *_grid("fashion-mnist", "small"),
    *_grid("cifar100", "imbalanced"),
    *_grid("fashion-mnist", "imbalanced"),
    TableRow("cifar100", "imagenet", "meta", "cnaps"),
)  # 21: large tasks of CIFAR-100 (5.1), small and imbalanced ones of both targets (5.2, 5.3), meta-transfer (5.4)
BEYOND: tuple[TableRow, ...] = (
    *_grid("fashion-mnist", "large", in_paper=False),
    TableRow("cifar100", "cifar10", "meta", "cnaps", in_paper=False),
)

# Row name -> Pearson of LEEP, NCE and H-score with the outcome, as printed in Table 1. Of H-score, the nine rows whose
# tasks have fewer examples than features are marked in the print as not significant: there H is C - 1 for every task.
PUBLISHED: dict[str, tuple[float, float, float]] = {
    "cifar100/cifar10/large/head": (0.982, 0.982, 0.831),
    "cifar100/imagenet/large/head": (0.974, 0.973, 0.924),
    "cifar100/cifar10/small/head": (0.744, 0.743, 0.877),
    "cifar100/imagenet/small/head": (0.798, 0.715, 0.026),
    "fashion-mnist/cifar10/small/head": (0.518, 0.429, 0.787),
    "fashion-mnist/imagenet/small/head": (0.631, 0.622, 0.005),
    "cifar100/cifar10/imbalanced/head": (0.862, 0.847, 0.787),
    "cifar100/imagenet/imbalanced/head": (0.522, 0.484, -0.058),
    "fashion-mnist/cifar10/imbalanced/head": (0.704, 0.688, 0.822),
    "fashion-mnist/imagenet/imbalanced/head": (0.645, 0.624, 0.059),
    "cifar100/cifar10/large/fine-tune": (0.967, 0.967, 0.787),
    "cifar100/imagenet/large/fine-tune": (0.944, 0.945, 0.875),
    "cifar100/cifar10/small/fine-tune": (0.396, 0.401, 0.737),
    "cifar100/imagenet/small/fine-tune": (0.762, 0.584, -0.029),
    "fashion-mnist/cifar10/small/fine-tune": (0.339, 0.258, 0.826),
    "fashion-mnist/imagenet/small/fine-tune": (0.609, 0.578, 0.018),
    "cifar100/cifar10/imbalanced/fine-tune": (0.597, 0.582, 0.758),
    "cifar100/imagenet/imbalanced/fine-tune": (0.565, 0.503, -0.069),
    "fashion-mnist/cifar10/imbalanced/fine-tune": (0.603, 0.589, 0.904),
    "fashion-mnist/imagenet/imbalanced/fine-tune": (0.507, 0.425, 0.056),
    "cifar100/imagenet/meta/cnaps": (0.591, 0.31, 0.025),
}


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
    "Figures 1, 3 and 5 are the paper's. Figures 2, 4 and 6 to 9 are of the same kinds, but numbered otherwise than in "
    "print: printed 2 has small and imbalanced tasks, 4 and 8 small ones, 6 and 7 all pairs, and 9 fine-tuning too."
)
