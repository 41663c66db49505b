"""A stratified sample of a table, or of tar files, too large for memory, drawn in one pass over the parts.

Every row draws a random number, and each class keeps its smallest, twice as many as it would send if the rows read so
far were all. What is held never exceeds a few samples, whatever the length of the table.
"""

import csv as plain
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.formats import Format, data_format
from headstart.data.formats.delimited import BYTE_ORDER_MARKS, SUFFIXES, delimiter_of
from headstart.data.formats.parquet import Shards, arrow_kind, arrow_values, files_of, parquet_table
from headstart.data.formats.tar import Entry, Tars, example_of, found_of, groups, label_of, shards_of
from headstart.data.reading import Reading
from headstart.data.remote import local
from headstart.data.roles import Table, choose_columns
from headstart.data.splits import choose_split
from headstart.data.tables import read_table
from headstart.data.target import Found
from headstart.errors import TargetError, require

LARGE = 8 << 20  # bytes of files; smaller tables are read whole
ROWS = 4096  # of a part
SPARE = 2.0  # kept at first, of what the sample needs
FEW = 16  # rows that every class keeps beyond that
CLASSES = 2000  # distinct labels; more are amounts, which are not stratified


@dataclass(frozen=True, eq=False)
class Sample:
    """Some examples of a large data set."""

    found: Callable[[Reading, str | None], Found]


@data_format
class Sampled(Format):
    """What `sampled` drew."""

    name = "sample"
    turn = 0

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Sample)

    def read(self, spec: Sample, reading: Reading, kind: str | None) -> Found:
        return spec.found(reading, kind)


@dataclass(frozen=True, eq=False)
class _Parts:
    """A table as a stream of record batches."""

    name: str
    where: str
    folder: Path
    batches: Iterator[Any]
    class_names: dict[str, Sequence[str]]
    split: str | None = None
    notes: tuple[str, ...] = ()

    def table(self, held: Any, *notes: str, numbers: np.ndarray | None = None) -> Table:
        """Rows of it, held in memory."""
        kinds = {name: arrow_kind(held.schema.field(name).type) for name in held.schema.names}
        return Table(
            name=self.name,
            where=self.where,
            folder=self.folder,
            kinds=kinds,
            read=lambda column: arrow_values(held.column(column)),
            class_names=self.class_names,
            notes=(*self.notes, *notes),
            split=self.split,
            numbers=numbers,
        )


def sampled(spec: object, reading: Reading, most: int | None, seed: int) -> object:
    """A sample of `most` rows of a large Parquet or CSV table or a stream, or what was given, which can be read whole.

    Args:
        spec: As for `open_target`.
        reading: Its columns.
        most: Rows; None reads everything.
        seed: Decides which ones.

    Raises:
        TargetError: A part cannot be read.
    """
    here = local(spec)
    if most is None:
        return spec
    if isinstance(here, str | Path) and Tars().takes(Path(here)):
        return _tar_sample(Path(here), reading, _Pool(most, seed)) or spec
    parts = _parts_of(here, reading)
    if parts is None:
        return spec
    pyarrow = require("pyarrow", "reading a table in parts", "data")
    try:
        first = next(parts.batches, None)
        if first is None:
            return spec
        chosen = choose_columns(parts.table(pyarrow.Table.from_batches([first])), reading)
        if chosen.split is not None:  # the split to read depends on how many rows each has
            return spec
        pool = _Pool(most, seed)
        for batch in chain([first], parts.batches):
            pool.add(pyarrow.Table.from_batches([batch]).select([*chosen.examples, *chosen.labels]), chosen.labels)
        held, numbers = pool.sample()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise TargetError(f"cannot read {parts.where}: {str(error).rstrip('.')}. Fetch or write it again.") from error
    table = parts.table(held, *pool.notes("rows"), numbers=numbers)
    return Sample(lambda reading, kind: read_table(table, reading, kind))


