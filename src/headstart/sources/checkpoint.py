"""Checkpoints on disk: which file a library will load, whether it can run code, whether the network fits in memory."""

import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from headstart.data.remembered import total_memory
from headstart.errors import ModelError
from headstart.sources.adapters import files_in

SAFETENSORS = ".safetensors"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".tar")
USUAL = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth")  # timm loads the first of these that exists
INDEX = "model.safetensors.index.json"
SAFE = ("model.safetensors", INDEX)  # transformers loads these before any pickle
BESIDE = ("training_args.bin", "optimizer.pt", "scheduler.pt", "scaler.pt")  # by-products of trainers, never loaded
MOST_TENSORS = 50_000


def the_checkpoint(folder: Path) -> Path:
    """The file of weights in a folder of timm: the usual name, the index of several shards, or the only one there is.

    Raises:
        ModelError: There is none, or there are several and none has a usual name.
    """
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix in (SAFETENSORS, *PICKLED) and path.name not in BESIDE
    )
    usual = [path for name in USUAL for path in files if path.name == name]
    if not usual and (folder / INDEX).is_file():
        return folder / INDEX
    if usual or len(files) == 1:
        return (usual or files)[0]
    if not files:
        raise ModelError("the folder holds no weights; expected model.safetensors beside config.json.")
    names = ", ".join(path.name for path in files)
    raise ModelError(
        f"the folder holds {len(files)} checkpoints: {names}. "
        f"Name one, for example `local-dir:{folder}/{files[0].name}`."
    )


def shards(index: Path) -> dict[str, torch.Tensor]:
    """The tensors of all safetensors files that an index names.

    Raises:
        ModelError: A shard is missing or lies outside the folder, or the index cannot be read.
    """
    from safetensors.torch import load_file

    return {name: value for path in listed(index) for name, value in load_file(path).items()}


def listed(index: Path) -> list[Path]:
    """The files that an index names, where all of them may be loaded.

    Raises:
        ModelError: One is missing, lies outside the folder or is of another kind than the index, or the index cannot be
            read.
    """
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [index.parent / name for name in names]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index.name} must hold a `weight_map` from tensors to files: {error!r}.") from error
    kind = Path(index.name.removesuffix(".index.json")).suffix
    for name, path in zip(names, paths, strict=True):
        if path.parent != index.parent or not path.is_file():
            raise ModelError(f"the shard {name}, which {index.name} names, is not in its folder.")
        if path.suffix != kind:
            raise ModelError(f"{index.name} names {path.name}, but may name files that end in {kind} only.")
    return paths


def refuse_wrapped(path: Path, build: Callable[[], nn.Module]) -> None:
    """Raise ModelError if all names in a checkpoint share a prefix without which they are those of the network."""
    try:
        with torch.device("meta"):
            own = set(build().state_dict())
        names = _names_in(path)
    except Exception:  # the file or its config.json cannot be read at all, which the caller says
        return
    prefixes = {name.partition(".")[0] for name in names}
    prefix = prefixes.pop() + "." if len(prefixes) == 1 else ""
    if prefix and len(own & {name.removeprefix(prefix) for name in names}) > len(own) / 2:
        raise ModelError(
            f"all names in its checkpoint start with `{prefix}`: it was saved from a wrapper, such as a "
            f"Lightning module, not from the network itself. Save the inner network: "
            f"`safetensors.torch.save_model(wrapper.{prefix[:-1]}, 'model.safetensors')`.",
        )


def _names_in(path: Path) -> list[str]:
    from safetensors import safe_open

    if path.suffix == SAFETENSORS:
        with safe_open(path, "pt") as opened:
            return list(opened.keys())
    if path.name == INDEX:
        return list(json.loads(path.read_text(encoding="utf-8"))["weight_map"])
    state = torch.load(path, map_location="meta", weights_only=True)
    return [str(name) for name in state.get("state_dict", state)]


def refuse_adapter(folder: Path) -> None:
    """Raise ModelError for a folder in which peft saved an adapter and not a whole model."""
    if not (folder / "adapter_config.json").is_file():
        return
    base = None
    with suppress(ValueError, RecursionError, AttributeError, OSError):
        base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")).get("base_model_name_or_path")
    raise ModelError(
        f"the folder holds an adapter of peft for {base or 'another model'}, not a whole model. Merge it first: "
        f"`peft.PeftModel.from_pretrained(base, FOLDER).merge_and_unload().save_pretrained('merged')`, save the "
        "tokenizer or image processor beside it, and use `local-dir:merged`.",
    )


def refuse_code(folder: Path, *, trust_pickle: bool) -> None:
    """Check every pickled checkpoint that transformers or sentence-transformers would load from a folder.

    Raises:
        ModelError: One holds more than plain tensors and `trust_pickle` is false; nothing in it has been run.
    """
    for path in files_in(folder):
        if path.name.endswith((".safetensors.index.json", ".bin.index.json")):
            listed(path)
        safe = any((path.parent / name).is_file() for name in SAFE)
        if not trust_pickle and path.suffix in PICKLED and path.name not in BESIDE and not safe:
            check_plain(path)


def check_plain(path: Path) -> None:
    """Read a checkpoint as plain tensors only.

    Raises:
        ModelError: It holds anything else, or cannot be read.
    """
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"the checkpoint {path.name} is a pickle that holds more than plain tensors, so loading it would "
            "run the code in it. Convert it to safetensors, or pass `--trust-pickle` if you trust its author.",
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ModelError(f"the checkpoint {path.name} cannot be read: {error}") from error


class _TooLargeError(Exception):
    pass


def check_size(build: Callable[[], Any]) -> None:
    """Count the weights of a network on the meta device, where they take no memory.

    Args:
        build: Builds the network that a configuration describes.

    Raises:
        ModelError: They would not fit this machine's memory, or there are too many tensors to be a real network.
    """
    limit, total, tensors = total_memory(), 0, 0

    def add(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal total, tensors
        total += 0 if parameter is None else 4 * parameter.numel()
        tensors += 1
        if total > limit or tensors > MOST_TENSORS:
            raise _TooLargeError

    handle = register_module_parameter_registration_hook(add)
    try:
        with torch.device("meta"):
            build()
    except _TooLargeError as error:
        raise ModelError(
            f"its config.json describes a network of at least {total / 1e9:,.1f} GB in {tensors:,} tensors; "
            f"this machine has {limit / 1e9:,.1f} GB of memory. Check the sizes in config.json.",
        ) from error
    except Exception:  # some networks read their own numbers while they are built; the real attempt says what is wrong
        return
    finally:
        handle.remove()
