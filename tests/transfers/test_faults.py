"""Runs that are killed: nothing half-written, and the same final numbers when they are run again. And the advice."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.transfers.tiny import same, source, target, text_source, texts

from headstart.data import open_target
from headstart.runner import Event
from headstart.transfers import load, saved, transfer

SHORT = {"epochs": 3, "batch_size": 16, "cache": False}
SCRIPT = """
    import os, signal, sys
    from tests.transfers.tiny import source, target
    from headstart.transfers import transfer

    def report(event):
        if event.what == "training" and event.done == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

    transfer(target(), source(), method="lora", out=sys.argv[1], progress=report, epochs=3, batch_size=16, cache=False)
"""


class KilledError(Exception):
    pass


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_process_that_is_killed_goes_on_to_the_same_numbers_and_other_threads_are_said(
    tmp_path: Path, two_threads: None
) -> None:
    out = tmp_path / "two"
    words = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(out), "4"]
    ended = subprocess.run(
        words, cwd=Path(__file__).parents[2], env={**os.environ, "OMP_NUM_THREADS": "2"}, timeout=120
    )
    assert ended.returncode == -signal.SIGKILL
    assert not (out / "outcome.json").exists()
    assert (out / "training.safetensors").exists()  # step 4 is in the second epoch
    shutil.copytree(out, tmp_path / "one")
    whole = transfer(target(), source(), method="lora", **SHORT)
    again = transfer(target(), source(), method="lora", out=out, **SHORT)
    torch.set_num_threads(1)
    notes = transfer(target(), source(), method="lora", out=tmp_path / "one", **SHORT).outcome.notes
    assert any("begun with CPU threads: 2, continued with CPU threads: 1;" in note for note in notes)
    assert same(whole, again)
    assert again.outcome.metrics == whole.outcome.metrics
    assert not any("begun with" in note for note in again.outcome.notes)


@pytest.mark.parametrize("method", ["adapters", "dora", "visual-prompt", "prefix", "prompt"])
@pytest.mark.parametrize("kill", [1, 4])
def test_inserted_parts_resume_exactly_too(tmp_path: Path, method: str, kill: int) -> None:
    text = method.startswith("pr")
    data, of = (open_target(texts()), text_source) if text else (target(), source)

    def report(event: Event) -> None:
        if event.what == "training" and event.done == kill:
            raise KilledError

    with pytest.raises(KilledError):
        transfer(data, of(), method=method, out=tmp_path, progress=report, **SHORT)
    torch.manual_seed(99)  # the state of the global generator must not matter
    again = transfer(data, of(), method=method, out=tmp_path, **SHORT)
    torch.manual_seed(5)
    assert same(again, transfer(data, of(), method=method, **SHORT))


@pytest.mark.parametrize("file", ["weights.safetensors", "model.json", "README.md", "test.safetensors", "outcome.json"])
def test_a_kill_between_the_files_of_a_result_loses_nothing(
    tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = saved.write_atomically

    def fail(path: Path, content: bytes) -> None:
        if path.name == file:
            raise KilledError
        real(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(saved, "write_atomically", fail)
        with pytest.raises(KilledError):
            transfer(target(), source(), method="fine-tune", out=tmp_path, **SHORT)
    assert not (tmp_path / "outcome.json").exists()  # it comes last, so the folder does not pass for a result
    seen: list[str] = []
    again = transfer(
        target(), source(), method="fine-tune", out=tmp_path, progress=lambda event: seen.append(event.what), **SHORT
    )
    assert not [what for what in seen if what == "training"]  # the training itself is not repeated
    assert same(load(tmp_path, source=source()), again)
    assert same(again, transfer(target(), source(), method="fine-tune", **SHORT))
