"""`evaluate`: every method among some runs against training from scratch."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from headstart.errors import InputError
from headstart.evaluation.causes import causes
from headstart.evaluation.convergence import convergence
from headstart.evaluation.gain import gain, judge
from headstart.evaluation.stored import read_runs
from headstart.records import Comparison, Convergence, Evaluation, Outcome, Predictions
from headstart.runner import Progress, counted, listener
from headstart.tasks import task_of
from headstart.wording import listing


class HasOutcome(Protocol):
    """A run: its record and its answers on the test part."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def predictions(self) -> Predictions | None: ...


NO_SCRATCH = (
    "To see what the transfer gained, train from scratch too, with the same data and seed: `headstart transfer ... "
    "--scratch`, or `method='scratch'` in Python."
)
NO_TRANSFER = "All runs are trainings from scratch: add a transfer with the same data and seed to compare with them."

BySeed = dict[int, HasOutcome]
Given = HasOutcome | str | os.PathLike[str]


def evaluate(
    runs: Given | Sequence[Given],
    *,
    metric: str | None = None,
    margin: float = 0.01,
    level: float = 0.95,
    progress: Progress | bool | None = None,
) -> Evaluation:
    """Gain over training from scratch, verdict and speed of every method, in the order of the runs.

    A transfer is compared with the training from scratch of its own source's network. If the runs hold none of it, but
    trainings of one other network, it is compared with those, and a note says so. Runs that hold no training from
    scratch, or nothing else, have no comparisons; `missing` then says what to add.

    Args:
        runs: Transfers and, for each of their seeds, a training from scratch on the same split: runs, folders that hold
            one or several, or what `campaign` returned.
        metric: The metric to compare by; the task's main one by default.
        margin: The smallest difference that matters; see `judge`.
        level: Coverage of the intervals.
        progress: A function called with each event; by default shown on a terminal and in a notebook.

    Raises:
        InputError: An unknown metric, no training from scratch with the seed of a transfer, several that it could be
            compared with, two runs of one seed, or other data.
    """
    found = _opened(runs)
    outcomes = tuple(run.outcome for run in found)
    named = _by_seed(found)
    scratch = {source: members for (method, source), members in named.items() if method == "scratch"}
    transfers = {key: members for key, members in named.items() if key[0] != "scratch"}
    if not scratch or not transfers:
        return Evaluation(outcomes, (), NO_TRANSFER if scratch else NO_SCRATCH)
    networks = {source: next(iter(members.values())).outcome.network for source, members in scratch.items()}
    comparisons: list[Comparison] = []
    for members in counted(tuple(transfers.values()), "comparisons", listener(progress)):
        baseline = _baseline(next(iter(members.values())).outcome, networks)
        one = _compare(members, scratch, baseline, metric, margin, level)
        if one.gain < 0 and one.verdict != "neutral":
            one = _explained(one, members, scratch[baseline], outcomes, margin)
        comparisons.append(one)
    return Evaluation(outcomes, tuple(comparisons))


def _explained(
    found: Comparison, members: BySeed, scratch: BySeed, outcomes: Sequence[Outcome], margin: float
) -> Comparison:
    """The comparison of a transfer that seems to hurt, with the causes for which the runs hold evidence."""
    mine, theirs = ([group[seed].outcome for seed in found.seeds] for group in (members, scratch))
    others = [one for one in outcomes if one.split == mine[0].split]
    return replace(found, notes=(*found.notes, *causes(mine, theirs, others, margin=margin)))


def _opened(runs: Given | Sequence[Given]) -> list[HasOutcome]:
    """The runs, those in folders read.

    Raises:
        InputError: Something is neither a run nor a folder of runs.
    """
    inside: Any = getattr(runs, "runs", runs)  # a campaign holds its runs
    found: list[HasOutcome] = []
    for one in inside if isinstance(inside, list | tuple) else [inside]:
        if isinstance(one, str | os.PathLike):
            found += read_runs([one])
        elif isinstance(getattr(one, "outcome", None), Outcome):
            found.append(one)
        else:
            raise InputError(f"`runs` must hold runs or folders of saved runs; got {type(one).__name__}.")
    if not found:
        raise InputError("`runs` is empty: give a transfer and a training from scratch.")
    return found


