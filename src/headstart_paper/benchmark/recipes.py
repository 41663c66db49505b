"""The sources and targets of the benchmark: which pictures, which classes, in which look.

All sources are one small architecture trained equally long; they differ in training data only. Every source takes its
pictures from the training part of a data set. A target takes the test part, or any part where no source was trained on
its classes; so no picture of a target was a training picture of a source. Where a source learned other pictures of the
same classes with labels of those classes, the target names it in `shared` (`photos-turns` saw such pictures, with the
turn as their label, and is not named).
"""

from dataclasses import dataclass
from typing import Literal

Look = Literal["plain", "grey", "blurred", "negative", "coloured", "on photos"]
Lesson = Literal["classes", "turns", "half wrong"]  # what the labels of a recipe are

ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
VEHICLES = ("airplane", "automobile", "ship", "truck")
LOW, HIGH = ("0", "1", "2", "3", "4"), ("5", "6", "7", "8", "9")
FIRST_LETTERS, LAST_LETTERS = ("A", "B", "C", "D", "E"), ("F", "G", "H", "I", "J")
WORN = ("T-shirt/top", "Trouser", "Shirt", "Sneaker", "Ankle boot")
CARRIED = ("Pullover", "Dress", "Coat", "Sandal", "Bag")  # the other half of Fashion-MNIST's classes
FRUIT = ("Apple", "Melon", "Pear", "Satsumas", "Orange", "Kiwi", "Banana", "Lemon", "Avocado", "Peach")
CARTONS = ("Juice", "Yoghurt", "Milk", "Soy-Milk", "Soyghurt", "Sour-Cream", "Oatghurt", "Oat-Milk")
VEGETABLES = ("Pepper", "Tomato", "Potato", "Carrots", "Mushroom", "Onion", "Zucchini", "Cucumber")


@dataclass(frozen=True)
class Recipe:
    """Pictures of some classes of a data set, in one look, with one kind of label."""

    name: str
    data: str  # a data set, as `headstart_paper.data_sets` knows it
    classes: tuple[str, ...] = ()  # none named: all of them
    part: Literal["train", "test", "all"] = "train"
    look: Look = "plain"
    lesson: Lesson = "classes"
    mirrored: bool = True  # whether a mirror image has the same label
    shared: tuple[str, ...] = ()  # of a target: sources trained on other pictures and labels of its classes


SOURCES = (
    Recipe("photos", "cifar10"),
    Recipe("photos-animals", "cifar10", ANIMALS),
    Recipe("photos-vehicles", "cifar10", VEHICLES),
    Recipe("photos-grey", "cifar10", look="grey"),
    Recipe("photos-blurred", "cifar10", look="blurred"),
    Recipe("photos-half-wrong-labels", "cifar10", lesson="half wrong"),
    Recipe("photos-turns", "cifar10", lesson="turns", mirrored=False),
    Recipe("clothes", "fashion-mnist", WORN),
    Recipe("clothes-coloured", "fashion-mnist", WORN, look="coloured"),
    Recipe("digits", "mnist", LOW, mirrored=False),
    Recipe("digits-on-photos", "mnist", LOW, look="on photos", mirrored=False),
    Recipe("letters", "notmnist", FIRST_LETTERS, "all", mirrored=False),
    Recipe("letters-coloured", "notmnist", FIRST_LETTERS, "all", "coloured", mirrored=False),
    Recipe("signs", "sign-digits", LOW, "all"),
    Recipe("waste", "trashnet", ("cardboard", "glass", "metal"), "all"),
    Recipe("fruit", "grocery-store", FRUIT, "all"),
    Recipe("cartons", "grocery-store", CARTONS, "all", mirrored=False),
)
UNTRAINED = "none"  # the one source more: the same architecture with its first random weights

CIFAR = ("photos", "photos-grey", "photos-blurred", "photos-half-wrong-labels")
TARGETS = (
    Recipe("digits 5-9", "mnist", HIGH, "test"),
    Recipe("digits 5-9 on photos", "mnist", HIGH, "test", "on photos"),
    Recipe("digits of 8 pixels", "sklearn/digits", (), "all"),
    Recipe("letters F-J", "notmnist", LAST_LETTERS, "all"),
    Recipe("letters F-J coloured", "notmnist", LAST_LETTERS, "all", "coloured"),
    Recipe("other clothes", "fashion-mnist", CARRIED, "test"),
    Recipe("turns of clothes", "fashion-mnist", CARRIED, "test", lesson="turns"),
    Recipe("signs 5-9", "sign-digits", HIGH, "all"),
    Recipe("other waste", "trashnet", ("paper", "plastic", "trash"), "all"),
    Recipe("vegetables", "grocery-store", VEGETABLES, "all"),
    Recipe("animals in negative", "cifar10", ANIMALS, "test", "negative", shared=(*CIFAR, "photos-animals")),
    Recipe("vehicles in grey", "cifar10", VEHICLES, "test", "grey", shared=(*CIFAR, "photos-vehicles")),
)


@dataclass(frozen=True)
class Plan:
    """Everything that a build is asked to do; the default is the benchmark that headstart ships."""

    sources: tuple[Recipe, ...] = SOURCES
    targets: tuple[Recipe, ...] = TARGETS
    seed: int = 0  # of the pictures, the sources and the draw that scores see
    seeds: tuple[int, ...] = (0, 1, 2)  # of the outcomes: each draws its own training pictures
    train: int = 200  # pictures of a target to adapt on
    test: int = 1000  # and at most to judge on
    shown: int = 40_000  # pictures shown to a source in its training, however many different ones there are
    epochs: int = 6  # of fine-tuning

    @property
    def source_names(self) -> tuple[str, ...]:
        """The trained sources and, last, the untrained one."""
        return (*(recipe.name for recipe in self.sources), UNTRAINED)

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(recipe.name for recipe in self.targets)

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets that it takes."""
        return tuple(dict.fromkeys(recipe.data for recipe in (*self.sources, *self.targets)))

    def source(self, name: str) -> Recipe:
        return next(recipe for recipe in self.sources if recipe.name == name)

    def target(self, name: str) -> Recipe:
        return next(recipe for recipe in self.targets if recipe.name == name)
