"""Compiled loops work where nothing can be kept on disk, and threads come from the environment."""

from itertools import chain

from headstart.scores._compiled import compiled
from headstart.scores._threads import over_shares, thread_count


def test_a_loop_without_a_place_for_its_cache_is_compiled_all_the_same():
    namespace: dict = {}
    exec(
        compile(
            "def total(n):\n    s = 0\n    for i in range(n):\n        s += i\n    return s\n", "<nowhere>", "exec"
        ),
        namespace,
    )
    function = compiled(namespace["total"])
    assert function(5) == 10
    assert function.machine_code.signatures, "it was compiled"


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert 1 <= thread_count() <= 8


def test_shares_cover_all_blocks_in_order():
    blocks = [slice(i, i + 1) for i in range(10)]
    parts = over_shares(lambda run: [block.start for block in run], blocks, 3)
    assert len(parts) == 3
    assert list(chain.from_iterable(parts)) == list(range(10))
