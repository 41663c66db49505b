"""The target's classes: how many examples each has, and what some of them look like."""

from dataclasses import dataclass

from headstart.records import TargetSummary
from headstart.report.samples import Samples, chosen_samples

SHOWN = 24  # classes in view; more are folded away


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
    """Classes in the order of the record, with the samples that fit on a page."""
    samples = chosen_samples(target.samples, pictures=target.pictures)
    most = max(target.counts, default=0) or 1
    lines = tuple(
        ClassLine(name, count, round(100 * count / most, 2), samples.get(name, Samples()))
        for name, count in zip(target.classes, target.counts, strict=True)
    )
    shown = lines if len(lines) <= SHOWN + 6 else lines[:SHOWN]  # folding a handful away hides more than it saves
    classes = set(target.classes)
    return ClassList(
        shown=shown,
        folded=lines[len(shown) :],
        loose={name: found for name, found in samples.items() if name not in classes},
        dropped=sum(found.dropped for found in samples.values()),
        has_samples=any(found.images or found.texts for found in samples.values()),
    )
