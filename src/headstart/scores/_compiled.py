"""Compile a loop with numba, keeping the result on disk where that is possible."""

from collections.abc import Callable
from functools import cached_property
from types import FunctionType
from typing import Any

# Sums may be reordered so that they run in vector registers; nan and inf keep their meaning, so bad input is seen.
FAST = {"reassoc", "contract", "nsz"}


class compiled:  # noqa: N801  a decorator
    """`function` as machine code that lets other threads run; compiled on first use and remembered on disk.

    numba itself is imported on first use too: that takes longer than the rest of `headstart.scores`. Where no folder
    can be written (a read-only installation without a home), the function is compiled anew in each process.
    """

    def __init__(self, function: FunctionType) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.machine_code(*arguments)

    @cached_property
    def machine_code(self) -> Callable[..., Any]:
        """What numba makes of the function."""
        import numba

        found = self.function.__globals__
        for name in self.function.__code__.co_names:
            if isinstance(inner := found.get(name), compiled):
                found[name] = inner.machine_code  # machine code calls machine code only
        options: dict[str, Any] = {"nogil": True, "fastmath": FAST, "error_model": "numpy"}
        made: Callable[..., Any]
        try:
            made = numba.njit(cache=True, **options)(self.function)
        except RuntimeError:  # numba: "cannot cache function: no locator available"
            made = numba.njit(**options)(self.function)
        return made
