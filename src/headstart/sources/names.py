"""Sources ranked by the names of their classes alone: no example, no forward pass of a source."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.errors import HeadstartError, InputError
from headstart.records import Kind, ModelCard

logger = logging.getLogger(__name__)
TEXT = "st/all-MiniLM-L6-v2"
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Nearness:
    """How near a source's classes are to the target's."""

    source: str
    value: float  # mean over the target's classes of the cosine with the nearest source class, at most 1
    nearest: tuple[tuple[str, str], ...]  # target class, nearest source class


def rank_by_names(
    classes: Sequence[str], sources: Sequence[tuple[ModelCard, Sequence[str]]], *, text: str = TEXT
) -> list[Nearness]:
    """Sources in order of how near their classes' names are to the target's, nearest first.

    Args:
        classes: Names of the target's classes.
        sources: Each source's card and the names of its classes; one without names is compared by its `trained_on`.
        text: The sentence encoder that compares names.

    Raises:
        InputError: There are no names to compare.

    Example:
        >>> birds, cars = ModelCard("birds", "image"), ModelCard("cars", "image")
        >>> [one.source for one in rank_by_names(["eagle"], [(cars, ["truck", "van"]), (birds, ["robin", "crow"])])]
        ['birds', 'cars']
    """
    if not classes:
        raise InputError("`classes` is empty: ranking by names needs a target with named classes.")
    if not sources:
        raise InputError("`sources` is empty: none of the models names its classes or what it was trained on.")
    theirs = []
    for card, names in sources:
        theirs.append(
            [clean(name.partition(",")[0]) for name in names] or ([card.trained_on] if card.trained_on else [])
        )
        if not theirs[-1]:
            raise InputError(f"{card.name} names neither its classes nor what it was trained on; leave it out.")
    every = list(dict.fromkeys([*map(clean, classes), *(name for said in theirs for name in said)]))
    place_of = {name: place for place, name in enumerate(every)}
    rows = embedded(every, text)  # all at once: the encoder is loaded once
    own = rows[[place_of[clean(name)] for name in classes]]
    found = []
    for (card, _), said in zip(sources, theirs, strict=True):
        cosines = own @ rows[[place_of[name] for name in said]].T
        best = cosines.argmax(axis=1)
        pairs = tuple((name, said[place]) for name, place in zip(classes, best, strict=True))
        found.append(Nearness(card.name, float(cosines.max(axis=1).mean()), pairs))
    return sorted(found, key=lambda one: -one.value)


def clean(name: str) -> str:
    """A class name as a person would write it: words apart, in lower case unless it is an abbreviation.

    Example:
        >>> clean("T-shirt_top"), clean("GoldenRetriever"), clean("DVD player"), clean("Ankle  boot")
        ('t-shirt top', 'golden retriever', 'DVD player', 'ankle boot')
    """
    words = CAMEL.sub(" ", name.replace("_", " ").replace("/", " or ")).split()
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)


def names_of(models: str | Sequence[str], kind: Kind) -> list[tuple[ModelCard, Sequence[str]]]:
    """Cards and class names of models for one kind of data, as `rank_by_names` takes them.

    Models are loaded for their names and run on nothing. Left out are those that cannot be loaded, and those with
    neither names nor a card that says what they were trained on.
    """
    from headstart.sources import candidates

    found: list[tuple[ModelCard, Sequence[str]]] = []
    for candidate in candidates(models, kind=kind):
        if not candidate.card.reads(kind):
            continue
        try:
            names = candidate.load(False).classes or ()
        except HeadstartError as error:
            logger.warning("%s: %s", candidate.name, error)
            continue
        if names or candidate.card.trained_on:
            found.append((candidate.card, names))
    return found


def embedded(texts: Sequence[str], text: str) -> np.ndarray:
    """Unit embeddings (m, e) of texts."""
    import torch

    from headstart.sources import candidates

    source = candidates(text)[0].load(False)
    with torch.inference_mode():
        parts = [
            source.network(source.collate([source.prepare(one) for one in texts[start : start + 64]]))[0]
            for start in range(0, len(texts), 64)
        ]
    rows = torch.cat(parts).double().numpy()
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
