"""A new head: its options, where SGD starts, and the forward pass it shares with the bounds."""

import numpy as np
import pytest
from tests.transfers.tiny import source, target

from headstart.errors import InputError
from headstart.transfers import METHODS, transfer

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}
HEAD = {"cache": False}


def options(method: str) -> dict:
    return SHORT if METHODS[method].trains else HEAD


@pytest.mark.parametrize("method", ["head", "probe-fine-tune"])
def test_a_head_and_the_bounds_stand_on_one_forward_pass(method: str) -> None:
    passes = []
    transfer(
        target(),
        source(),
        method=method,
        progress=lambda event: passes.append((event.done, event.total)) if event.what == source().name else None,
        **options(method),
    )
    of_the_test_part = [15] if method == "head" else []  # a solved head reads features there too
    assert [total for done, total in passes if done == 0] == [45, *of_the_test_part]


@pytest.mark.parametrize(
    "change", [{"solver": "sgd"}, {"penalty": 0.5}, {"layer": "stages.0"}, {"solver": "sgd", "rate": 0.1}]
)
def test_every_option_of_the_head_changes_the_result(change: dict) -> None:
    plain, changed = (transfer(target(), source(), method="head", **HEAD, **o) for o in ({}, change))
    assert not np.allclose(plain.predictions.outputs, changed.predictions.outputs)


def test_a_warm_start_changes_where_sgd_begins() -> None:
    runs = [transfer(target(), source(), method="head", solver="sgd", warm_start=w, **HEAD) for w in (None, True)]
    assert not np.allclose(runs[0].predictions.outputs, runs[1].predictions.outputs)
    with pytest.raises(InputError, match="`warm_start` has no effect with `solver='lbfgs'`"):
        transfer(target(), source(), method="head", warm_start=True, **HEAD)


@pytest.mark.parametrize("method", ["auto", "head"])
def test_settings_of_another_training_do_not_reach_a_head_that_is_solved(method: str) -> None:
    first = {} if method == "auto" else {"via": target(40, seed=5), "epochs": 1}
    run = transfer(target(), source(), method=method, optimizer="sgd", **first, **HEAD)
    assert run.outcome.method == "head"
