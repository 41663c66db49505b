"""What code and objects that no library wrote do, in words that are the same in every process.

A library's code goes by its name, because its version does not change while a cache lives. Scripts and notebooks are
edited, so of theirs everything counts that a call can meet: steps, constants, defaults, closures, the globals they
name, classes, attributes. An address, an id or the order of a set never does: two runs of one script must find each
other's rows.
"""

import dis
import hashlib
import inspect
import os
import re
import sys
from collections import deque
from collections.abc import Iterable
from enum import Enum
from functools import cached_property, partial
from pathlib import Path, PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

NAMES = {"name_or_path", "training"}  # plain attributes that do not change the numbers
DEEP = 4  # so far down objects of a library are searched for code of one's own: a list, in a transform, in a transform
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...), PurePath)
_PLAIN_OF_TORCH = (torch.dtype, torch.device, torch.layout, torch.memory_format)
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_STANDARD_LIBRARY = Path(os.__file__).parent


def is_of_a_library(module: str) -> bool:
    """Not so are scripts and notebooks, which change from run to run while their names stay."""
    if module.partition(".")[0] == "headstart" or module in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return False
    path = Path(file)
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or path.is_relative_to(_STANDARD_LIBRARY)


def holds_own(value: object, depth: int = DEEP) -> bool:
    """Whether code that no library wrote runs when `value` is used, as far down as `depth`."""
    if isinstance(value, ModuleType | torch.Tensor | np.ndarray):
        return False
    if isinstance(value, FunctionType | type):
        return _is_own(value)
    if isinstance(value, MethodType | BuiltinFunctionType):
        bound = getattr(value, "__self__", None)
        return (isinstance(value, MethodType) and holds_own(value.__func__)) or holds_own(bound, depth)
    return _is_own(type(value)) or (depth > 0 and any(holds_own(part, depth - 1) for part in _inside(value)))


def _is_own(thing: Any) -> bool:
    homes = [cls.__module__ for cls in thing.__mro__] if isinstance(thing, type) else [thing.__module__ or ""]
    return any(not is_of_a_library(home) for home in homes)


def _inside(value: Any) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset | deque):
        return value
    if isinstance(value, partial):
        return (value.func, *value.args, *value.keywords.values())
    return _attributes(value).values()


def _attributes(value: object) -> dict[str, Any]:
    try:
        return dict(sorted(vars(value).items()))
    except TypeError:  # it has slots, or is written in C
        return {}


def raw(tensor: torch.Tensor) -> bytes | memoryview:
    """The bytes of a tensor's numbers, however they lie in memory and wherever."""
    plain = tensor.detach().cpu()
    plain = plain if plain.layout == torch.strided else plain.to_dense()
    flat = plain.resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else b""


def is_made_anew(tensor: torch.Tensor) -> bool:
    """Whether it is a result that something computed and keeps, or has no numbers."""
    return tensor.grad_fn is not None or tensor.is_meta


def described(value: object) -> str:
    """One value, with all that it leads to."""
    words = Words()
    return "\n".join([words.of(value), *words.told()])


def steady(before: str, after: str) -> str:
    """The lines that two descriptions share: what moves while code runs, a counter or a clock, is no setting of it."""
    kept = set(before.split("\n"))
    return "\n".join(line for line in after.split("\n") if line in kept)


