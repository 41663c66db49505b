"""What a ranking would load, download and cost, without loading a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.data.reading import Reading
from headstart.errors import ExampleError, HeadstartError, InputError
from headstart.ranking.attempt import check_precision
from headstart.ranking.cost import gigabytes_of, processors, seconds_of_pass
from headstart.ranking.inputs import open_inputs
from headstart.ranking.shortlist import Names, Wishes, shortlist_of
from headstart.records.search import spared
from headstart.records.table import Prose, View, table
from headstart.runner import Ray, Workers, on_workers, workers_of
from headstart.wording import duration, plural

if TYPE_CHECKING:
    from headstart.data.target import Target
    from headstart.sources.lookup import Model


def dry_run(
    target: object,
    models: "Model | Sequence[Model] | None" = None,
    *,
    limit: int | None = None,
    seed: int = 0,
    workers: Workers = 1,
    cache: Path | None = None,
    trust_pickle: bool = False,
    precision: str = "fp32",
    reading: Reading | None = None,
    shortlist: int | None = None,
    exclude: Names = None,
    licence: Names = None,
) -> View:
    """A table of the models that `rank` would measure: cached rows, forward passes, download and time.

    Times are estimates: see `docs/scale.md`. The options are those of `rank`.

    Raises:
        InputError: The target holds arrays, which need no forward pass, or an option cannot be used.
    """
    from headstart.extract.cached import key_of
    from headstart.sources.known import known_facts
    from headstart.store import RowStore

    check_precision(precision)
    count, place = _place(workers_of(workers))
    inputs = open_inputs(target, reading or Reading(), most=limit, seed=seed)
    if inputs.extractions:
        raise InputError("the target holds arrays, which are ranked without models; `--dry-run` is for models.")
    listed = shortlist_of(models, inputs.target, Wishes(shortlist, exclude, licence))
    found = [*listed.first, *listed.waiting[: listed.most - len(listed.first)]]
    digests = _digests(inputs.target) if cache else []
    rows, passes, gigabytes, seconds = [], 0, 0.0, 0.0
    for candidate in found:
        facts = known_facts(candidate, trust_pickle, cache) if cache else None
        cached = int(RowStore(cache, key_of(facts.fingerprint, precision)).has(digests).sum()) if cache and facts else 0
        left, card = len(inputs.target) - cached, candidate.card
        size = 0.0 if card.local else gigabytes_of(card)
        spent = left * seconds_of_pass(card)
        passes, gigabytes, seconds = passes + left, gigabytes + size, seconds + spent
        where = "here" if card.local else f"{size:.2f} GB"
        rows.append((candidate.name, where, f"{cached:,}", f"{left:,}", duration(spent / count)))
    examples = plural(len(inputs.target), inputs.target.kind)
    total = (
        f"{plural(len(found), 'model')} on {examples}: {passes:,} forward passes, "
        f"{gigabytes:.2f} GB to download, about {seconds / 3600:.2g} processor-hours."
    )
    return [
        table(("model", "weights", "cached", "passes", "time"), rows, words=2),
        Prose((total, place.replace("{}", duration(seconds / count)), *spared(listed.left_out(found)))),
    ]


def _place(workers: Workers) -> tuple[int, str]:
    """Processors that share the work, and a sentence about them with a gap for the time."""
    named = plural(workers, "worker") if isinstance(workers, int) else f"`{workers}`"
    own, machine = processors(), "this machine"
    if isinstance(cluster := on_workers(workers), Ray):
        try:
            if (there := cluster.processors_there()) is not None:
                own, machine = there, "the cluster"
        except HeadstartError as error:
            return own, f"On this machine alone: {{}}, an estimate; the size of `{workers}` is not known: {error}"
    return own, f"With {named} on the {plural(own, 'processor')} of {machine}: {{}}, an estimate."


def _digests(target: "Target") -> list[bytes]:
    found = []
    for index in range(len(target)):
        try:
            found.append(target.examples.digest(index))
        except ExampleError:  # it will be left out
            continue
    return found
