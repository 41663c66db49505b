"""Sources measured in worker processes: the same ranking, and a source that brings its process down is one failure."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.ranking.toys import Eye, folder_of_classes, source

import headstart as hs
from headstart.data import open_target
from headstart.data.remembered import Remembered
from headstart.data.target import Examples
from headstart.errors import InputError
from headstart.ranking import attempt, entry
from headstart.records import Ranking
from headstart.runner import Answer, Event, Executor, Processes, Ray, on_workers


@pytest.fixture(autouse=True, scope="module")
def one_pool() -> Iterator[None]:
    """Two workers for all tests here: starting one imports torch, which takes longer than all that it does here."""

    @contextmanager
    def kept(count: int) -> Iterator[Executor]:
        assert count == 2
        yield pool

    with Processes(2) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry, "on_workers", lambda count, share: kept(count) if count == 2 else on_workers(count))
        yield


class Killed(Eye):
    """Ends its process on a real batch, as the kernel does when memory runs out."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)


def ranked(folder: Path, models: list, **options: object) -> Ranking:
    return hs.rank(folder, models, scores="leep,logme,knn", cache=False, **options)  # type: ignore[arg-type]


def numbers(ranking: Ranking) -> list:
    """Everything that a ranking says but for how long it took."""
    return [
        replace(
            row,
            forward_seconds=0.0,
            examples_per_second=None,
            scores={name: replace(score, seconds=0.0) for name, score in row.scores.items()},
        )
        for row in ranking.rows
    ]


@pytest.mark.parametrize("search", ["all", "race"])
def test_the_ranking_is_the_same_to_the_last_digit(tmp_path: Path, search: str) -> None:
    folder = folder_of_classes(tmp_path / "photos", 90)
    models = [source(Eye(blur), f"eye-{blur}") for blur in (0.0, 1.0, 4.0)]
    inline = ranked(folder, models, search=search)
    assert numbers(ranked(folder, models, search=search, workers=2)) == numbers(inline)


