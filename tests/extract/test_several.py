"""Several sources over one target: one that fails does not end the others."""

import pytest
from tests.extract.toys import Net, pictures, plainly, source

from headstart.errors import OfflineError, TargetError
from headstart.extract.several import extract_each
from headstart.runner import Event
from headstart.runner.progress import Stopped
from headstart.sources import Source
from headstart.sources.adapters import Candidate


def candidate(one: Source) -> Candidate:
    return Candidate(one.card, lambda trust_pickle: one)


def broken(name: str) -> Candidate:
    def load(trust_pickle: bool) -> Source:
        raise KeyError(f"{name} has\nno weights")

    return Candidate(source(Net(), name=name).card, load)


def test_a_source_that_fails_is_a_reason_and_the_others_have_their_rows():
    target = pictures(range(9)).held()
    good = source(Net(), name="good")
    events: list[Event] = []
    found, failures = extract_each(target, [broken("bad"), candidate(good)], progress=events.append)
    assert [one.source for one in found] == ["good"]
    assert found[0].features == pytest.approx(plainly(target, good, range(9))[0].numpy(), abs=1e-5)
    assert [one.source for one in failures] == ["bad"]
    assert "KeyError" in failures[0].reason
    assert "\n" not in failures[0].reason
    assert [event.done for event in events if event.what == "models"] == [0, 1, 2]


def test_models_that_are_not_on_this_machine_cost_no_collection_of_garbage(monkeypatch):
    def absent(trust_pickle: bool) -> Source:
        raise OfflineError("it is not on this machine")

    collected: list[int] = []
    monkeypatch.setattr("headstart.extract.several.gc.collect", lambda: collected.append(1))
    missing = [Candidate(source(Net(), name=f"missing{place}").card, absent) for place in range(3)]
    found, failures = extract_each(pictures(range(9)), [*missing, candidate(source(Net(), name="good"))])
    assert [one.source for one in found] == ["good"]
    assert [one.source for one in failures] == ["missing0", "missing1", "missing2"]
    assert len(collected) == 1


def test_an_unreadable_target_ends_the_call_as_no_source_could_read_it():
    with pytest.raises(TargetError, match=r"unreadable|cannot be read"):
        extract_each(pictures(range(9), undecodable=frozenset(range(5))), [candidate(source(Net()))])


def test_a_progress_function_may_stop_the_call():
    def stop(event: Event) -> None:
        if event.done == 1 and event.what == "models":
            raise Stopped

    with pytest.raises(Stopped):
        extract_each(pictures(range(3)), [candidate(source(Net())), candidate(source(Net(1)))], progress=stop)
