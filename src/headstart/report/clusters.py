"""The page of a clustering: a map, the clusters with their central examples, and the examples worth a look."""

import os
from dataclasses import dataclass
from pathlib import Path

from headstart.records import Clustering
from headstart.report.page import filled, write_page

WIDTH, HEIGHT, EDGE = 900, 560, 40  # of the map, in pixels
COLOURS = 12  # of clusters, repeated from the thirteenth on
PICTURE = 34  # pixels of a thumbnail on the map
DOTS = 5_000  # examples drawn on the map, at most


@dataclass(frozen=True)
class Dot:
    """An example on the map."""

    x: float
    y: float
    colour: str  # a class of the style sheet
    name: str
    image: str = ""  # a data URI, for the most central example of a cluster


def write_clusters(clustering: Clustering, path: str | os.PathLike[str]) -> Path:
    """Write the page of a clustering as one HTML file, whole or not at all, and return its path.

    Raises:
        WriteError: The file cannot be written.
    """
    page = filled(
        "clusters.html.jinja",
        clustering=clustering,
        provenance=clustering.provenance,
        dots=_dots(clustering),
        colour=colour,
        width=WIDTH,
        height=HEIGHT,
        picture=PICTURE,
        largest=max(one.size for one in clustering.clusters) if clustering.clusters else 1,
    )
    return write_page(path, page)


def colour(group: int) -> str:
    """The class of the style sheet that colours a cluster.

    >>> colour(0), colour(12), colour(-1)
    ('k0', 'k0', 'alone')
    """
    return f"k{group % COLOURS}" if group >= 0 else "alone"


def _dots(clustering: Clustering) -> list[Dot]:
    """The examples on the map, evenly thinned to `DOTS`; thumbnails of central examples come last, on top."""
    xs, ys = zip(*clustering.places, strict=True)
    shown = {one.central[0]: one.samples[0] for one in clustering.clusters if clustering.pictures and one.samples}
    step = -(-len(xs) // DOTS)
    dots = [
        Dot(_scaled(x, xs, WIDTH), HEIGHT - _scaled(y, ys, HEIGHT), colour(group), name, shown.get(name, ""))
        for row, (name, group, x, y) in enumerate(zip(clustering.ids, clustering.groups, xs, ys, strict=True))
        if row % step == 0 or name in shown
    ]
    return sorted(dots, key=lambda dot: bool(dot.image))


def _scaled(value: float, values: tuple[float, ...], length: int) -> float:
    low, high = min(values), max(values)
    return round(EDGE + (length - 2 * EDGE) * ((value - low) / (high - low) if high > low else 0.5), 1)
