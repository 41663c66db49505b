"""`map`: results, failures and resuming, whichever executor runs the jobs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.runner import jobs
from threadpoolctl import threadpool_limits

from headstart.errors import CacheError, InputError, WorkerError
from headstart.runner import Answer, Inline, Processes, map, on_workers


@pytest.fixture(scope="module")
def pool() -> Iterator[Processes]:
    with Processes(2, threads=1) as kept:
        yield kept


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("name", ["inline", "processes"])
def test_every_item_has_its_own_result(name: str, pool: Processes) -> None:
    on = pool if name == "processes" else Inline()
    results = list(map(jobs.square, [3, 1, 2], on=on))
    assert sorted((result.index, result.item, result.get()) for result in results) == [(0, 3, 9), (1, 1, 1), (2, 2, 4)]


def test_processes_give_the_numbers_of_inline_to_the_last_digit(pool: Processes) -> None:
    with threadpool_limits(1):
        inline = {result.item: result.get() for result in map(jobs.product, range(4), on=Inline())}
    for result in map(jobs.product, range(4), on=pool):
        assert np.array_equal(result.get(), inline[result.item])


def test_workers_use_the_threads_they_are_given() -> None:
    before = dict(os.environ)
    (apart,) = map(jobs.threads, [0], on=Processes(1, threads=2))
    assert {*apart.get()} == {2}
    assert dict(os.environ) == before


def test_one_bad_item_does_not_end_the_others(pool: Processes) -> None:
    results = {result.item: result for result in map(jobs.trouble, range(8), on=pool)}
    assert [results[item].get() for item in (0, 6, 7)] == [0, 6, 7]
    with pytest.raises(ValueError, match="one is odd"):
        results[1].get()
    assert "jobs.py" in "".join(results[1].error.__notes__)  # where in the worker
    assert isinstance(results[2].error, WorkerError)
    assert "UnsendableError: 1 and 2" in str(results[2].error)
    assert "signal 9" in str(results[3].error)
    assert "`workers`" in str(results[3].error)
    assert "exit code 7" in str(results[4].error)
    assert results[5].error is not None
    assert len(results) == 8


def test_an_exception_inline_belongs_to_its_item() -> None:
    results = list(map(jobs.trouble, [0, 1, 6], on=Inline()))
    assert [type(result.error) for result in results] == [type(None), ValueError, type(None)]


def test_what_cannot_be_pickled_is_refused_before_or_failed_alone(pool: Processes) -> None:
    with pytest.raises(InputError, match=r"`workers=1`"):
        list(map(lambda item: item, [1], on=pool))
    failed, fine = sorted(map(jobs.own_process, [lambda: 0, 1], on=pool), key=lambda result: result.index)
    assert isinstance(failed.error, WorkerError)
    assert fine.get() != os.getpid()


def test_stored_results_are_not_computed_again(tmp_path: Path, pool: Processes) -> None:
    store: dict[str, int] = {}
    job = partial(jobs.marked, tmp_path)
    taken = map(job, [1, 2, 3, 4], on=Inline(), key=str, store=store)
    assert [next(taken).get(), next(taken).get()] == [1, 2]
    del taken  # as if the driver had been killed
    results = list(map(job, [1, 2, 3, 4], on=pool, key=str, store=store))
    assert sorted((result.item, result.stored) for result in results) == [(1, True), (2, True), (3, False), (4, False)]
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["1", "2", "3", "4"]


def test_what_another_process_stores_meanwhile_is_not_computed(tmp_path: Path) -> None:
    store: dict[str, int] = {}
    results = map(partial(jobs.marked, tmp_path), [1, 2, 3], on=Inline(), key=str, store=store)
    next(results)
    store["2"] = 20
    assert sorted((result.item, result.get(), result.stored) for result in results) == [(2, 20, True), (3, 3, False)]


def test_failures_are_not_stored_and_a_full_store_does_not_end_the_run() -> None:
    class Full(dict[str, int]):
        def __setitem__(self, key: str, value: int) -> None:
            raise CacheError("no room left")

    store: dict[str, int] = {}
    list(map(jobs.trouble, [0, 1], on=Inline(), key=str, store=store))
    assert store == {"0": 0}
    (result,) = map(jobs.square, [2], on=Inline(), key=str, store=Full())
    assert result.get() == 4
    assert "no room left" in result.note


def test_a_store_needs_a_key() -> None:
    with pytest.raises(InputError, match="`key`"):
        map(jobs.square, [1], on=Inline(), store={})


def test_a_worker_starts_no_workers_but_may_work_inline(pool: Processes) -> None:
    inline, apart = sorted(map(jobs.nested, [0, 1], on=pool), key=lambda result: result.index)
    assert inline.get() == [1, 4]
    assert isinstance(apart.error, InputError)
    assert "`workers=1`" in str(apart.error)


def test_workers_are_kept_within_the_context_and_end_with_it(pool: Processes) -> None:
    with Processes(1) as kept:
        (first,) = map(jobs.own_process, [0], on=kept)
        (second,) = map(jobs.own_process, [0], on=kept)
        os.kill(first.get(), signal.SIGKILL)  # an idle worker that dies is replaced
        assert until(lambda: not alive(first.get()))
        (third,) = map(jobs.own_process, [0], on=kept)
    assert first.get() == second.get() != third.get()
    (alone,) = map(jobs.own_process, [0], on=Processes(1))
    assert not any(alive(result.get()) for result in (first, third, alone))


def test_leaving_the_loop_early_stops_the_workers(tmp_path: Path) -> None:
    results = map(partial(jobs.slow_after_one, tmp_path), [1, 2], on=Processes(2))
    for result in results:
        assert result.get() == 1
        assert until(lambda: len(list(tmp_path.iterdir())) == 2)
        break
    del results, result
    assert not any(alive(int(path.name.split("-")[1])) for path in tmp_path.iterdir())


DRIVER = """
from functools import partial
from pathlib import Path
import sys
from headstart.runner import Processes, map
from tests.runner import jobs
from threadpoolctl import threadpool_limits
if __name__ == "__main__":
    list(map(partial(jobs.slow, Path(sys.argv[1])), [1, 2], on=Processes(2)))
