"""The user's own code in a source: scripts and notebooks change while the names in them stay the same."""

import inspect
import io
import linecache
import os
import pickle
import sys
from functools import cache
from pathlib import Path
from secrets import token_hex
from types import CodeType, FunctionType, MethodType

import torch

HELD = (list, tuple, dict, set, frozenset, MethodType)  # have no `__dict__`, and may hold code
_STANDARD_LIBRARY = Path(os.__file__).parent


def own_code(*things: object) -> tuple[tuple[str, ...], bool]:
    """The text of the files or notebook cells whose code modules and functions hold, and whether that is all of it.

    A random number stands for code without a text, so that its cached rows serve this process only.
    """
    search = _Search()
    complete = search.through(things)
    texts = set()
    for code in (code for part in search.own for code in _codes(part)):
        text = "".join(linecache.getlines(code.co_filename))
        complete = complete and bool(text)
        texts.add(text or _token(code))
    return tuple(sorted(texts)), complete


class _Search(pickle.Pickler):
    """Meets all that pickling an object would meet, and the closures of its functions; nothing is pickled."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())
        self.own: dict[object, None] = {}  # functions and classes that no library brought
        self.met: set[object] = set()
        self.waiting: list[object] = []

    def through(self, things: object) -> bool:
        """False if something could not be searched."""
        complete = True
        self.waiting = [things]
        while self.waiting:
            value = self.waiting.pop()
            if isinstance(value, FunctionType):
                value = list(inspect.getclosurevars(value).nonlocals.values())
            try:
                self.dump(value)
            except Exception:  # objects may refuse in any way
                complete = False
        return complete

    def persistent_id(self, value: object) -> str | None:
        if isinstance(value, FunctionType | type):
            if value in self.met:
                return "code"
            self.met.add(value)
            self.waiting += [] if isinstance(value, type) else [value]
            for one in value.__mro__ if isinstance(value, type) else (value,):
                if not is_of_a_library(one.__module__ or ""):
                    self.own[one] = None
            return "code"
        searched = isinstance(value, HELD) or (hasattr(value, "__dict__") and not isinstance(value, torch.Tensor))
        return None if searched else "data"


def is_of_a_library(module: str) -> bool:
    """False for scripts and notebooks."""
    if module.partition(".")[0] == "headstart" or module in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return False
    path = Path(file)
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or path.is_relative_to(_STANDARD_LIBRARY)


def _codes(part: object) -> list[CodeType]:
    found = list(vars(part).values()) if isinstance(part, type) else [part]
    plain = [inspect.unwrap(one) for one in found if callable(one)]
    return [one.__code__ for one in plain if isinstance(one, FunctionType)]


@cache
def _token(code: CodeType) -> str:
    return token_hex(16)