def _tar_sample(path: Path, reading: Reading, pool: "_Pool") -> Sample | None:
    """Some examples of large tar files; None where the files of an example do not follow each other, or are missing."""
    shards, split, notes = shards_of(path, reading.split, every=False)
    if sum(shard.stat().st_size for shard in shards) <= LARGE or find_spec("pyarrow") is None:
        return None
    reading.refuse_columns(str(path))
    pyarrow = require("pyarrow", "reading tar files in parts", "data")
    found = groups(shards)
    while part := [(*key, parts) for key, parts in islice(found, ROWS)]:
        entries = []
        for number, key, parts in part:
            example, label = example_of(parts), label_of(key, parts, shards)
            if example is None or label is None:
                return None
            entries.append(Entry(number, key, *example, json.dumps(label)))
        pool.add(pyarrow.Table.from_pylist([one._asdict() for one in entries]), ["label"])
    if not pool.seen:
        return None
    held = [Entry(**row | {"label": json.loads(row["label"])}) for row in pool.sample()[0].to_pylist()]
    notes = (*notes, *pool.notes("examples"))
    return Sample(lambda how, kind: found_of(path, shards, held, how.task, split, notes, labelled=kind is None))


@dataclass(eq=False)
class _Pool:
    """The rows that may still come into the sample."""

    most: int
    seed: int
    seen: int = 0
    codes: dict[object, int] = field(default_factory=dict)  # label -> stratum
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # rows seen of each stratum
    rows: Any = None
    keys: np.ndarray = field(default_factory=lambda: np.zeros(0))
    strata: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    numbers: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, part: Any, labels: Sequence[str]) -> None:
        """Take in the next rows."""
        count = part.num_rows
        strata = self._strata(part.column(labels[0])) if len(labels) == 1 else np.zeros(count, np.int64)
        self.counts = np.bincount(strata, minlength=max(len(self.counts), 1)) + np.pad(
            self.counts, (0, max(0, int(strata.max(initial=0)) + 1 - len(self.counts), 1 - len(self.counts)))
        )
        keys = np.random.default_rng([self.seed, self.seen]).random(count)
        numbers = np.arange(self.seen, self.seen + count)
        self.seen += count
        self._join(part, keys, strata, numbers)
        if len(self.keys) > 3 * self.most + FEW * len(self.counts) + ROWS:
            self._keep(self._room(SPARE, FEW))

    def sample(self) -> tuple[Any, np.ndarray]:
        """The rows drawn, in the order of the table, and their numbers there."""
        exact = self.counts * min(1.0, self.most / max(self.seen, 1))
        room = np.floor(exact).astype(np.int64)
        short = min(self.most, self.seen) - int(room.sum())
        room[np.argsort(room - exact, kind="stable")[:short]] += 1  # to the largest remainders
        self._keep(room)
        order = np.argsort(self.numbers)
        return self.rows.take(order), self.numbers[order]

    def notes(self, what: str) -> tuple[str, ...]:
        """How many were drawn, if not all."""
        drawn = f"{self.most:,} of {self.seen:,} {what}, stratified in one pass, seed {self.seed}"
        return (drawn,) if self.seen > self.most else ()

    def _room(self, spare: float, more: int) -> np.ndarray:
        share = self.counts * min(1.0, self.most / self.seen)
        return np.ceil(spare * share).astype(np.int64) + more

    def _strata(self, column: Any) -> np.ndarray:
        if len(self.codes) > CLASSES:
            return np.zeros(len(column), np.int64)
        found = np.array([self.codes.setdefault(value, len(self.codes)) for value in column.to_pylist()])
        if len(self.codes) > CLASSES:  # amounts: one stratum from here on, and of all before
            self.counts, self.strata = np.array([self.seen]), np.zeros(len(self.strata), np.int64)
            return np.zeros(len(found), np.int64)
        return found.astype(np.int64)

    def _join(self, part: Any, keys: np.ndarray, strata: np.ndarray, numbers: np.ndarray) -> None:
        pyarrow = require("pyarrow", "reading a table in parts", "data")
        near = keys <= SPARE * self.most / max(self.seen, 1)
        scarce = self.counts[strata] <= 2 * FEW * max(1.0, self.seen / (SPARE * self.most))
        kept = np.flatnonzero(near | scarce)
        some = part.take(kept)
        self.rows = (
            some if self.rows is None else pyarrow.concat_tables([self.rows, some], promote_options="permissive")
        )
        self.keys = np.concatenate([self.keys, keys[kept]])
        self.strata = np.concatenate([self.strata, strata[kept]])
        self.numbers = np.concatenate([self.numbers, numbers[kept]])

    def _keep(self, room: np.ndarray) -> None:
        """Only the rows of each stratum with the smallest keys, as many as there is room for."""
        order = np.lexsort((self.keys, self.strata))
        strata = self.strata[order]
        place = np.arange(len(order)) - np.searchsorted(strata, strata)  # within its stratum
        kept = order[place < room[strata]]
        self.rows = self.rows.take(kept).combine_chunks()
        self.keys, self.strata, self.numbers = self.keys[kept], self.strata[kept], self.numbers[kept]


