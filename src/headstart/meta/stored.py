"""Saves and loads adaptation networks: one safetensors file that names their source; no pickle."""

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors

from headstart.errors import InputError
from headstart.meta.cnaps import Cnaps
from headstart.records import check_destination, write_atomically
from headstart.sources import Source, candidates

KIND = "cnaps"


def save(learner: Cnaps, path: str | os.PathLike[str]) -> Path:
    """Write the adaptation networks to a file, without the weights of the source."""
    path = Path(path)
    check_destination(path, folder=False)
    said = {"kind": KIND, "source": learner.source.name, "fingerprint": learner.source.fingerprint}
    tensors = {name: value.detach().cpu().contiguous() for name, value in learner.adaptation().items()}
    write_atomically(path, save_tensors(tensors, metadata={"headstart": json.dumps(said)}))
    return path


def load(path: str | os.PathLike[str], *, source: Source | None = None) -> Cnaps:
    """Load adaptation networks that `save` wrote.

    Args:
        source: The source they were trained for; needed if it cannot be found by its name.

    Raises:
        InputError: The file is missing, damaged, of another kind, or was saved for another source.
        ModelError: The source cannot be found or loaded.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file. Pass a file that `hs.meta.save` wrote.")
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            said = json.loads((file.metadata() or {})["headstart"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        held, name, fingerprint = said["kind"], said["source"], said["fingerprint"]
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"cannot read adaptation networks from {path}: it is damaged or something else ({error}). Train them again."
        ) from error
    if held != KIND:
        raise InputError(f"{path} holds `{held}` networks; expected `{KIND}`. Pass a file that `save` wrote.")
    found = source or candidates(name, kind="image")[0].load(False)
    if found.fingerprint != fingerprint:
        raise InputError(
            f"{path} was trained for {name}, and {found.name} has other weights or preprocessing here. "
            "Pass the original source as `source=`."
        )
    learner = Cnaps(found)
    learner.take(tensors)
    return learner
