"""A two-dimensional map of the examples."""

import warnings
from typing import Any

import numpy as np

from headstart.clusters import oddities
from headstart.clusters.partition import Points
from headstart.errors import InputError, require

MAPS = ("pca", "umap")
FEWEST = 5  # different examples for a UMAP map


def places(points: Points, map: str, seed: int) -> tuple[tuple[float, float], ...]:
    """Where each example lies on a map; the first two principal components, or UMAP of the points.

    Raises:
        InputError: There are too few different examples for UMAP.
    """
    if map == "umap":
        distinct, place = oddities.different(points)
        if len(distinct) < FEWEST:
            raise InputError(f"a UMAP map needs {FEWEST} different examples; there are {len(distinct)}. Use `pca`.")
        near = min(15, len(distinct) - 1)
        flat = umap().UMAP(n_neighbors=near, random_state=seed, n_jobs=1).fit_transform(distinct)[place]
    else:
        flat = points[:, :2] if points.shape[1] > 1 else np.c_[points, np.zeros(len(points))]
    return tuple((round(float(x), 5), round(float(y), 5)) for x, y in flat)


def umap() -> Any:
    """The library of UMAP.

    Raises:
        MissingExtra: It is not installed.
    """
    with warnings.catch_warnings():  # that tensorflow, which no map needs, is missing
        warnings.simplefilter("ignore", ImportWarning)
        return require("umap", "a UMAP map", "umap")
