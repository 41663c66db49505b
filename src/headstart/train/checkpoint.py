"""A training's state in one safetensors file, written whole or not at all; no pickle."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from headstart.errors import InputError
from headstart.records import CurvePoint, write_atomically


@dataclass
class TrainingState:
    """Where a training stands: everything but the tensors."""

    epoch: int = 0  # counted from 0; the one that is under way or comes next
    batch: int = 0  # batches of it that are done
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)  # of the loss and its parts, over the epoch's examples
    count: int = 0  # of those examples
    seconds: float = 0.0
    chunks: int = 1  # pieces a batch is cut into, raised when memory runs out
    best_epoch: int | None = None
    best_key: tuple[float, float] | None = None  # quality and minus loss of the best epoch
    stopped: str | None = None  # why it ended; None while it goes on
    computed_on: str = ""  # device and threads: others add up in another order
    curve: list[CurvePoint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_checkpoint(path: Path, identity: str, progress: TrainingState, tensors: dict[str, Tensor]) -> None:
    """Write the state to `path` in one move."""
    state = json.dumps({"identity": identity, "progress": asdict(progress)})
    content = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomically(path, save(content, metadata={"headstart": state}))


def read_checkpoint(path: Path, identity: str) -> tuple[TrainingState, dict[str, Tensor]] | None:
    """The state of an unfinished training, or None where there is none.

    Raises:
        InputError: The file belongs to another training, or is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            state: dict[str, Any] = json.loads((file.metadata() or {})["headstart"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(
            f"the checkpoint {path} is damaged ({error}). Delete it to start this training anew."
        ) from error
    if state["identity"] != identity:
        raise InputError(
            f"{path} belongs to a training with other data, another model or other options. "
            "Repeat the command that began it, choose another output folder, or delete the file (`transfer` does with "
            "`overwrite=True`)."
        )
    fields = state["progress"]
    fields["curve"] = [CurvePoint(**point) for point in fields["curve"]]
    fields["best_key"] = None if fields["best_key"] is None else tuple(fields["best_key"])
    return TrainingState(**fields), tensors


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `optimizer/INDEX/KEY`, the index counting through all groups."""
    found = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if value is not None:
                found[f"optimizer/{index}/{key}"] = torch.as_tensor(value)
    return found


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    whole = optimizer.state_dict()
    whole["state"] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, index, key = name.split("/", 2)
            whole["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(whole)
