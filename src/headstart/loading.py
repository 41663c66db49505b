"""`load`: whatever headstart saved, read back by what it is."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import InputError
from headstart.records import Clustering, Evaluation, FewShot, Outcome, Project, Ranking
from headstart.records.adaptation import ADAPTATION, AdaptationRecord
from headstart.records.project import PROJECT

if TYPE_CHECKING:
    from torch import nn

    from headstart.adaptation import Adapted
    from headstart.sources import Source
    from headstart.transfers import Run

RANKING, OUTCOME, MODEL = "ranking.json", "outcome.json", "model.json"
CLUSTERS, FEW_SHOT = "clusters.json", "few_shot.json"
Record = Ranking | Outcome | Evaluation | Clustering | FewShot | AdaptationRecord
SAVED = "`rank(out=...)`, `transfer(out=...)`, `Ranking.save`, `Run.save`, or `--json`"


def load(
    path: str | os.PathLike[str], *, source: "Source | nn.Module | None" = None, trust_pickle: bool = False
) -> "Record | Project | Adapted | Run | tuple[Run, ...]":
    """Read what headstart saved: a ranking, a run ready to predict, several runs, or outcomes.

    Args:
        path: The folder of a ranking or of a run, a folder that holds runs, or a JSON file of a ranking or of outcomes.
        source: The source of a run, where its name does not find it again (a module from Python).
        trust_pickle: Load a source's checkpoint that can run code.

    Returns:
        A `Project`, `Ranking`, `Adapted`, `Clustering` or `FewShot`; a `Run`, or a tuple of runs for the folder above;
        an `Outcome` for `outcome.json`; an `Evaluation` for a file that `transfer --json` or `evaluate --json` wrote.

    Raises:
        InputError: Nothing that headstart saved is there, or it is damaged.
        ModelError: The source of a run cannot be found or loaded.

    Example:
        >>> load("no/such/folder")
        Traceback (most recent call last):
            ...
        headstart.errors.InputError: no/such/folder does not exist.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"`path` must be the path of a file or folder; got {type(path).__name__}.")
    place = Path(path)
    if not place.exists():
        raise InputError(f"{place} does not exist.")
    if place.is_file():
        return _from_file(place)
    if (place / PROJECT).exists():
        return Project.load(place)
    if (place / RANKING).exists():
        return Ranking.load(place)
    if (place / CLUSTERS).exists():
        return _from_file(place / CLUSTERS)
    if (place / FEW_SHOT).exists():
        return _from_file(place / FEW_SHOT)
    if (place / ADAPTATION).exists():
        from headstart.adaptation import load as load_adapted

        return load_adapted(place, source=source, trust_pickle=trust_pickle)
    below = sorted(found.parent for found in place.glob(f"*/{OUTCOME}"))
    if not (place / OUTCOME).exists() and not below:
        raise InputError(f"{place} holds neither {RANKING} nor {OUTCOME}; `load` reads what {SAVED} wrote.")
    from headstart.adaptation import load_run

    if (place / OUTCOME).exists():
        return load_run(place, source=source, trust_pickle=trust_pickle)
    return tuple(load_run(each, source=source, trust_pickle=trust_pickle) for each in below)


def _from_file(path: Path) -> Record:
    try:
        found: Any = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is not a JSON file ({error}); `load` reads what {SAVED} wrote.") from error
    keys = set(found) if isinstance(found, dict) else set()
    if {"rows", "target", "sort"} <= keys:
        return Ranking.from_json(path.read_bytes(), origin=path)
    if {"labelled", "unlabelled", "rows"} <= keys:
        return AdaptationRecord.from_json(path.read_bytes(), origin=path)
    if {"clusters", "groups"} <= keys:
        return Clustering.from_json(path.read_bytes(), origin=path)
    if {"rows", "target", "shots"} <= keys:
        return FewShot.from_json(path.read_bytes(), origin=path)
    if {"metrics", "curve"} <= keys:
        return Outcome.from_json(path.read_bytes(), origin=path)
    if {"outcomes", "comparisons"} <= keys:
        return Evaluation.from_json(path.read_bytes(), origin=path)
    raise InputError(f"{path} is JSON, but neither a ranking nor outcomes; `load` reads what {SAVED} wrote.")