"""
ROOT = Path(__file__).parents[2]


def run_script(text: str, folder: Path) -> "subprocess.Popen[str]":
    path = folder.parent / f"{folder.name}.py"
    path.write_text(text)
    places = os.pathsep.join([str(ROOT), *sys.path])
    return subprocess.Popen(
        [sys.executable, str(path), str(folder)],
        env={**os.environ, "PYTHONPATH": places},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_a_driver_that_is_interrupted_or_killed(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "marks"
    folder.mkdir()
    driver = run_script(DRIVER, folder)
    assert until(lambda: len(list(folder.iterdir())) == 2, 60)
    workers = [int(path.name.split("-")[1]) for path in folder.iterdir()]
    if number == signal.SIGINT:
        os.killpg(driver.pid, number)  # as a terminal does
    else:
        driver.kill()
    _, errors = driver.communicate(timeout=60)
    assert until(lambda: not any(alive(pid) for pid in workers), 10)
    if number == signal.SIGINT:
        assert errors.count("KeyboardInterrupt") == 1


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    folder = tmp_path / "marks"
    folder.mkdir()
    driver = run_script(DRIVER.replace('if __name__ == "__main__":', "if True:"), folder)
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert 'if __name__ == "__main__":' in errors.strip().splitlines()[-1]
    assert list(folder.iterdir()) == []


def test_an_executor_of_ones_own_is_a_class_with_run() -> None:
    class Backwards:
        def run(self, job: Callable, tasks: Iterable[tuple[int, object]]) -> Iterator[Answer]:
            yield from Inline().run(job, reversed(list(tasks)))

    assert [result.get() for result in map(jobs.square, [1, 2], on=Backwards())] == [4, 1]


def test_one_worker_is_this_process_and_two_are_others() -> None:
    with on_workers(1) as on:
        assert on == Inline()
    with on_workers(2) as on:
        assert isinstance(on, Processes)
        assert on.workers == 2


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 2, "threads": 0}])
def test_less_than_one_worker_or_thread_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least 1"):
        Processes(**options)
