"""Shape annotations of the scores are enforced under pytest, and only there: users pay nothing for them."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from jaxtyping import config, install_import_hook

install_import_hook("headstart.scores", "beartype.beartype")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: no search for garbage needs to go through it again."""
    gc.freeze()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the shape checks, to meet what a user meets who gets a shape wrong."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system of fsspec's `memory://`, emptied afterwards."""
    system = pytest.importorskip("fsspec").filesystem("memory")
    yield system
    system.store.clear()
