"""From a recipe to arrays: the pictures in their look, the labels of their lesson, drawn by seed."""

from dataclasses import dataclass

import numpy as np

from headstart.data import stratified_order
from headstart.errors import InputError
from headstart_paper.benchmark.looks import change_look
from headstart_paper.benchmark.recipes import Recipe

HELD_OUT = 1000  # pictures of a source to measure its own accuracy on, or a tenth of them
WRONG = 0.5  # share of labels drawn anew in the lesson "half wrong"


@dataclass(frozen=True, eq=False)
class Collection:
    """A data set in memory."""

    images: np.ndarray  # (n, 32, 32, 3) uint8
    labels: np.ndarray  # (n,) names of classes
    parts: np.ndarray  # (n,) "train", "test" or, where the data set has no parts, "all"


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures with codes of classes."""

    images: np.ndarray  # (n, 32, 32, 3) uint8
    labels: np.ndarray  # (n,) int64
    classes: tuple[str, ...]


def pictures_of(recipe: Recipe, collection: Collection, seed: int, photos: np.ndarray | None = None) -> Labelled:
    """All pictures that a recipe names.

    Raises:
        InputError: The data set lacks a class of the recipe.
    """
    names = recipe.classes or tuple(sorted(set(collection.labels.tolist())))
    codes = {name: code for code, name in enumerate(names)}
    in_part = (collection.parts == recipe.part) if recipe.part != "all" else np.ones(len(collection.labels), bool)
    chosen = np.flatnonzero(in_part & np.isin(collection.labels, names))
    labels = np.array([codes[name] for name in collection.labels[chosen]], dtype=np.int64)
    absent = [name for name, code in codes.items() if not (labels == code).any()]
    if absent:
        raise InputError(f"`{recipe.name}` needs the classes {', '.join(absent)} of {recipe.data}, which has none.")
    images = change_look(collection.images[chosen], recipe.look, seed, photos)
    return _lesson(Labelled(images, labels, names), recipe, np.random.default_rng([seed, 1]))


def halves(pictures: Labelled, most: int, seed: int) -> tuple[Labelled, Labelled]:
    """A target's pool to draw training pictures from, and its test pictures: at most `most`, at most half of all."""
    order = stratified_order(pictures.labels, seed)
    count = min(most, len(order) // 2)
    return take(pictures, order[count:]), take(pictures, order[:count])


def draw(pool: Labelled, count: int, seed: int) -> Labelled:
    """`count` pictures of a pool, as many of each class as its share gives."""
    return take(pool, stratified_order(pool.labels, seed)[:count])


def held_out(pictures: Labelled, seed: int) -> tuple[Labelled, Labelled]:
    """A source's training pictures and those its own accuracy is measured on."""
    order = stratified_order(pictures.labels, seed)
    count = min(HELD_OUT, len(order) // 10)
    return take(pictures, order[count:]), take(pictures, order[:count])


def take(pictures: Labelled, indices: np.ndarray) -> Labelled:
    """Some of the pictures."""
    return Labelled(pictures.images[indices], pictures.labels[indices], pictures.classes)


def _lesson(pictures: Labelled, recipe: Recipe, rng: np.random.Generator) -> Labelled:
    if recipe.lesson == "turns":
        turns = rng.integers(0, 4, len(pictures.labels))
        turned = np.empty_like(pictures.images)
        for quarter in range(4):
            turned[turns == quarter] = np.rot90(pictures.images[turns == quarter], quarter, axes=(1, 2))
        return Labelled(turned, turns, ("upright", "quarter", "half", "three quarters"))
    if recipe.lesson == "half wrong":
        anew = rng.random(len(pictures.labels)) < WRONG
        drawn = rng.integers(0, len(pictures.classes), len(pictures.labels))
        return Labelled(pictures.images, np.where(anew, drawn, pictures.labels), pictures.classes)
    return pictures
