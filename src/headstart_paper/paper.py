"""What the paper's Table 1 and figures are made of: rows, settings, hyper-parameters, printed numbers."""

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Literal

SOURCES: dict[str, str] = {"imagenet": "ResNet18 on ImageNet", "cifar10": "ResNet20 on CIFAR-10"}
METHODS: dict[str, str] = {
    "head": "re-trained head",
    "fine-tune": "fine-tuned",
    "scratch": "from scratch",
    "cnaps": "CNAPs (meta-transfer)",
}
TASKS, RATE, BATCH_SIZE = 200, 0.01, 10
MARKS = (1, 2, 5, 10, 20, 50, 100)  # epochs after which a training is tested, beside its last
SELECTION = "selection"  # the kind of results rows that are pairs of a source and a target, not tasks of the table


@dataclass(frozen=True)
class TargetSlot:
    """A data set that the paper transfers to."""

    title: str  # in the paper
    data: str  # what the data set itself is titled
    classes: int  # of a small task (5.2)
    each: int  # training examples of each of them
    reference_epochs: int  # of training from scratch (5.5)


TARGETS = {
    "cifar100": TargetSlot("CIFAR-100", "CIFAR-100", 5, 50, 100),
    "fashion-mnist": TargetSlot("FashionMNIST", "Fashion-MNIST", 4, 30, 40),
}


@dataclass(frozen=True)
class Setting:
    """A kind of random task. The paper gives no epochs for fine-tuning small tasks: they are those of large ones."""

    title: str
    head_epochs: int = 0
    epochs: int = 0  # of fine-tuning


SETTINGS = {
    "large": Setting("large, balanced (5.1)", 100, 100),
    "small": Setting("small, balanced (5.2)", 50, 100),
    "imbalanced": Setting("small, imbalanced (5.3)", 20, 20),
    "meta": Setting("small, balanced (5.4)"),
}

# Row name -> Pearson of LEEP, NCE and H-score with the outcome, in the order of the print. Of H-score, the nine rows
# whose tasks have fewer examples than features are marked in the print as not significant: there H is C - 1 for every
# task.
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
UNPRINTED = (
    *(
        f"fashion-mnist/{source}/large/{method}"
        for method in ("head", "fine-tune")
        for source in ("cifar10", "imagenet")
    ),
    "cifar100/cifar10/meta/cnaps",
)  # ours


@dataclass(frozen=True)
class TableRow:
    """One row of Table 1, or one of ours: which transfers it is about."""

    target: str
    source: str
    setting: str
    method: str

    @property
    def name(self) -> str:
        """For a command line: "fashion-mnist/cifar10/small/head"."""
        return f"{self.target}/{self.source}/{self.setting}/{self.method}"

    @property
    def in_paper(self) -> bool:
        return self.name in PUBLISHED


ROWS = {name: TableRow(*name.split("/")) for name in (*PUBLISHED, *UNPRINTED)}


@dataclass(frozen=True)
class Figure:
    """A figure, by the kind of drawing and the rows it draws."""

    name: str
    kind: Literal["scatter", "levels", "convergence", "selection", "epochs"]
    title: str
    about: tuple[str, ...] = ()  # globs of rows; none for a selection among sources
    method: str = "head"  # of a selection

    def has(self, row: TableRow) -> bool:
        return any(fnmatch(row.name, glob) for glob in self.about)


FIGURES = {
    figure.name: figure
    for figure in (
        Figure("figure1", "scatter", "LEEP and test accuracy, large tasks of CIFAR-100", ("cifar100/*/large/*",)),
        Figure(
            "figure2",
            "levels",
            "Five levels of LEEP, small tasks of CIFAR-100, ImageNet source",
            ("cifar100/imagenet/small/*", "cifar100/imagenet/imbalanced/*"),
        ),
        Figure("figure3", "levels", "Five levels of LEEP, meta-transfer to CIFAR-100", ("cifar100/*/meta/*",)),
        Figure("figure4", "convergence", "Convergence by level of LEEP, CIFAR-100", ("cifar100/*/small/fine-tune",)),
        Figure("figure5", "selection", "Choice of a source, re-trained head"),
        Figure("figure6", "levels", "Five levels of LEEP, small balanced tasks", ("*/*/small/*",)),
        Figure("figure7", "levels", "Five levels of LEEP, small imbalanced tasks", ("*/*/imbalanced/*",)),
        Figure("figure8", "convergence", "Convergence by level of LEEP, both targets", ("*/*/small/fine-tune",)),
        Figure("figure9b", "selection", "Choice of a source, fine-tuned", method="fine-tune"),
        Figure(
            "epochs",
            "epochs",
            "Correlation of score and outcome by epochs of training (ours)",
            ("*/*/small/*", "*/*/imbalanced/*"),
        ),
        Figure("large", "scatter", "LEEP and test accuracy, large tasks (ours)", ("*/*/large/*",)),
        Figure("speed", "convergence", "Convergence by level of LEEP, large tasks (ours)", ("*/*/large/fine-tune",)),
    )
}  # numbered as printed; printed figure 9a repeats figure 5
