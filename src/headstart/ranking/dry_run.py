"""What a ranking would load, download and cost, without loading a model."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.data.media import MEDIA
from headstart.data.reading import Reading
from headstart.errors import ExampleError, InputError
from headstart.ranking.inputs import open_inputs
from headstart.records import ModelCard
from headstart.records.table import Prose, View, table
from headstart.runner import Workers, workers_of
from headstart.wording import duration, plural

if TYPE_CHECKING:
    from headstart.data.target import Target
    from headstart.sources.lookup import Model

USUAL = 25_000_000  # parameters, of a model that does not say
BYTES = 4  # of a parameter in a file
PRODUCTS = 160  # of a parameter with an image of 224 x 224: 155 to 203 in ResNet, ConvNeXt, ViT; 85 in EfficientNet
TOKENS = 64  # of a text
PER_SECOND = 25e9  # products of one processor: ResNet-18, channels last


def dry_run(
    target: object,
    models: "Model | Sequence[Model]",
    *,
    limit: int | None = None,
    seed: int = 0,
    workers: Workers = 1,
    cache: Path | None = None,
    trust_pickle: bool = False,
    reading: Reading | None = None,
) -> View:
    """A table of the models that `rank` would measure: cached rows, forward passes, download and time.

    Times are estimates from the number of parameters, right to a factor of about 3. The options are those of `rank`.

    Raises:
        InputError: The target holds arrays, which need no forward pass, or an option cannot be used.
    """
    from headstart.sources import candidates
    from headstart.sources.recall import known_fingerprint
    from headstart.store import RowStore

    count = workers_of(workers)
    inputs = open_inputs(target, reading or Reading(), most=limit, seed=seed)
    if inputs.extractions:
        raise InputError("the target holds arrays, which are ranked without models; `--dry-run` is for models.")
    found = candidates(models, kind=inputs.target.kind)
    digests = _digests(inputs.target) if cache else []
    rows, passes, gigabytes, seconds = [], 0, 0.0, 0.0
    for candidate in found:
        print_ = known_fingerprint(candidate, trust_pickle, cache) if cache else None
        cached = int(RowStore(cache, print_).has(digests).sum()) if cache and print_ else 0
        left, card = len(inputs.target) - cached, candidate.card
        size = 0.0 if card.local else (card.parameters or USUAL) * BYTES / 1e9
        spent = left * seconds_of_pass(card)
        passes, gigabytes, seconds = passes + left, gigabytes + size, seconds + spent
        where = "here" if card.local else f"{size:.2f} GB"
        rows.append((candidate.name, where, f"{cached:,}", f"{left:,}", duration(spent / _processors())))
    examples = plural(len(inputs.target), inputs.target.kind)
    total = (
        f"{plural(len(found), 'model')} on {examples}: {passes:,} forward passes, "
        f"{gigabytes:.2f} GB to download, about {seconds / 3600:.2g} processor-hours."
    )
    return [
        table(("model", "weights", "cached", "passes", "time"), rows, words=2),
        Prose((total, _shared(count, seconds))),
    ]


def seconds_of_pass(card: ModelCard) -> float:
    """Processor-seconds of one forward pass, estimated from the number of parameters and the size of an input.

    Example:
        >>> round(seconds_of_pass(ModelCard(name="resnet50", kind="image", parameters=25_557_032)), 2)
        0.16
    """
    parameters = card.parameters or USUAL
    if not MEDIA[card.kind].pictures:
        return parameters * TOKENS / PER_SECOND
    area = card.input_size[1] * card.input_size[2] / 224**2 if card.input_size else 1.0
    return parameters * PRODUCTS * area / PER_SECOND


def _shared(workers: Workers, seconds: float) -> str:
    if isinstance(workers, str):
        return f"On `{workers}`, divide by the processors of the cluster."
    own = _processors()
    return (
        f"With {plural(workers, 'worker')} on the {plural(own, 'processor')} of this machine: about "
        f"{duration(seconds / own)}, right to a factor of 3."
    )


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _digests(target: "Target") -> list[bytes]:
    found = []
    for index in range(len(target)):
        try:
            found.append(target.examples.digest(index))
        except ExampleError:  # it will be left out
            continue
    return found
