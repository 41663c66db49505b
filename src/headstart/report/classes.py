"""The target's classes: how many examples each has, and what some of them look like."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from headstart.records import TargetSummary
from headstart.wording import shortened

SHOWN = 24  # classes in view; more are folded away
# Only these are embedded: an SVG may carry a script, and any other address would reach for the network.
THUMBNAIL = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}")
LONGEST_TEXT = 280


@dataclass(frozen=True)
class Samples:
    """What is shown of one class."""

    images: tuple[str, ...] = ()  # data URIs
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassLine:
    """One class of the target."""

    name: str
    count: int
    width: float  # percent of the most frequent class
    samples: Samples


@dataclass(frozen=True)
class ClassList:
    """The classes in view, those folded away, and samples that belong to no class."""

    shown: tuple[ClassLine, ...]
    folded: tuple[ClassLine, ...]
    loose: dict[str, Samples]  # a regression target has samples by value, and no classes
    dropped: int  # samples in the record that are not on the page
    has_samples: bool


def class_list(target: TargetSummary) -> ClassList:
    """Classes in the order of the record, with their samples."""
    samples = {name: _samples(values, target.pictures) for name, values in target.samples.items()}
    most = max(target.counts, default=0) or 1
    lines = tuple(
        ClassLine(name, count, round(100 * count / most, 2), samples.get(name, Samples()))
        for name, count in zip(target.classes, target.counts, strict=True)
    )
    shown = lines if len(lines) <= SHOWN + 6 else lines[:SHOWN]  # folding a handful away hides more than it saves
    kept = sum(len(found.images) + len(found.texts) for found in samples.values())
    return ClassList(
        shown=shown,
        folded=lines[len(shown) :],
        loose={name: found for name, found in samples.items() if name not in set(target.classes)},
        dropped=sum(map(len, target.samples.values())) - kept,
        has_samples=kept > 0,
    )


def _samples(values: Sequence[str], pictures: bool) -> Samples:
    if pictures:
        return Samples(images=tuple(value for value in values if THUMBNAIL.fullmatch(value)))
    return Samples(texts=tuple(shortened(value, LONGEST_TEXT) for value in values))
