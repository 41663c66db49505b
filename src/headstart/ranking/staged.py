"""What a search in rounds found, and the order that follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.scores import Evaluation
from headstart.stats import PairedRanks, Stage, staged_ranks


@dataclass(frozen=True, eq=False)
class Staged:
    """The rounds of a search, each on its own examples."""

    sort: tuple[str, str]  # the score that orders the sources, and why
    rounds: Sequence[Mapping[str, Evaluation]]  # that score of every source that was in the round
    planned: int  # rounds that there might have been
    dropped: Mapping[str, str]  # source -> why the search went on without it
    surely: bool = False  # whether a source dropped is known not to be the best, at an error of the search's own
    final: float | None = None  # then: the level at which the last round, being on all examples, finds who is not


def ranks_by_stage(staged: Staged, sources: Sequence[str], seed: int) -> PairedRanks:
    """Ranks of `sources`, each pair of them compared on the last examples that both saw.

    Args:
        staged: The rounds; other sources in them, such as one that failed later, are passed over.
        sources: Names in the order of the result; each is in one round at least.
        seed: For the sign flips and the draws.
    """
    place = {name: at for at, name in enumerate(sources)}
    stages = [_stage(found, place) for found in staged.rounds]
    out = np.array([name in staged.dropped for name in sources]) if staged.surely else None
    kept = [stage for stage in stages if len(stage.members)]
    return staged_ranks(kept, rounds=staged.planned, out=out, final=staged.final, seed=seed)


def _stage(found: Mapping[str, Evaluation], place: Mapping[str, int]) -> Stage:
    members = [name for name in found if name in place]
    deleted = [held for name in members if (held := found[name].deleted) is not None]
    known = len(deleted) == len(members) and len({len(held) for held in deleted}) == 1
    return Stage(
        np.array([place[name] for name in members], dtype=np.int64),
        np.array([found[name].value for name in members]),
        np.stack(deleted) if known else None,
    )
