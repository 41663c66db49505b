"""The user's own code in a source, and its text: scripts and notebooks change while their names stay the same."""

import inspect
import linecache
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from secrets import token_hex
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

DEEP = 4  # levels of attributes and containers to search: a function, in a list, in a transform, in a transform
_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.Tensor, np.ndarray, ModuleType)
_STANDARD_LIBRARY = Path(os.__file__).parent


@dataclass(frozen=True)
class OwnCode:
    """The text of the files (or notebook cells) that hold the code."""

    texts: tuple[str, ...] = ()
    complete: bool = True  # False: some of it has no text; a random number, good for this process only, replaces it

    @classmethod
    def of(cls, *things: object) -> "OwnCode":
        """The user's code in modules and functions, in their attributes and in their closures."""
        texts, complete = set(), True
        for code in (code for part in _own_parts(things) for code in _codes(part)):
            text = "".join(linecache.getlines(code.co_filename))
            complete = complete and bool(text)
            texts.add(text or _token(code))
        return cls(tuple(sorted(texts)), complete)

    def __bool__(self) -> bool:
        return bool(self.texts)


def is_of_a_library(module: str) -> bool:
    """False for scripts and notebooks."""
    if module.partition(".")[0] == "headstart" or module in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return False
    path = Path(file)
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or path.is_relative_to(_STANDARD_LIBRARY)


def _own_parts(things: Iterable[object]) -> Iterator[FunctionType | type]:
    waiting = deque((thing, DEEP) for thing in things)
    seen: dict[int, object] = {}  # the objects are kept, or their ids would be used again
    while waiting:
        value, depth = waiting.popleft()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, FunctionType):
            if not is_of_a_library(value.__module__ or ""):
                yield value
        else:
            classes = value.__mro__ if isinstance(value, type) else type(value).__mro__
            yield from (one for one in classes if not is_of_a_library(one.__module__))
        if depth or isinstance(value, nn.Module):
            waiting += ((part, DEEP if isinstance(part, nn.Module) else depth - 1) for part in _inside(value))


def _inside(value: Any) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, MethodType):
        return value.__func__, value.__self__
    if isinstance(value, partial):
        return value.func, *value.args, *value.keywords.values()
    if isinstance(value, FunctionType):
        return inspect.getclosurevars(value).nonlocals.values()
    return () if isinstance(value, type) else list(getattr(value, "__dict__", {}).values())


def _codes(part: FunctionType | type) -> list[CodeType]:
    found = list(vars(part).values()) if isinstance(part, type) else [part]
    plain = [inspect.unwrap(one) for one in found if callable(one)]
    return [one.__code__ for one in plain if isinstance(one, FunctionType)]


@cache
def _token(code: CodeType) -> str:
    return token_hex(16)
