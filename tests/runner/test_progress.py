"""One kind of progress for every long call, shown to people and not written into logs."""

import io
import sys
from types import ModuleType

import pytest

from headstart.errors import InputError
from headstart.runner import progress
from headstart.runner.progress import Event, listener, silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tell(option: bool | None, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    hears = listener(option)
    for event in (Event("models", 0, 2), Event("a", 3, 1000), Event("a", 1000, 1000), Event("models", 2, 2, "done")):
        hears(event)
    return stream.getvalue()


def test_a_terminal_shows_one_line_of_open_counters_and_ends_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = tell(None, Terminal(), monkeypatch).split("\r")
    assert drawn[1:4] == ["models 0/2", "models 0/2, a 3/1,000", "models 0/2           "]
    assert drawn[4:] == [" " * 10, ""]


def test_a_long_line_does_not_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    assert max(map(len, tell(None, Terminal(), monkeypatch).split("\r"))) == 9


def test_a_log_shows_nothing_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tell(None, io.StringIO(), monkeypatch) == ""
    assert tell(False, Terminal(), monkeypatch) == ""
    assert "models 0/2" in tell(True, io.StringIO(), monkeypatch)


def test_a_notebook_is_no_terminal_and_shows_it_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class OutStream(io.StringIO):
        """As ipykernel names the stream of a notebook."""

    module = ModuleType("ipykernel.iostream")
    module.OutStream = OutStream  # type: ignore[attr-defined]  # a stand-in for a library that is not installed
    monkeypatch.setitem(sys.modules, "ipykernel.iostream", module)
    assert "models 0/2" in tell(None, OutStream(), monkeypatch)


def test_a_function_hears_every_event_and_no_error_stream_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    assert listener(events.append) == events.append
    monkeypatch.setattr(sys, "stderr", None)
    assert listener(None) is silent


def test_another_value_is_refused() -> None:
    with pytest.raises(InputError, match="`progress`"):
        listener(3)  # type: ignore[arg-type]  # on purpose
