"""Checkpoints on disk: which file a library will load, and whether that file can run code."""

import pickle
from pathlib import Path

import torch

from headstart.errors import ModelError

SAFETENSORS = ".safetensors"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".tar")
USUAL = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth")  # timm loads the first of these that exists
SAFE = ("model.safetensors", "model.safetensors.index.json")  # transformers loads these before any pickle
BESIDE = ("training_args.bin", "optimizer.pt", "scheduler.pt", "scaler.pt")  # by-products of trainers, never loaded


def the_checkpoint(folder: Path, model: str) -> Path:
    """The one file of weights in a folder of timm: the usual name, or the only one there is.

    Raises:
        ModelError: There is none, or there are several and none has a usual name.
    """
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix in (SAFETENSORS, *PICKLED) and path.name not in BESIDE
    )
    usual = [path for name in USUAL for path in files if path.name == name]
    if usual or len(files) == 1:
        return (usual or files)[0]
    if not files:
        raise ModelError(f"{model}: {folder} holds no weights; expected model.safetensors beside config.json.")
    if (folder / "model.safetensors.index.json").is_file():
        raise ModelError(f"{model}: its weights are split into {len(files)} files; save them as one model.safetensors.")
    names = ", ".join(path.name for path in files)
    raise ModelError(
        f"{model}: {folder} holds {len(files)} checkpoints: {names}. Name one, for example `{model}/{files[0].name}`."
    )


def refuse_code(folder: Path, model: str, *, trust_pickle: bool) -> None:
    """Check every pickled checkpoint that transformers or sentence-transformers would load from a folder.

    Raises:
        ModelError: One holds more than plain tensors and `trust_pickle` is false; nothing in it has been run.
    """
    if trust_pickle:
        return
    for path in sorted(path for path in folder.rglob("*") if path.suffix in PICKLED and path.is_file()):
        if path.name not in BESIDE and not any((path.parent / name).is_file() for name in SAFE):
            check_plain(path, model)


def check_plain(path: Path, model: str) -> None:
    """Read a checkpoint as plain tensors only.

    Raises:
        ModelError: It holds anything else, or cannot be read.
    """
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{model}: the checkpoint {path.name} is a pickle that holds more than plain tensors, so loading it would "
            "run the code in it. Convert it to safetensors, or pass `--trust-pickle` if you trust its author."
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ModelError(f"{model}: the checkpoint {path.name} cannot be read: {error}") from error
