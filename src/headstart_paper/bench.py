"""What a run works with: data sets, models and their forward passes, each opened once in a process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from headstart.data import target_hash
from headstart.errors import InputError
from headstart.extract import extract
from headstart.sources import Source
from headstart.store import default_folder
from headstart_paper.data_sets import DataSet, open_data_set
from headstart_paper.networks import open_source
from headstart_paper.plan import Scale

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """Where things lie and how far a run is scaled down. It can be pickled: a worker opens them for itself."""

    scale: Scale
    places: tuple[tuple[str, str], ...] = ()
    root: str = "data"
    cache: str | None = None  # None: the library's own cache folder
    device: str = "cpu"

    @property
    def folder(self) -> Path:
        return default_folder() if self.cache is None else Path(self.cache)


@dataclass(frozen=True, eq=False)
class Outputs:
    """A source's one forward pass over a part of a data set."""

    features: np.ndarray
    logits: np.ndarray


@lru_cache(maxsize=16)
def opened(name: str, bench: Bench) -> DataSet:
    """A data set, cut down as the scale says."""
    scale = bench.scale
    whole = open_data_set(name, places=dict(bench.places), root=bench.root)
    return whole.limited(train_each=scale.pool, test_each=scale.test_each, seed=scale.seed)


@lru_cache(maxsize=4)
def loaded(spec: str) -> Source:
    """A model by path or name."""
    return open_source(spec)


@lru_cache(maxsize=2)
def outputs_of_source(spec: str, name: str, bench: Bench) -> tuple[Outputs, Outputs]:
    """Features and logits of both parts of a data set, from the cache where they are there."""
    source, data = loaded(spec), opened(name, bench)
    found = []
    for part in (data.train, data.test):
        one = extract(part, source, cache=bench.folder, device=bench.device, max_bad=0.0)
        if one.features is None or one.logits is None:
            raise InputError(f"{source.name} has no classifier, which LEEP needs. Name a classifier with `--models`.")
        found.append(Outputs(one.features, one.logits))
    return found[0], found[1]


@lru_cache(maxsize=16)
def data_hash(name: str, bench: Bench) -> str:
    """16 hex digits that stand for both parts of a data set, cut down as the scale says."""
    data = opened(name, bench)
    return target_hash(data.train)[:8] + target_hash(data.test)[:8]
