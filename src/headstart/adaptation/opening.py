"""The two domains: labelled examples divided, unlabelled ones opened without their labels, a test part apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.data import Reading, open_target, open_unlabelled
from headstart.data.media import MEDIA
from headstart.data.provenance import digests, target_hash
from headstart.data.target import Target
from headstart.errors import HeadstartError, InputError
from headstart.records import Failure
from headstart.tasks import task_of
from headstart.transfers.parts import Parts, given_test, split_target
from headstart.wording import listing, plural

FEWEST = 10  # examples of a new domain


@dataclass(frozen=True, eq=False)
class Opened:
    """Everything that the runs of one command share."""

    parts: Parts  # of the labelled domain, with the new one; its test part is the new domain's
    kept: Target  # labelled examples held out: is the labelled domain still known afterwards?
    notes: tuple[str, ...]


def open_domains(
    labelled: object,
    unlabelled: object,
    *,
    test: object = None,
    most: int | None = None,
    split_seed: int = 0,
    reading: Reading | None = None,
) -> Opened:
    """Open and check both domains.

    Args:
        labelled: Whatever `open_target` reads; its test part, or a quarter, is held out.
        unlabelled: Whatever `headstart predict` reads; labels that come with it are ignored.
        test: Labelled examples of the new domain.
        most: Use so many examples of each domain.
        split_seed: Who is held out.
        reading: How the data are read; columns of labels and the task belong to the labelled sets.

    Raises:
        InputError: The labelled data have no classes or too few examples, or the new domain has too few, or is of
            another kind.
    """
    how = reading or Reading()
    parts = split_target(labelled, most=most, split_seed=split_seed, reading=how)
    train, kept = parts.train, parts.test
    if not task_of(train.task).single_class:
        raise InputError(f"adaptation needs classes, and the task of {train.name} is {train.task}.")
    if kept is None:
        raise InputError(f"{train.name} has too few examples to hold some out: every class needs at least two.")
    new, notes = _new_domain(unlabelled, train, how, most, split_seed)
    notes += _among(new, {*digests(parts.together), *digests(kept)})
    found: Target | None = None
    if test is not None:
        found, said = given_test(test, train, replace(how, white_level=train.white_level))
        notes += [*said, *_seen_without_labels(found, new)]
    whole = f"{parts.split}-{target_hash(found) if found is not None else ''}"
    return Opened(replace(parts, test=found, split=whole, unlabelled=new, notes=parts.notes), kept, tuple(notes))


def open_starts(
    labelled: object, sources: Sequence[object] | Mapping[str, object], unlabelled: object, **how: Any
) -> tuple[dict[str, Opened], list[Failure]]:
    """Each labelled domain with the new one, by name, and those of `sources` that do not fit the first.

    Args:
        labelled: The first labelled domain; see `open_domains` for it, for `unlabelled` and for `how`.
        sources: Further ones, by name if wanted.

    Raises:
        InputError: The first cannot be used.
    """
    first = open_domains(labelled, unlabelled, **how)
    found, failures = {first.parts.train.name: first}, list[Failure]()
    for place, spec in enumerate(sources.values() if isinstance(sources, Mapping) else sources):
        name = list(sources)[place] if isinstance(sources, Mapping) else None
        try:
            opened = open_domains(spec, unlabelled, **how)
        except HeadstartError as error:
            failures.append(Failure.of(name or str(spec), error))
            continue
        train = opened.parts.train
        name = name or (train.name if train.name not in found else f"{train.name} {place + 2}")
        if train.classes == first.parts.train.classes and train.kind == first.parts.train.kind:
            found[name] = opened
            continue
        said = f"has the classes {listing(train.classes)}, and {first.parts.train.name} has "
        failures.append(Failure(name, f"{said}{listing(first.parts.train.classes)}: all starts need the same."))
    return found, failures


def _new_domain(spec: object, train: Target, reading: Reading, most: int | None, seed: int) -> tuple[Target, list[str]]:
    """The new domain as a target whose labels are all 0, and what to say of it."""
    given = spec["features"] if isinstance(spec, Mapping) and train.kind == "arrays" and "features" in spec else spec
    how = replace(reading, label_column=None, task=None, white_level=train.white_level)
    found = open_unlabelled(given, train.kind, reading=how)
    name, labelled = _named(spec, how)
    if len(found.ids) < FEWEST:
        raise InputError(
            f"{name} holds {plural(len(found.ids), MEDIA[train.kind].plural.removesuffix('s'))}; "
            f"adaptation estimates how a domain is distributed and needs at least {FEWEST}. Add unlabelled examples."
        )
    if MEDIA[train.kind].computed:
        wide, expected = (len(np.asarray(one.load(0))) for one in (found.examples, train.examples))
        if wide != expected:
            raise InputError(
                f"{name} has {wide} features for each example, and {train.name} has {expected}; give both domains the "
                "features of one model."
            )
    notes = [*found.notes]
    notes += [f"The labels of {name} are ignored: only `test` data are read with labels."] if labelled else []
    notes += [f"{len(found.skipped)} unreadable examples of {name} were left out."] if found.skipped else []
    new = replace(
        train, name=name, examples=found.examples, labels=np.zeros(len(found.ids), dtype=np.int64), ids=found.ids
    )  # fmt: skip
    if most is not None:
        new = new.subset(np.sort(np.random.default_rng(seed).permutation(len(new))[:most]))
    return new.held(), notes


def _among(new: Target, labelled: set[bytes]) -> list[str]:
    """A sentence where examples of the new domain are labelled ones."""
    same = sum(digest in labelled for digest in digests(new))
    if not same:
        return []
    said = f"{same} of {len(new)} examples of {new.name} are among the labelled ones by their content"
    return [said + ("; there is nothing to adapt to." if same == len(new) else ".")]


def _named(spec: object, reading: Reading) -> tuple[str, bool]:
    """What the data are called, and whether they come with classes."""
    try:
        target = open_target(spec, reading=reading)
    except HeadstartError:  # as they should be: without labels
        return str(spec) if isinstance(spec, str) else "the new domain", False
    return target.name, bool(target.classes)


def _seen_without_labels(test: Target, new: Target) -> list[str]:
    known = set(digests(new))
    same = sum(digest in known for digest in digests(test))
    if not same:
        return []
    return [
        f"{same} of {len(test)} test examples are among the unlabelled ones: the methods saw them, without their "
        "labels. For examples that nobody saw, test on others."
    ]
