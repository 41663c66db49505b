"""Ray on this machine with two workers: the numbers of one process, and no item lost to a worker that dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.ranking.toys import folder_of_classes
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
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[ray\]'"), on_workers("ray"):
        pass


def test_an_address_that_a_killed_ray_left_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    asked: list[object] = []
    stand_in = SimpleNamespace(
        is_initialized=lambda: False, init=lambda to, **_: asked.append(to), shutdown=lambda: None
    )
    monkeypatch.setitem(sys.modules, "ray", stand_in)

    def joined() -> object:
        with Ray():
            return asked[-1]

    assert joined() is None  # Ray finds out by itself
    (tmp_path / "ray").mkdir()
    left = tmp_path / "ray" / "ray_current_cluster"
    with socket.create_server(("127.0.0.1", 0)) as runs:
        left.write_text(f"127.0.0.1:{runs.getsockname()[1]}")
        assert joined() is None
    assert joined() == "local"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert joined() is None


@pytest.fixture(scope="module")
def cluster() -> Iterator[Ray]:
    pytest.importorskip("ray", reason="ray is not installed")
    with Ray(processors=2, threads=1, gpus=1) as started:
        yield started


CLIENT = """
import sys
import headstart as hs
from headstart.runner import Ray
from tests.ranking.test_workers import numbers
from tests.ranking.toys import Eye, source

if __name__ == "__main__":
    print(Ray(sys.argv[2]).processors_there())
    models = [source(Eye(blur), f"eye-{blur}") for blur in (0.0, 1.0)]
    found = [hs.rank(sys.argv[1], models, scores="leep,knn", cache=False, workers=one) for one in (1, sys.argv[2])]
    print(numbers(found[0]) == numbers(found[1]), [row.source for row in found[1].rows])
"""


def test_a_client_of_a_cluster_ranks_as_one_process_does(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    folder, port = folder_of_classes(tmp_path / "photos", 60), free_port()
    root = str(Path(__file__).parents[2])
    around = os.environ | {
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2", "--port=0"]
    start += [f"--ray-client-server-port={port}", "--include-dashboard=false", "--disable-usage-stats"]
    (tmp_path / "client.py").write_text(CLIENT)
    with subprocess.Popen(start, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as head:
        try:
            command = [sys.executable, str(tmp_path / "client.py"), str(folder), f"ray://127.0.0.1:{port}"]
            wait_for(port)
            done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=240, check=False)
        finally:
            head.terminate()
    assert done.stdout.startswith("2\nTrue ['eye-"), done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int) -> None:
    """Until something listens there, a minute at most."""
    for _ in range(600):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


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
def test_a_task_gets_the_share_of_a_gpu_that_its_item_needs(cluster: Ray) -> None:
    found = {one.item: one.get() for one in map(jobs.gpu, [1, 2], on=Ray(share=quarters))}
    assert found == {1: 0.25, 2: 0.5}
    assert [one.get() for one in map(jobs.gpu, [1], on=cluster)] == [0.0]
    assert Ray().processors_there() == 2


def quarters(item: int) -> float:
    return item / 4


@pytest.mark.filterwarnings("ignore")
def test_a_bad_item_is_its_own_result(cluster: Ray) -> None:
    results = {one.item: one for one in map(jobs.trouble, [0, 1, 2, 5, 6], on=cluster)}
    assert [results[item].get() for item in (0, 6)] == [0, 6]
    with pytest.raises(ValueError, match="one is odd"):
        results[1].get()
    assert isinstance(results[2].error, WorkerError)
    assert results[5].error is not None
