"""CNAPs for a row of the table: adaptation networks that are trained once on other data, and kept by content."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from headstart.data import Target
from headstart.errors import InputError
from headstart.meta import Cnaps, MetaTraining, identity_of, load, meta_train, save
from headstart.records import writing
from headstart_paper.bench import Announce, Bench, data_hash, loaded, opened
from headstart_paper.plan import Meta, Part

FOLDER = "meta"  # within that of the forward passes


def trained(part: Part, bench: Bench, announce: Announce) -> Cnaps:
    """A row's adaptation networks; where they are not kept they are trained, or a killed training goes on.

    Raises:
        InputError: The data to learn from are the target's own.
    """
    meta = _meta(part)
    if data_hash(part.data, bench) in {data_hash(name, bench) for name in meta.data}:
        raise InputError(
            f"`--meta-data` names {opened(part.data, bench).title}, the target of {part.row.name}: adaptation networks "
            "must not have seen its classes. Leave it out."
        )
    path = _path(part, bench)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        learnt = _kept(path, part, announce)
        if learnt is None:
            titles = [opened(name, bench).title for name in meta.data]
            announce(f"{part.row.name}: learning to adapt from {', '.join(titles)}")
            checkpoint = path.with_suffix(".unfinished")
            learnt = meta_train(
                loaded(part.source),
                _targets(meta, bench),
                _settings(meta, bench),
                device=bench.device,
                checkpoint=checkpoint,
                progress=lambda event: announce(event.message) if event.message else None,
            )
            save(learnt, path)
            checkpoint.unlink(missing_ok=True)
    return learnt


def _kept(path: Path, part: Part, announce: Announce) -> Cnaps | None:
    """What the file holds, if it is there and whole; a damaged one makes room for another."""
    if not path.exists():
        return None
    try:
        return load(path, source=loaded(part.source))
    except InputError as error:
        announce(f"{error} Here that is done at once.")
        path.unlink()
        return None


@lru_cache(maxsize=2)
def learner(part: Part, bench: Bench) -> Cnaps:
    """A row's source with its trained adaptation networks."""
    return trained(part, bench, lambda text: None)


@lru_cache(maxsize=8)
def identity(part: Part, bench: Bench) -> str:
    """Hex hash of all that decides a row's adaptation networks."""
    meta = _meta(part)
    return identity_of(loaded(part.source), _targets(meta, bench), _settings(meta, bench))


def said(part: Part, bench: Bench) -> dict[str, Any]:
    """What a results row says of its meta-training."""
    meta = _meta(part)
    titles = [opened(name, bench).title for name in meta.data]
    return {"meta_hash": identity(part, bench)[:16], "meta": {"data": titles, "episodes": meta.episodes}}


def _meta(part: Part) -> Meta:
    assert part.meta is not None, "only rows of meta-transfer ask for it"
    return part.meta


def _path(part: Part, bench: Bench) -> Path:
    return bench.folder / FOLDER / f"{identity(part, bench)}.safetensors"


def _targets(meta: Meta, bench: Bench) -> list[Target]:
    return [opened(name, bench).train for name in meta.data]


def _settings(meta: Meta, bench: Bench) -> MetaTraining:
    return MetaTraining(episodes=meta.episodes, seed=bench.scale.seed)