def _parts_of(spec: object, reading: Reading) -> _Parts | None:
    """The table in parts; None where it is no table, or a small one."""
    if _is_stream(spec):
        return _of_stream(spec)
    if isinstance(spec, Mapping) and spec and all(map(_is_stream, spec.values())):
        chosen, note = choose_split(dict.fromkeys(spec), reading.split, "the stream")
        return replace(_of_stream(spec[chosen]), split=chosen, notes=(note,))
    path = Path(spec) if isinstance(spec, str | Path) else None
    if path is None or not path.exists():
        return None
    if path.is_file() and path.suffix.casefold() in SUFFIXES and path.stat().st_size > LARGE:
        with path.open("rb") as file:
            return None if file.read(2) in BYTE_ORDER_MARKS else _of_delimited(path)
    if path.suffix.casefold() == ".parquet" or Shards().takes(path):
        files, split, note = files_of(path, reading.split)
        if sum(file.stat().st_size for file in files) > LARGE:
            return _of_parquet(path, files, split, note)
    return None


def _of_parquet(path: Path, files: Sequence[Path], split: str | None, note: str) -> _Parts:
    known = parquet_table(path, files).class_names  # it checks that the files are of one table
    from pyarrow.parquet import ParquetFile

    def batches() -> Iterator[Any]:
        for file in files:
            with ParquetFile(file) as opened:
                yield from opened.iter_batches(batch_size=ROWS)

    return _Parts(path.stem, str(path), path.parent, batches(), known, split, (note,) if note else ())


def _of_delimited(path: Path) -> _Parts:
    require("pyarrow", f"reading {path} in parts", "data")
    from pyarrow import csv, string

    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig")
    mark, notes = delimiter_of(path, header)
    names = [name.strip() for name in next(plain.reader([header], delimiter=mark))]
    parse = csv.ParseOptions(delimiter=mark, newlines_in_values=True)
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, string()), strings_can_be_null=False)
    reader = csv.open_csv(path, parse_options=parse, convert_options=convert)
    return _Parts(path.stem, str(path), path.parent, iter(reader), {}, None, notes)


def _is_stream(spec: object) -> bool:
    return hasattr(spec, "cast_column") and hasattr(spec, "iter") and not hasattr(spec, "__len__")


def _of_stream(spec: Any) -> _Parts:
    """A streaming data set of the library `datasets`."""
    from datasets import ClassLabel, Image
    from pyarrow import RecordBatch

    features = spec.features or {}
    for column, feature in features.items():
        if isinstance(feature, Image):
            spec = spec.cast_column(column, Image(decode=False))
    names = {column: feature.names for column, feature in features.items() if isinstance(feature, ClassLabel)}
    batches = (RecordBatch.from_pydict(batch) for batch in spec.iter(batch_size=ROWS))
    return _Parts("stream", "the stream", Path(), batches, names)
