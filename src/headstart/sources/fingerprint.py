"""A hash of everything that changes a source's numbers, and of nothing else: never of its name."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType

import numpy as np
import torch
from torch import nn

from headstart.data.media import MEDIA
from headstart.errors import InputError, ModelError
from headstart.records import Kind

NAMES = {"name_or_path", "training"}  # plain attributes that do not change the numbers
EXTRACTION_VERSION = 1  # raised when our own forward pass changes what it returns


def fingerprint(module: nn.Module, weights: str, preprocessing: str, layer: str) -> str:
    """Hex blake2b (128 bit) of the module's `weights_hash` and structure, its preprocessing and what features are."""
    return digest_of(weights, architecture(module), preprocessing, layer, str(EXTRACTION_VERSION))


def digest_of(*parts: str) -> str:
    """Hex blake2b (128 bit) of several texts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(hashlib.blake2b(part.encode()).digest())
    return digest.hexdigest()


def weights_hash(module: nn.Module) -> str:
    """Hex blake2b of the sorted state and of the tensors beside it: names, shapes, types and bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in (*sorted(module.state_dict().items()), *_beside_the_state(module)):
        if isinstance(value, torch.Tensor):
            digest.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
            digest.update(raw(value))
        else:  # `get_extra_state` may hold anything
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Snapshot:
    """A module's weights at one time, to tell later whether they have changed."""

    weights: str  # their hash
    marks: tuple[tuple[int, int], ...]  # address of each tensor, and how often it was written to

    @classmethod
    def of(cls, module: nn.Module) -> "Snapshot":
        """The weights as they are now."""
        return cls(weights_hash(module), _marks(module))

    def holds_for(self, module: nn.Module) -> bool:
        """Whether the weights are the same; hashed again only if a tensor was written to, replaced or moved."""
        return _marks(module) == self.marks or weights_hash(module) == self.weights


def _marks(module: nn.Module) -> tuple[tuple[int, int], ...]:
    return tuple(
        (
            tensor.data_ptr() if tensor.layout == torch.strided else id(tensor),
            0 if tensor.is_inference() else tensor._version,
        )
        for tensor in (*module.parameters(), *module.buffers())
    )


def _beside_the_state(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Tensors outside the state dict: buffers that are not persistent, and plain attributes that are not results."""
    found = []
    for name, part in module.named_modules():
        made = {getattr(hook, "name", None) for hook in part._forward_pre_hooks.values()}
        unsaved = {key: part._buffers.get(key) for key in part._non_persistent_buffers_set}
        plain = {key: value for key, value in vars(part).items() if key not in made}
        found += [
            (f"{name}.{key}", value)
            for key, value in (*sorted(unsaved.items()), *sorted(plain.items()))
            if isinstance(value, torch.Tensor) and value.grad_fn is None and not value.is_meta
        ]
    return found


def architecture(module: nn.Module) -> str:
    """The module's structure as text: classes, their options, and the plain settings that `repr` does not show."""
    lines = [repr(module)]
    for name, part in module.named_modules():
        public = [item for item in sorted(vars(part).items()) if not item[0].startswith("_") and item[0] not in NAMES]
        settings = {key: value for key, value in public if _is_setting(value)}
        lines.append(f"{name}: {type(part).__module__}.{type(part).__qualname__} {settings!r}")
        for key, value in public:
            if isinstance(value, FunctionType | BuiltinFunctionType):
                lines.append(f"{name}.{key}: {value.__module__ or ''}.{value.__qualname__}")
    return "\n".join(lines)


def raw(tensor: torch.Tensor) -> bytes | memoryview:
    """The bytes of a tensor's numbers, on any device and in any layout."""
    plain = tensor.detach().cpu()
    plain = plain if plain.layout == torch.strided else plain.to_dense()
    flat = plain.resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else b""


def _is_setting(value: object) -> bool:
    values = value if isinstance(value, tuple | list) else (value,)
    return all(item is None or isinstance(item, bool | int | float | str) for item in values)


def canonical(description: object) -> str:
    """JSON with sorted keys, for descriptions made of dicts, lists, numbers and text."""
    return json.dumps(description, sort_keys=True, default=str)


def behaviour(prepare: Callable[[object], object], kind: Kind, *, own: bool = False) -> str:
    """A hash of what a preprocessing does to fixed examples, and to unusual ones if it runs the user's `own` code.

    Raises:
        InputError: Two runs on the same example differ, so the preprocessing is random.
        ModelError: It fails on an example.
    """
    digest = hashlib.blake2b(digest_size=16)
    for example in probe_examples(kind):
        try:
            first, second = _bytes(prepare(example)), _bytes(prepare(example))
        except Exception as error:  # the caller's own code may raise anything
            raise ModelError(f"the preprocessing failed on an example ({kind}): {error!r}.") from error
        if first != second:
            raise InputError(
                "the preprocessing gives two results for the same example, but features must be repeatable. "
                "Remove its random augmentation."
            )
        digest.update(first)
    for example in MEDIA[kind].odd_probes(own=own):
        try:
            digest.update(_bytes(prepare(example)))
        except Exception as error:  # a preprocessing may refuse an example as unusual as this
            digest.update(type(error).__name__.encode())
    return digest.hexdigest()


def outputs_hash(network: nn.Module, batch: object) -> str:
    """A hash of what a network returns for a batch, computed in one thread, so that it is the same every time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return hashlib.blake2b(_bytes(network(batch)), digest_size=16).hexdigest()
    finally:
        torch.set_num_threads(threads)


def probe_examples(kind: Kind) -> tuple[object, ...]:
    """Fixed ordinary examples of a kind of data."""
    return MEDIA[kind].probes()


def _bytes(value: object) -> bytes:
    if isinstance(value, torch.Tensor):
        return f"{tuple(value.shape)} {value.dtype}".encode() + bytes(raw(value))
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}".encode() + value.tobytes()
    if isinstance(value, Mapping):  # a tokenizer's answer is no dict
        return b"".join(_bytes(part) for key in sorted(value) for part in (key, value[key]))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return b"".join(_bytes(part) for part in value)
    return repr(value).encode()