def _by_seed(runs: Sequence[HasOutcome]) -> dict[tuple[str, str], BySeed]:
    """The runs of each method and source, by their seeds."""
    named: dict[tuple[str, str], BySeed] = {}
    for run in runs:
        method, source, seed = run.outcome.method, run.outcome.source, run.outcome.seed
        members = named.setdefault((method, source), {})
        if seed in members:
            raise InputError(f"there are two runs of {method} with {source} and seed {seed}; leave one out.")
        members[seed] = run
    return named


def _baseline(transfer: Outcome, networks: Mapping[str, str]) -> str:
    """The source whose network, trained from scratch, a transfer is compared with: its own, else the only one."""
    source = transfer.source
    same = [name for name, network in networks.items() if network == transfer.network]
    found = [source] if source in same else same or list(networks)
    if len(found) > 1:
        raise InputError(
            f"there are trainings from scratch of {listing(found)}, and none of {source}, to compare its transfer "
            "with: add one with `method='scratch'`, or leave the transfer out."
        )
    return found[0]


def _left_out(seeds: Sequence[int]) -> list[str]:
    """The note on transfers without a partner, if there are any."""
    if not seeds:
        return []
    named = ", ".join(map(str, sorted(seeds)))
    one = len(seeds) == 1
    return [f"seed{'' if one else 's'} {named} left out: no training from scratch has {'it' if one else 'them'}"]


def _compare(
    runs: BySeed, scratch: Mapping[str, BySeed], baseline: str, metric: str | None, margin: float, level: float
) -> Comparison:
    first = next(iter(runs.values())).outcome
    pairs = [(run, scratch[baseline][seed]) for seed, run in runs.items() if seed in scratch[baseline]]
    if not pairs:
        raise InputError(
            f"no training from scratch of {baseline} has a seed of {first.method} ({sorted(runs)}); "
            "pairs need equal seeds."
        )
    if len({other.outcome.split for pair in pairs for other in pair}) > 1:
        raise InputError(
            "the runs split the data differently or hold other data, so they cannot be compared. Run them on the same "
            "data with one `split_seed` and one version of headstart."
        )
    answers = [(one.predictions, other.predictions) for one, other in pairs]
    tested = [(a, b) for a, b in answers if a is not None and b is not None]
    if len(tested) < len(pairs):
        raise InputError("a run has no test part, so there is nothing to compare. Give test data, or more examples.")
    metric = metric or first.metric
    found = gain([a for a, _ in tested], [b for _, b in tested], metric=metric, task=first.task, level=level)
    verdict, advice = judge(found, margin=margin)
    notes = []
    if pairs[0][1].outcome.network != first.network:
        notes.append(f"compared with another network: the runs train {baseline} from scratch, and not {first.source}")
    notes += task_of(first.task).caveats(metric, tested[0][0].labels)
    notes += _left_out([seed for seed in runs if seed not in scratch[baseline]])
    speed: Convergence | None = None
    try:
        speed = convergence([one.outcome.curve for one, _ in pairs], [other.outcome.curve for _, other in pairs])
    except InputError as error:
        notes.append(f"no speed of convergence: {error}")
    return Comparison(
        method=first.method,
        source=first.source,
        metric=metric,
        transfer=found.transfer,
        scratch=found.scratch,
        gain=found.value,
        low=found.low,
        high=found.high,
        level=level,
        seeds=tuple(one.outcome.seed for one, _ in pairs),
        verdict=verdict,
        advice=advice,
        convergence=speed,
        notes=tuple(notes),
    )
