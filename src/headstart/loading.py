"""`load`: whatever headstart saved, read back by what it is."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import InputError
from headstart.records import Clustering, Evaluation, FewShot, Outcome, Project, Ranking, ZeroShot
from headstart.records.adaptation import AdaptationRecord
from headstart.records.files import SavedRecord
from headstart.records.stack import StackRecord
from headstart.wording import listing

if TYPE_CHECKING:
    from torch import nn

    from headstart.adaptation import Adapted, Stacked
    from headstart.sources import Source
    from headstart.transfers import Run

Record = Project | Ranking | Clustering | FewShot | ZeroShot | AdaptationRecord | StackRecord | Outcome | Evaluation
KEYS: tuple[tuple[set[str], type[Record]], ...] = (
    ({"ranking", "chosen"}, Project),
    ({"rows", "target", "sort"}, Ranking),
    ({"labelled", "unlabelled", "rows"}, AdaptationRecord),
    ({"sources", "together", "frequencies"}, StackRecord),
    ({"clusters", "groups"}, Clustering),
    ({"rows", "target", "shots"}, FewShot),
    ({"rows", "prompts"}, ZeroShot),
    ({"metrics", "curve"}, Outcome),
    ({"outcomes", "comparisons"}, Evaluation),
)  # fields that tell one record from another
OUTCOME = "outcome.json"
# The first of them says what a folder holds.
FILES = tuple(record.FILE for _, record in KEYS if issubclass(record, SavedRecord))
SAVED = "`rank(out=...)`, `transfer(out=...)`, `Ranking.save`, `Run.save`, or `--json`"


def load(
    path: str | os.PathLike[str], *, source: "Source | nn.Module | None" = None, trust_pickle: bool = False
) -> "Record | Adapted | Stacked | Run | tuple[Run, ...]":
    """Read what headstart saved: a ranking, a run ready to predict, several runs, or outcomes.

    Args:
        path: The folder of a ranking or of a run, a folder that holds runs, or a JSON file of a ranking or of outcomes.
        source: The source of a run, where its name does not find it again (a module from Python).
        trust_pickle: Load a source's checkpoint that can run code.

    Returns:
        A `Project`, `Ranking`, `Adapted`, `Stacked`, `Clustering`, `FewShot` or `ZeroShot`; a `Run`, or a tuple of runs
        for the folder above; an `Outcome` for `outcome.json`; an `Evaluation` for the `--json` of `transfer` or
        `evaluate`.

    Raises:
        InputError: Nothing that headstart saved is there, or it is damaged.
        ModelError: The source of a run cannot be found or loaded.

    Example:
        >>> load("no/such/folder")
        Traceback (most recent call last):
            ...
        headstart.errors.InputError: no/such/folder does not exist.
    """
    found, below = _record_of(path), sorted(each.parent for each in Path(path).glob(f"*/{OUTCOME}"))
    if isinstance(found, AdaptationRecord) and os.path.isdir(path):
        from headstart.adaptation import load as load_adapted

        return load_adapted(Path(path), source=source, trust_pickle=trust_pickle)
    if isinstance(found, StackRecord) and os.path.isdir(path):
        from headstart.adaptation import load_stack

        return load_stack(path, trust_pickle=trust_pickle)
    if found is not None:
        return found
    from headstart.adaptation import load_run

    if (Path(path) / OUTCOME).exists():
        return load_run(Path(path), source=source, trust_pickle=trust_pickle)
    return tuple(load_run(each, source=source, trust_pickle=trust_pickle) for each in below)


def load_record(path: str | os.PathLike[str]) -> Record:
    """What `load` reads, without any network: of saved runs their evaluation.

    Raises:
        InputError: Nothing that headstart saved is there, or it is damaged.
    """
    from headstart.evaluation import evaluate
    from headstart.evaluation.stored import read_runs

    found = _record_of(path)
    if found is not None:
        return found
    runs = read_runs([path])
    try:
        return evaluate(runs, progress=False)
    except InputError as error:  # they do not compare; their own results stand
        return Evaluation(tuple(run.outcome for run in runs), (), str(error))


def _record_of(path: str | os.PathLike[str]) -> Record | None:
    """The record in a file, or in a folder that is none of runs.

    Raises:
        InputError: There is none, and no run.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"`path` must be the path of a file or folder; got {type(path).__name__}.")
    place = Path(path)
    if not os.path.exists(place):
        raise InputError(f"{place} does not exist.")
    if place.is_file():
        return _from_file(place)
    for name in FILES:
        if (place / name).exists():
            return _from_file(place / name)
    if not (place / OUTCOME).exists() and not any(place.glob(f"*/{OUTCOME}")):
        raise InputError(
            f"{place} holds no record ({listing(sorted({*FILES, OUTCOME}), 9)}); `load` reads what {SAVED} wrote."
        )
    return None


def _from_file(path: Path) -> Record:
    try:
        found: Any = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file ({error}); `load` reads what {SAVED} wrote.") from error
    given = set(found) if isinstance(found, dict) else set()
    for keys, record in KEYS:
        if keys <= given or (path.name == Ranking.FILE and record is Ranking):
            return record.from_json(path.read_bytes(), origin=path)
    raise InputError(f"{path} is JSON, but no record of headstart; `load` reads what {SAVED} wrote.")
