"""What graphics cards get, on a processor that is taken for one."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.extract.test_extract import Hungry
from tests.extract.toys import Net, pictures, plainly, source

from headstart.data.target import Target
from headstart.extract import accelerator, eager, engine, extract
from headstart.sources import Source


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """This processor is tuned like a graphics card."""
    for room in (eager, engine):
        monkeypatch.setattr(room, "accelerated", lambda device: True)
    monkeypatch.setattr(eager, "slice_for", lambda activation: 4)  # rows to begin with


def sizes_of(target: Target, one: Source, cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each forward pass that was tried."""
    tried: list[int] = []
    forward = Hungry.forward

    def noted(self: Hungry, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        tried.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(Hungry, "forward", noted)
    found = extract(target, one, cache=cache, engine="eager")
    monkeypatch.setattr(Hungry, "forward", forward)
    np.testing.assert_allclose(found.features, plainly(target, one, range(len(target)))[0], rtol=1e-4, atol=1e-6)
    return tried


def test_batches_double_until_memory_fails_and_the_number_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = source(Hungry(most=20))
    tried = [size for size in sizes_of(pictures(range(90)), one, tmp_path, monkeypatch) if size > 1]
    assert [size for n, size in enumerate(tried) if size not in tried[:n]][:4] == [4, 8, 16, 32]
    assert tried.count(32) == 1
    again = sizes_of(pictures(range(100, 190)), one, tmp_path, monkeypatch)
    assert max(again) == 16
    assert 4 not in again
    assert max(sizes_of(pictures(range(200, 230)), one, tmp_path / "other", monkeypatch)) > 4  # nothing is known there


def test_a_network_is_compiled_where_the_rest_repays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "COMPILE_SECONDS", 0.0)
    monkeypatch.setattr(engine, "GAIN", 0.0)
    monkeypatch.setattr(eager, "MOST_ROWS", 8)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))  # the real tracing, no C++
    target, one = pictures(range(90)), source(Net())
    found = extract(target, one)
    assert found.engine == "eager, then compiled"
    np.testing.assert_allclose(found.features, plainly(target, one, range(90))[0], rtol=1e-4, atol=1e-6)

    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", broken)
    found = extract(target, one)
    assert found.engine == "eager"
    assert "ran in torch instead of compiled: its compilation failed (RuntimeError: no compiler)" in found.notes[0]


def test_bf16_is_near_and_kept_apart(tmp_path: Path) -> None:
    target, one = pictures(range(20)), source(Net())
    whole = extract(target, one, cache=tmp_path)
    half = extract(target, one, cache=tmp_path, precision="bf16")
    assert half.computed == 20
    assert not np.array_equal(half.features, whole.features)
    np.testing.assert_allclose(half.features, whole.features, rtol=0.05, atol=0.05 * np.abs(whole.features).max())
    assert (
        extract(target, one, cache=tmp_path).computed
        == extract(target, one, cache=tmp_path, precision="bf16").computed
        == 0
    )


def test_copies_are_pinned_and_run_on_a_stream_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    class Stream:
        """Notes what is asked of it."""

        def __enter__(self) -> None:
            done.append("copy stream")

        def __exit__(self, *error: object) -> None:
            done.append("left")

        def wait_stream(self, other: object) -> None:
            done.append(("waits", other))

    copies, current = accelerator.Copies(torch.device("cpu")), Stream()
    copies.stream = copying = Stream()  # type: ignore[assignment]  # stands for torch.cuda.Stream
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: current)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: (done.append("pinned"), tensor)[1])
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: done.append(("kept for", stream)))
    batch = copies.begin({"ids": torch.ones(2), "other": 3})
    copies.end(batch)
    assert batch["other"] == 3
    assert done == ["copy stream", "pinned", "left", ("waits", copying), ("kept for", current)]
