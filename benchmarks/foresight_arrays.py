"""Features and logits of every source on every data set, as float16 files that a killed run finds again.

Rows follow one stratified order of each part of a data set, so every prefix of them is a stratified sample. A file
holds one run of that order; longer runs are added beside shorter ones, cheapest models first.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart.data import Target, stratified_order
from headstart.errors import InputError
from headstart.extract import extract
from headstart.records import ModelCard
from headstart.sources import Candidate, Source
from headstart_paper.data_sets import open_data_set
from headstart_paper.networks import candidates

SEED = 0
TRAIN_RUNS = ((0, 600), (600, 1000), (1000, 2000), (2000, 2000))
TEST_RUNS = ((0, 500), (500, 1000), (1000, 2000), (2000, 2400))
STAGES = len(TRAIN_RUNS)


@dataclass(frozen=True, eq=False)
class Rows:
    """One source on one part of a data set."""

    features: np.ndarray  # (n, d) float32
    logits: np.ndarray  # (n, z) float32
    labels: np.ndarray  # (n,)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: np.ndarray | slice) -> "Rows":
        return Rows(self.features[which], self.logits[which], self.labels[which])


@dataclass(frozen=True, eq=False)
class Pair:
    """One source on one data set: the pool that scores and heads may look at, and the test part."""

    source: str
    card: ModelCard
    data: str
    pool: Rows
    test: Rows


def image_candidates(specs: list[str]) -> list[Candidate]:
    """The sources named, those for images only, cheapest first (by input size, then parameters)."""
    found = [one for one in candidates(specs) if one.card.kind == "image"]
    return sorted(found, key=lambda one: (one.card.input_size or (3, 224, 224), one.card.parameters or 0))


def extract_all(folder: Path, data: dict[str, str], specs: list[str], stages: int = STAGES) -> None:
    """Fill the folder with whatever is missing, stage by stage: a stop in between leaves whole, smaller sets.

    A source goes over all data sets in one pass, so that preparing it to run fast is paid for once.
    """
    sets = {name: open_data_set(name, places=data) for name in data}
    orders = {
        (name, part): np.asarray(stratified_order(target.labels, SEED))
        for name, one in sets.items()
        for part, target in (("train", one.train), ("test", one.test))
    }
    for stage in range(stages):
        for one in image_candidates(specs):
            pieces = [
                Piece(path, {"train": sets[name].train, "test": sets[name].test}[part], orders[name, part][a:b])
                for name in sets
                for path, part, (a, b) in _pieces(folder, name, one.name, stage)
                if not path.exists()
            ]
            if pieces:
                _extract_pieces(pieces, _classifier(one))
                print(stage, one.name, flush=True)


def _classifier(one: Candidate) -> Source:
    source = one.load(False)
    if source.head is None:
        raise InputError(f"{one.name} has no classifier, and most of the scores read one. Leave it out of `--models`.")
    return source


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows of one part of one data set, and the file that they go to."""

    path: Path
    target: Target
    rows: np.ndarray


class Joined:
    """The examples of several targets, one after the other."""

    def __init__(self, targets: list[Target]) -> None:
        self.places = [(target.examples, i) for target in targets for i in range(len(target))]

    def __len__(self) -> int:
        return len(self.places)

    def load(self, index: int) -> object:
        examples, i = self.places[index]
        return examples.load(i)

    def digest(self, index: int) -> bytes:
        examples, i = self.places[index]
        return examples.digest(i)


def _extract_pieces(pieces: list[Piece], source: Source) -> None:
    parts = [piece.target.subset(piece.rows) for piece in pieces]
    labels = np.concatenate([part.labels for part in parts])
    whole = replace(
        parts[0],
        name="joined",
        examples=Joined(parts),
        labels=labels,
        classes=tuple(map(str, range(int(labels.max()) + 1))) if len(labels) else (),
        ids=tuple(map(str, range(len(labels)))),
    )
    got = extract(whole, source, max_bad=0.0) if len(labels) else None
    start = 0
    for piece, part in zip(pieces, parts, strict=True):
        rows = slice(start, start := start + len(part))
        arrays = {"labels": part.labels}
        if len(part):
            assert got is not None
            assert got.features is not None
            assert got.logits is not None
            arrays |= {"features": _half(got.features[rows]), "logits": _half(got.logits[rows])}
        piece.path.parent.mkdir(parents=True, exist_ok=True)
        partial = piece.path.with_suffix(".partial.npz")
        np.savez(partial, allow_pickle=False, **arrays)
        partial.rename(piece.path)


def read_pairs(folder: Path, data: str, cards: list[ModelCard], most: int) -> list[Pair]:
    """Every source that has files for this data set, cut to the rows that all of them have (pool at most `most`)."""
    there: list[tuple[ModelCard, Rows, Rows]] = []
    for card in cards:
        pool, test = (read_rows(folder, data, card.name, part) for part in ("train", "test"))
        if pool is not None and test is not None:
            there.append((card, pool, test))
    if not there:
        return []
    most = min(most, *(len(pool) for _, pool, _ in there))
    tested = min(len(test) for _, _, test in there)
    return [Pair(card.name, card, data, pool.take(slice(most)), test.take(slice(tested))) for card, pool, test in there]


def _half(values: np.ndarray) -> np.ndarray:
    """float16, and no infinity where a number is too large for it."""
    limit = np.finfo(np.float16).max
    return np.asarray(np.clip(np.asarray(values), -limit, limit), dtype=np.float16)


def _pieces(folder: Path, data: str, source: str, stage: int) -> list[tuple[Path, str, tuple[int, int]]]:
    runs = {"train": TRAIN_RUNS[stage], "test": TEST_RUNS[stage]}
    place = folder / data / source.replace("/", "_")
    return [(place / f"{part}_{a}_{b}.npz", part, (a, b)) for part, (a, b) in runs.items() if b > a]


def read_rows(folder: Path, data: str, source: str, part: str) -> Rows | None:
    """The rows of one part, "train" or "test", as far as they are there without a gap."""
    pieces = []
    for a, b in {"train": TRAIN_RUNS, "test": TEST_RUNS}[part]:
        path = folder / data / source.replace("/", "_") / f"{part}_{a}_{b}.npz"
        if not path.exists():
            break
        with np.load(path) as arrays:
            if "features" in arrays:
                pieces.append({name: arrays[name] for name in arrays.files})
    if not pieces:
        return None
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return Rows(joined["features"].astype(np.float32), joined["logits"].astype(np.float32), joined["labels"])
