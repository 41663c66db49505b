"""Saved runs, read for comparison: records and predictions, without the network (and without torch)."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from headstart.errors import InputError
from headstart.records import Outcome, Predictions

OUTCOME, TEST = "outcome.json", "test.safetensors"


@dataclass(frozen=True, eq=False)
class StoredRun:
    """The record and predictions of a run that `headstart transfer` saved."""

    outcome: Outcome
    predictions: Predictions | None


def read_runs(folders: Iterable[str | os.PathLike[str]]) -> list[StoredRun]:
    """The runs in these folders, and in the folders right below one that holds none itself.

    Raises:
        InputError: A folder holds no finished run.
    """
    found = []
    for folder in map(Path, folders):
        below = sorted(path.parent for path in folder.glob(f"*/{OUTCOME}"))
        places = [folder] if (folder / OUTCOME).exists() or not below else below
        found += [StoredRun(read_outcome(place), read_predictions(place)) for place in places]
    return found


def read_outcome(folder: Path) -> Outcome:
    """The record of a run.

    Raises:
        InputError: The folder holds no finished run.
    """
    if not os.path.lexists(folder / OUTCOME):
        raise InputError(
            f"{folder} holds no finished transfer: {OUTCOME} is missing. `headstart transfer --out FOLDER` writes one."
        )
    return Outcome.read(folder / OUTCOME, "`headstart transfer --out FOLDER`")


def read_predictions(folder: Path) -> Predictions | None:
    """A run's predictions on the test part; None if it had none.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / TEST
    if not path.exists():
        return None
    try:
        with safe_open(str(path), framework="np") as file:
            ids = tuple(json.loads((file.metadata() or {})["ids"]))
            return Predictions(ids, file.get_tensor("labels"), file.get_tensor("outputs"))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}). Run the transfer again.") from error
