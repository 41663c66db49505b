"""How well an image source and a text source together recognise classes of which no example was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.data import Target
from headstart.errors import InputError, ModelError, did_you_mean
from headstart.records import Prose, View
from headstart.records.files import JsonRecord
from headstart.records.shown import Shown
from headstart.records.zero_shot import Share
from headstart.sources.names import TEXT
from headstart.wording import plural
from headstart.zeroshot.descriptions import harmonic, learn_descriptions, signatures_of
from headstart.zeroshot.entry import share
from headstart.zeroshot.prompts import readable, renamed, together

TESTED = 0.25  # of the seen classes' examples
PLAYED = 5  # draws of seen classes that play the unseen ones
MOST = 6.0  # standard deviations of the compatibilities that may be subtracted from seen classes


@dataclass(frozen=True, repr=False)
class Unseen(JsonRecord, Shown):
    """Accuracies of generalized zero-shot classification."""

    model: str
    text: str
    classes: int
    unseen: tuple[str, ...]
    among_unseen: Share  # of unseen classes' examples, when only unseen classes are possible
    seen: Share  # of fresh examples of seen classes, when every class is possible
    unseen_of_all: Share  # of unseen classes' examples, when every class is possible
    chance: float  # among the unseen classes
    notes: tuple[str, ...] = ()

    @property
    def harmonic(self) -> float:
        """The harmonic mean of both accuracies among all classes."""
        return harmonic(self.seen.value, self.unseen_of_all.value)

    def view(self) -> View:
        """The accuracies as sentences."""
        said = (
            f"Among the {plural(len(self.unseen), 'unseen class', 'unseen classes')} alone: {self.among_unseen} "
            f"(chance {self.chance:.3f}).",
            f"Among all {self.classes} classes: seen {self.seen}, unseen {self.unseen_of_all}, harmonic mean "
            f"{self.harmonic:.3f}.",
            *self.notes,
        )
        return [Prose(said, title=f"{self.model} with descriptions by {self.text}")]


def predict_unseen(
    target: Target,
    model: str,
    unseen: Sequence[str],
    *,
    text: str = TEXT,
    class_names: object = None,
    templates: str | Sequence[str] = "names",
    bias: float | None = None,
    seed: int = 0,
    **running: Any,
) -> Unseen:
    """Learn seen classes from a source's features and class names, and judge it on classes that it never saw.

    Args:
        target: A labelled data set, from `hs.open_target`.
        model: Any image source, such as `zoo/efficientnet_lite0`.
        unseen: Classes of the target whose examples serve for judging only.
        text: Any text source, which turns names or descriptions into numbers.
        class_names: Names or descriptions of the classes, as for `zero_shot`.
        templates: Sets of prompts to put them into, as for `zero_shot`; a class is the mean over all of them.
        bias: Subtracted from the seen classes' compatibility where all classes are possible, in standard deviations
            of it; by default chosen by playing some SEEN classes as unseen (calibrated stacking, Chao et al., ECCV
            2016).
        seed: Decides which examples of the seen classes are kept for judging.
        running: `cache`, a folder, `device`, `batch_size`, `max_bad`, `trust_pickle` and `progress` of forward passes.

    Raises:
        InputError: An unseen class does not exist, or fewer than two classes are on either side.
    """
    from headstart.extract.several import extract_each
    from headstart.sources import candidates

    missing = [name for name in unseen if name not in target.classes]
    if missing:
        raise InputError(f"`unseen` names {missing[0]!r}, which is no class.{did_you_mean(missing[0], target.classes)}")
    inside = np.isin(np.arange(len(target.classes)), [target.classes.index(name) for name in unseen])
    if not 2 <= inside.sum() <= len(inside) - 2:
        raise InputError(f"`unseen` must leave two classes on either side; it names {inside.sum()} of {len(inside)}.")
    names, lines = readable(target.classes, class_names), together(templates)
    found, failures = extract_each(target.held(), candidates(model, kind=target.kind), **running)
    if failures:
        raise ModelError(f"{failures[0].source}: {failures[0].reason}")
    assert found[0].features is not None
    x, labels = np.asarray(found[0].features, dtype=np.float64), np.asarray(found[0].labels)
    if not inside[labels].any() or len(np.unique(labels[~inside[labels]])) < 2:
        raise InputError("`unseen` needs examples of an unseen class and of two others. Use a larger `limit`.")
    if (x == x[0]).all():
        raise ModelError(f"{model}: all {len(x)} examples have the same features, so there is nothing to tell apart.")
    signatures = signatures_of(names, lines, text)
    rng = np.random.default_rng(seed)
    fresh = _apart(~inside[labels], rng)
    learn = ~inside[labels] & ~fresh
    seen = np.flatnonzero(~inside)
    learnt = learn_descriptions(x[learn], np.searchsorted(seen, labels[learn]), signatures[seen], seed=seed)
    if bias is None:
        bias = _bias(
            x[learn], labels[learn], signatures, seen, (learnt.feature_penalty, learnt.description_penalty), seed
        )
    new = inside[labels]
    alone = np.flatnonzero(inside)[learnt.predict(x[new], signatures[inside])]
    fits = learnt.compatibility(x, signatures)
    fits -= bias * fits.std() * ~inside
    answers = fits.argmax(axis=1)
    return Unseen(
        model=model,
        text=text,
        classes=len(target.classes),
        unseen=tuple(unseen),
        among_unseen=share(alone == labels[new]),
        seen=share(answers[fresh] == labels[fresh]),
        unseen_of_all=share(answers[new] == labels[new]),
        chance=1 / int(inside.sum()),
        notes=renamed(target.classes, class_names),
    )


def _apart(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the rows that are set, at random; at least one."""
    chosen = rows & (rng.random(len(rows)) < TESTED)
    if not chosen.any():
        chosen[rng.choice(np.flatnonzero(rows))] = True
    return np.asarray(chosen)


def _bias(
    x: np.ndarray,
    labels: np.ndarray,
    signatures: np.ndarray,
    seen: np.ndarray,
    penalties: tuple[float, float],
    seed: int,
) -> float:
    """What to subtract from seen classes, found by playing a fifth of them as unseen, a few times; 0 for too few."""
    seen = np.intersect1d(seen, labels)
    if len(seen) < 4:  # two must be left to learn from
        return 0.0
    rng = np.random.default_rng(seed)
    biases = np.linspace(0.0, MOST, 61)
    reached = np.zeros(len(biases))
    for _ in range(PLAYED):
        new = np.isin(labels, rng.permutation(seen)[: max(2, len(seen) // 5)])
        kept = np.unique(labels[~new])
        fresh = _apart(~new, rng)
        learn = ~new & ~fresh
        learnt = learn_descriptions(
            x[learn], np.searchsorted(kept, labels[learn]), signatures[kept], penalties=penalties
        )
        fits = learnt.compatibility(x, signatures[seen])
        known = np.isin(seen, kept) * fits.std()
        for place, bias in enumerate(biases):
            hits = seen[(fits - bias * known).argmax(axis=1)] == labels
            reached[place] += harmonic(float(hits[fresh].mean()), float(hits[new].mean()))
    return float(biases[reached.argmax()])