class Words:
    """Puts values in words: plain ones at once, others by a number, whose words `told` gives in the end.

    Args:
        module: Its parts are described elsewhere and go by their dotted names.
    """

    def __init__(self, module: nn.Module | None = None) -> None:
        self._met: dict[int, tuple[object, str]] = {}  # by id; the object is kept, or its id goes round
        self._waiting: deque[tuple[str, Any]] = deque()
        for name, part in module.named_modules() if module is not None else ():
            self._met[id(part)] = part, f"module {name}"

    def of(self, value: Any) -> str:
        """Any value."""
        if isinstance(value, _PLAIN_OF_TORCH) or (isinstance(value, _PLAIN) and not isinstance(value, Enum)):
            return repr(value)
        if isinstance(value, torch.Tensor):
            return f"{tuple(value.shape)} {value.dtype} {'' if is_made_anew(value) else _hash(raw(value))}"
        if isinstance(value, tuple):  # the compiler shares equal ones as it likes
            return f"({' '.join(self.of(item) for item in value)})"
        if isinstance(value, set | frozenset):
            return f"{{{' '.join(sorted(self._apart(item) for item in value))}}}"
        if isinstance(value, ModuleType) or (isinstance(value, FunctionType | type) and not _is_own(value)):
            return named(value)
        if id(value) not in self._met:
            number = str(len(self._met))
            self._met[id(value)] = value, number
            self._waiting.append((number, value))
        return f"<{self._met[id(value)][1]}>"

    def told(self) -> list[str]:
        """The words of everything that goes by a number and has not been told."""
        lines = []
        while self._waiting:  # not by recursion: code may lead to code without end
            number, value = self._waiting.popleft()
            lines.append(f"{number}: {self._anew(value)}")
        return lines

    def part(self, part: nn.Module, *, hidden: bool = False) -> list[str]:
        """What counts of one part of a module beside its weights and its `repr`; nothing if libraries wrote it all."""
        own = _is_own(type(part))
        lines = [self.of(type(part))] if own else []
        for key, value in sorted(vars(part).items()):
            told = key in _OF_EVERY_MODULE or key in NAMES or isinstance(value, torch.Tensor)
            if not told and (own or holds_own(value) or (hidden and _is_setting(key, value))):
                lines.append(f"{key} {self.of(value)}")
        hooks = [hook for kind in (part._forward_pre_hooks, part._forward_hooks) for hook in kind.values()]
        return [*lines, *(f"hook {self.of(hook)}" for hook in hooks if holds_own(hook))]

    def _apart(self, value: object) -> str:
        """In words that do not hang on what was met before it: a set has no order."""
        words = Words()
        words._met = dict(self._met)
        return "\n".join([words.of(value), *words.told()])

    def _anew(self, value: Any) -> str:
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, MethodType):
            return f"{self.of(value.__func__)} of {self.of(value.__self__)}"
        if isinstance(value, staticmethod | classmethod):
            return f"{type(value).__name__} {self.of(value.__func__)}"
        if isinstance(value, property | cached_property):
            return f"property {self.of(value.fget if isinstance(value, property) else value.func)}"
        if isinstance(value, partial):
            return f"partial {self.of(value.func)} {self.of(value.args)} {self.of(value.keywords)}"
        if isinstance(value, nn.Module):
            return self._module(value)
        return self._object(value)

    def _object(self, value: Any) -> str:
        """Its class, what it contains, and its attributes: of a library's object the plain ones and one's own code."""
        kind = type(value)
        if isinstance(value, np.ndarray | np.generic):
            return f"{value.shape} {value.dtype} {self._numbers(value)}"
        if isinstance(value, Enum):
            return f"{self.of(kind)} {value.name} {self.of(value.value)}"
        words = [self.of(kind), *self._content(value)]
        for key, item in _attributes(value).items():
            if _is_own(kind) or _is_setting(key, item) or holds_own(item):
                words.append(f"{key}={self.of(item)}")
        return " ".join(words)

    def _numbers(self, value: Any) -> str:
        return self.of(value.tolist()) if value.dtype.hasobject else _hash(value.tobytes())

    def _content(self, value: Any) -> list[str]:
        """What attributes do not show."""
        if isinstance(value, dict):
            pairs = sorted(((self.of(key), item) for key, item in value.items()), key=lambda pair: pair[0])
            return [f"{key}: {self.of(item)}" for key, item in pairs]
        if isinstance(value, list | deque):
            return [self.of(item) for item in value]
        if isinstance(value, re.Pattern):
            return [repr(value.pattern), str(value.flags)]
        if isinstance(value, np.ufunc) or inspect.isroutine(value):
            bound = getattr(value, "__self__", None)
            return [named(value), self.of(None if isinstance(bound, ModuleType) else bound)]
        return []

    def _module(self, module: nn.Module) -> str:
        """A module that lies outside of the one described, such as in a plain list."""
        parts = list(module.named_modules())
        for _, part in parts:  # told here, each of them
            self._met.setdefault(id(part), (part, str(len(self._met))))
        state = [f"{name} {self.of(value)}" for name, value in sorted(module.state_dict().items())]
        lines = [f"{name} {line}" for name, part in parts for line in self.part(part, hidden=True)]
        return "\n".join([repr(module), *state, *lines])

    def _class(self, cls: type) -> str:
        """Its functions and plain attributes, inherited ones too; what `__init__` does is seen in what it made."""
        own = [base for base in cls.__mro__ if not is_of_a_library(base.__module__)]
        words = [named(cls)]
        for key, value in ((key, value) for base in own for key, value in sorted(vars(base).items())):
            if key != "__init__" and (not key.startswith("__") or isinstance(value, FunctionType)):
                words.append(f"{key} {self.of(value)}")
        return " ".join(words)

    def _function(self, function: FunctionType) -> str:
        """Its name, steps and constants, its defaults, and the values that it finds around it."""
        code = function.__code__
        around: dict[str, Any] = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        around = {name: cell.cell_contents for name, cell in around.items() if _is_filled(cell)}
        found = function.__globals__
        for name in _globals_named(code):
            if isinstance(home := found.get(name), ModuleType) and not is_of_a_library(home.__name__):
                around |= {f"{name}.{one}": vars(home)[one] for one in _names(code) if one in vars(home)}
            elif name in found:
                around[name] = home
        words = [named(function), self._steps(code), self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        return " ".join([*words, *(f"{name}={self.of(around[name])}" for name in sorted(around))])

    def _steps(self, code: CodeType) -> str:
        inside = [self._steps(value) if isinstance(value, CodeType) else self.of(value) for value in code.co_consts]
        return f"{code.co_code.hex()} {code.co_names} {' '.join(inside)}"


def _is_setting(key: str, value: object) -> bool:
    return not key.startswith("_") and key not in NAMES and _is_plain(value)


def _is_plain(value: object, depth: int = DEEP) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_is_plain(item, depth - 1) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    return isinstance(value, (*_PLAIN, *_PLAIN_OF_TORCH, torch.Tensor, np.ndarray, np.generic))


def named(thing: Any) -> str:
    """Where a function or class comes from, and what it is called there."""
    home = getattr(thing, "__module__", None) or ""
    return f"{home}.{getattr(thing, '__qualname__', getattr(thing, '__name__', type(thing).__name__))}"


def _hash(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _codes(code: CodeType) -> list[CodeType]:
    """A function's code and that of the functions it makes."""
    return [code, *(one for inner in code.co_consts if isinstance(inner, CodeType) for one in _codes(inner))]


def _globals_named(code: CodeType) -> list[str]:
    loads = {"LOAD_GLOBAL", "LOAD_NAME"}  # attributes go by names as well, but mean no global
    return sorted({step.argval for one in _codes(code) for step in dis.get_instructions(one) if step.opname in loads})


def _names(code: CodeType) -> list[str]:
    return sorted({name for one in _codes(code) for name in one.co_names})
