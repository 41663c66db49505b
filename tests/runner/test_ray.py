"""Ray on this machine with two workers: the numbers of one process, and no item lost to a worker that dies."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.runner import jobs
from threadpoolctl import threadpool_limits

from headstart.errors import InputError, MissingExtra, WorkerError
from headstart.runner import Inline, Ray, map, on_workers, workers_of


@pytest.mark.parametrize("value", ["many", 1.5, True, "ray:/host"])
def test_workers_that_are_none_say_what_is_expected(value: object) -> None:
    with pytest.raises(InputError, match=r"number of processes, `ray` or `ray://HOST:PORT`; got"):
        workers_of(value)


@pytest.mark.parametrize("value", [0, "-1"])
def test_at_least_one_worker(value: object) -> None:
    with pytest.raises(InputError, match=f"at least 1 process; got {value}"):
        on_workers(value)


def test_without_ray_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[ray\]'"), on_workers("ray"):
        pass


@pytest.fixture(scope="module")
def cluster() -> Iterator[Ray]:
    pytest.importorskip("ray", reason="ray is not installed")
    with Ray(processors=2, threads=1) as started:
        yield started


def killed_at_first(folder: Path, times: int, number: int) -> int:
    """Kills its own process the first `times` times that an odd item is tried."""
    jobs.marked(folder, number)
    if number % 2 and len(list(folder.glob(f"{number}-*"))) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.filterwarnings("ignore")  # ray's own
def test_ray_gives_the_numbers_of_inline_to_the_last_digit(cluster: Ray) -> None:
    with threadpool_limits(1):
        inline = {result.item: result.get() for result in map(jobs.product, range(4), on=Inline())}
    found = {result.item: result.get() for result in map(jobs.product, range(4), on=cluster)}
    assert all(np.array_equal(found[item], inline[item]) for item in inline)
    assert {*next(iter(map(jobs.threads, [0], on=cluster))).get()} == {1}


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_costs_two_retries_and_nothing_else(cluster: Ray, tmp_path: Path) -> None:
    results = {one.item: one for one in map(partial(killed_at_first, tmp_path, 2), range(4), on=cluster)}
    assert {item: one.get() for item, one in results.items()} == {i: i for i in range(4)}
    (tmp_path / "again").mkdir()
    results = {one.item: one for one in map(partial(killed_at_first, tmp_path / "again", 3), range(2), on=cluster)}
    assert results[0].get() == 0
    assert isinstance(results[1].error, WorkerError)
    assert "died 3 times" in str(results[1].error)


@pytest.mark.filterwarnings("ignore")
def test_a_bad_item_is_its_own_result(cluster: Ray) -> None:
    results = {one.item: one for one in map(jobs.trouble, [0, 1, 2, 5, 6], on=cluster)}
    assert [results[item].get() for item in (0, 6)] == [0, 6]
    with pytest.raises(ValueError, match="one is odd"):
        results[1].get()
    assert isinstance(results[2].error, WorkerError)
    assert results[5].error is not None