class Ordered:
    """Notes in which order jobs are given to workers."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def run(self, job: Callable[[Any], Any], tasks: Iterable[tuple[int, Any]]) -> Iterator[Answer]:
        for number, item in tasks:
            self.names.append(item.name)
            yield number, job(item), None


def test_the_largest_model_starts_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, on = folder_of_classes(tmp_path / "photos", 30), Ordered()
    models = []
    for name, size in (("small", 10), ("large", 5000), ("medium", 100)):
        one = source(Eye(), name)
        models.append(replace(one, card=replace(one.card, parameters=size)))
    monkeypatch.setattr(entry, "on_workers", lambda count, share: nullcontext(on))
    ranked(folder, models, workers=2)
    assert on.names == ["large", "medium", "small"]


class Patient(Eye):
    """Waits on a real batch until a file holds more passes than a round has, 30 seconds at most."""

    def __init__(self, log: Path, passes: int) -> None:
        super().__init__(0.0)
        self.log, self.passes = log, passes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        started = time.monotonic()
        while len(x) > 2 and (not self.log.exists() or self.log.stat().st_size <= self.passes):
            assert time.monotonic() < started + 30, "nothing ran ahead"
            time.sleep(0.02)
        return super().forward(x)


class Logged(Eye):
    """Adds a byte to a file for each pass."""

    def __init__(self, blur: float, log: Path) -> None:
        super().__init__(blur)
        self.log = log

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            with self.log.open("ab") as file:
                file.write(bytes(len(x)))
        return super().forward(x)


def test_a_race_does_not_wait_for_stragglers(tmp_path: Path) -> None:
    folder, log = folder_of_classes(tmp_path / "photos", 170), tmp_path / "log"
    plain = {"slow": Eye(), "quick": Eye(1.0), "beaten": Eye(9.0)}
    inline = ranked(folder, [source(one, name) for name, one in plain.items()], search="race")
    assert inline.search is not None
    assert len(inline.search.rounds) > 1
    first = inline.search.rounds[0].examples
    models = {"slow": Patient(log, first), "quick": Logged(1.0, log), "beaten": Eye(9.0)}
    found = ranked(folder, [source(one, name) for name, one in models.items()], search="race", workers=2)
    assert [row.source for row in found.rows] == [row.source for row in inline.rows]
    for one, other in zip(found.rows, inline.rows, strict=True):
        assert one.computed == other.computed
        assert [score.value for score in one.scores.values()] == [score.value for score in other.scores.values()]


def test_many_rows_are_computed_in_parts_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of_classes(tmp_path / "photos", 90)
    models = [source(Eye(blur), f"eye-{blur}") for blur in (0.0, 1.0)]
    whole = ranked(folder, models)
    events: list[Event] = []
    for room in (attempt, entry):
        monkeypatch.setattr(room, "SHARD", 40)
    parts = ranked(folder, models, workers=2, progress=events.append)
    assert [event.done for event in events if event.what == "parts of the rows"] == [1, 2, 3, 4, 5, 6]
    for one, other in zip(parts.rows, whole.rows, strict=True):
        assert (one.source, one.computed) == (other.source, 90)
        assert one.scores["leep"].value == pytest.approx(other.scores["leep"].value, rel=1e-5)


@pytest.mark.filterwarnings("ignore")  # ray's own
def test_ray_gives_the_same_to_the_last_digit(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    folder = folder_of_classes(tmp_path / "photos", 60)
    models = [source(Eye(blur), f"eye-{blur}") for blur in (0.0, 1.0)]
    with Ray(processors=2, threads=torch.get_num_threads()):
        assert numbers(ranked(folder, models, workers="ray")) == numbers(ranked(folder, models))


def test_a_source_that_kills_its_worker_or_cannot_be_sent_is_a_failed_row(tmp_path: Path) -> None:
    folder = folder_of_classes(tmp_path / "photos", 60)
    unsendable = replace(source(Eye(0.0), "unsendable"), prepare=lambda example: example)
    events: list[Event] = []
    models = [source(Killed(), "killed"), unsendable, source(Eye(0.0), "fine")]
    ranking = ranked(folder, models, workers=2, progress=events.append)
    assert ranking.best == "fine"
    reasons = {failure.source: failure.reason for failure in ranking.failures}
    assert "signal 9" in reasons["killed"]
    assert "`workers=1`" in reasons["unsendable"]
    assert [event.done for event in events if event.what == "models"] == [0, 1, 2, 3, 0]


def test_a_time_budget_holds_in_workers_too(tmp_path: Path) -> None:
    folder = folder_of_classes(tmp_path / "photos", 60)
    models = [source(Eye(blur), f"eye-{blur}") for blur in (0.0, 1.0)]
    ranking = ranked(folder, models, workers=2, time_budget=1e-6)
    assert ranking.search is not None
    assert ranking.search.ended == "time"
    assert ranking.rows == ()


class Counted:
    """Examples that leave a file each time one is hashed, whichever process does it."""

    def __init__(self, examples: Examples, marks: Path) -> None:
        self.examples, self.marks = examples, marks

    def __len__(self) -> int:
        return len(self.examples)

    def load(self, index: int) -> object:
        return self.examples.load(index)

    def digest(self, index: int) -> bytes:
        (self.marks / uuid.uuid4().hex).touch()
        return self.examples.digest(index)


def test_each_example_is_hashed_once_however_many_workers_there_are(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    target = open_target(folder_of_classes(tmp_path / "photos", 30))
    counted = replace(target, examples=Remembered(Counted(target.examples, tmp_path / "marks"), "image"))
    models = [source(Eye(blur), f"eye-{blur}") for blur in (0.0, 1.0)]
    hs.rank(counted, models, scores="leep", cache=tmp_path / "cache", workers=2)
    assert len(list((tmp_path / "marks").iterdir())) == 30


def test_fewer_than_one_worker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`workers` must be at least 1"):
        ranked(folder_of_classes(tmp_path / "photos", 30), [source(Eye(0.0), "eye")], workers=0)
