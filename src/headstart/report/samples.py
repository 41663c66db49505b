"""Thumbnails and texts of the target, as far as they are safe to embed and the page stays small."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.wording import shortened

# Only these are embedded: an SVG may carry a script, and any other address would reach for the network.
THUMBNAIL = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}")
PAGE_BUDGET = 600_000  # characters of samples on one page; a usual run needs a tenth of that
LONGEST_TEXT = 280


@dataclass(frozen=True)
class Samples:
    """What is shown of one class."""

    images: tuple[str, ...] = ()  # data URIs
    texts: tuple[str, ...] = ()
    dropped: int = 0  # left out: not a PNG or JPEG data URI, or no room on the page


def chosen_samples(
    samples: Mapping[str, Sequence[str]], *, pictures: bool, budget: int = PAGE_BUDGET
) -> dict[str, Samples]:
    """The samples to show of every class: each class gets its first before any gets its second.

    Args:
        samples: Class -> data URIs of thumbnails (`pictures`) or texts.
        pictures: Whether the samples are thumbnails; one that is no PNG or JPEG data URI is dropped.
        budget: Characters of samples in all.

    Example:
        >>> chosen_samples({"a": ["x", "y"], "b": ["z"]}, pictures=False, budget=2)
        {'a': Samples(images=(), texts=('x',), dropped=1), 'b': Samples(images=(), texts=('z',), dropped=0)}
    """
    usable = {name: _usable(values, pictures) for name, values in samples.items()}
    kept: dict[str, list[str]] = {name: [] for name in samples}
    for turn in range(max(map(len, usable.values()), default=0)):
        for name, values in usable.items():
            if turn < len(values) and len(values[turn]) <= budget:
                kept[name].append(values[turn])
                budget -= len(values[turn])
    return {name: _samples(kept[name], len(samples[name]), pictures) for name in samples}


def _usable(values: Sequence[str], pictures: bool) -> list[str]:
    if pictures:
        return [value for value in values if THUMBNAIL.fullmatch(value)]
    return [shortened(value, LONGEST_TEXT) for value in values]


def _samples(kept: list[str], offered: int, pictures: bool) -> Samples:
    shown = tuple(kept)
    dropped = offered - len(kept)
    return Samples(images=shown, dropped=dropped) if pictures else Samples(texts=shown, dropped=dropped)
