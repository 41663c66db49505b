"""CNAPs for a row of the table: adaptation networks that are trained once on other data, and kept by content."""

from functools import lru_cache
from typing import Any

from filelock import FileLock

from headstart.data import Target
from headstart.errors import InputError
from headstart.meta import Cnaps, MetaTraining, identity_of, load, meta_train, save
from headstart.records import writing
from headstart.sources import Source
from headstart_paper.bench import Announce, Bench, data_hash, loaded, opened
from headstart_paper.plan import Meta, Part


def trained(part: Part, bench: Bench, announce: Announce) -> Cnaps:
    """A row's adaptation networks; where they are not kept they are trained, or a killed training is continued.

    Raises:
        InputError: The data to learn from are the target's own.
    """
    if data_hash(part.data, bench) in {data_hash(name, bench) for name in _meta(part).data}:
        raise InputError(
            f"`--meta-data` names {opened(part.data, bench).title}, the target of {part.row.name}: adaptation networks "
            "must not have seen its classes. Leave it out."
        )
    path = bench.folder / "meta" / f"{identity(part, bench)}.safetensors"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            try:
                return load(path, source=loaded(part.source))
            except InputError as error:
                announce(f"{error} They are trained again now.")
                path.unlink()
        announce(f"{part.row.name}: learning to adapt from {', '.join(_titles(part, bench))}")
        checkpoint = path.with_suffix(".unfinished")
        learnt = meta_train(
            *_ingredients(part, bench),
            device=bench.device,
            checkpoint=checkpoint,
            progress=lambda event: announce(event.message) if event.message else None,
        )
        save(learnt, path)
        checkpoint.unlink(missing_ok=True)
    return learnt


@lru_cache(maxsize=2)
def learner(part: Part, bench: Bench) -> Cnaps:
    """A row's source with its trained adaptation networks."""
    return trained(part, bench, lambda text: None)


@lru_cache(maxsize=8)
def identity(part: Part, bench: Bench) -> str:
    """Hex hash of all that decides a row's adaptation networks."""
    return identity_of(*_ingredients(part, bench))


def said(part: Part, bench: Bench) -> dict[str, Any]:
    """What a results row says of its meta-training."""
    meta = {"data": _titles(part, bench), "episodes": _meta(part).episodes}
    return {"meta_hash": identity(part, bench)[:16], "meta": meta}


def _meta(part: Part) -> Meta:
    assert part.meta is not None, "only rows of meta-transfer ask for it"
    return part.meta


def _titles(part: Part, bench: Bench) -> list[str]:
    return [opened(name, bench).title for name in _meta(part).data]


def _ingredients(part: Part, bench: Bench) -> tuple[Source, list[Target], MetaTraining]:
    targets = [opened(name, bench).train for name in _meta(part).data]
    return loaded(part.source), targets, MetaTraining(episodes=_meta(part).episodes, seed=bench.scale.seed)
