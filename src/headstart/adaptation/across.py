"""Which labelled domain (a language, a camera) is the best start for another one?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.data.target import Target
from headstart.errors import InputError, TargetError
from headstart.evaluation import gain
from headstart.extract import extract
from headstart.records import Predictions
from headstart.records.across import Across, Crossing
from headstart.sources import candidates
from headstart.stats import share_interval
from headstart.store import folder_of
from headstart.tasks import softmax, task_of
from headstart.train.head import fit_head
from headstart.transfers.parts import split_target
from headstart.wording import listing

if TYPE_CHECKING:
    from headstart.sources.lookup import Model


def across(
    domains: Mapping[str, object],
    model: "Model",
    *,
    sources: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    device: str = "auto",
    cache: Any = True,
    trust_pickle: bool = False,
    reading: Reading | None = None,
    **options: Unpack[ReadingOptions],
) -> Across:
    """Train a head in each labelled domain and test it in every other: which language transfers best to which?

    A quarter of each domain, or its own test part, is held out for the tests. A domain with few labels can be a target:
    its interval is then wide. For a target without labels, compare `adapt` from each domain by its criteria.

    Args:
        domains: Labelled data by name, such as one file for each language; all have the same classes.
        model: The model whose features the heads read.
        sources: The domains to train in; all by default.
        limit: Train on so many examples of each.
        seed: Who is held out.
        device: "auto", "cpu", "cuda" or "mps".
        cache: True keeps forward passes in the usual place, a path there, False or None nowhere.
        trust_pickle: Load checkpoints that can run code.
        reading: How the data are read, as one `headstart.Reading`; `options` are its fields.

    Raises:
        InputError: There are fewer than two domains, or one of `sources` is none of them.
        TargetError: A domain cannot be read, has no classes, or other ones than the first.

    Example:
        >>> labels = np.arange(80) % 2
        >>> near = np.random.default_rng(0).standard_normal((80, 2)) + 4 * labels[:, None]
        >>> found = across({"a": (near, labels), "b": (near + 1, labels), "c": (-near, labels)}, "rows/2")
        >>> [one.trained_on for one in found.ranked("b")]
        ['a', 'c']
    """
    how = reading_of(reading, options, across)
    starts = list(domains if sources is None else sources)
    unknown = [name for name in starts if name not in domains]
    if len(domains) < 2 or unknown:
        wrong = f"`sources` names {listing(unknown)}" if unknown else f"there is {len(domains)} domain"
        raise InputError(f"{wrong}; `domains` must hold two or more, and holds {listing(list(domains)) or 'none'}.")
    parts = {name: split_target(data, most=limit, split_seed=seed, reading=how) for name, data in domains.items()}
    tests = {name: one.test for name, one in parts.items() if one.test is not None}
    first = next(iter(parts.values())).train
    for name, one in parts.items():
        if not task_of(one.train.task).single_class or one.train.classes != first.classes or name not in tests:
            raise TargetError(
                f"the domain {name} has the classes {listing(one.train.classes) or 'none'}, and the first has "
                f"{listing(first.classes)}: all need the same, with examples to hold out."
            )
    source = candidates(model, kind=first.kind)[0].load(trust_pickle)
    with TemporaryDirectory() as spare:
        place = folder_of(cache) or Path(spare)

        def features(target: Target) -> np.ndarray:
            seen = extract(target, source, cache=place, device=device)
            return np.asarray(seen.features, dtype=np.float64)

        held = {name: features(test) for name, test in tests.items()}
        heads = {
            name: fit_head(features(one.together), one.together.labels, classes=len(first.classes), seed=seed)
            for name, one in parts.items()
        }
    answers = {
        (name, target): Predictions(tests[target].ids, tests[target].labels, softmax(heads[name].outputs(held[target])))
        for name in domains
        for target in domains
    }
    return Across(source.name, tuple(_crossing(answers, name, target) for name in starts for target in domains))


def _crossing(answers: Mapping[tuple[str, str], Predictions], name: str, target: str) -> Crossing:
    mine, own = answers[name, target], answers[target, target]
    hits = mine.outputs.argmax(axis=1) == mine.labels
    row = (name, target, len(hits), float(hits.mean()), *share_interval(float(hits.sum()), len(hits)))
    if name == target:
        return Crossing(*row)
    found = gain([mine] * 2, [own] * 2, metric="accuracy")  # a solved head is the same for every seed
    return Crossing(*row, found.value, found.low, found.high)
