"""Transferability: what a source's head and features say of the labels by three measures, pooled in one number."""

import numpy as np
from jaxtyping import Float, Shaped

from headstart.scores._checks import check_labels, check_targets
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score, measured
from headstart.scores.catalogue.leep_gaussian import leep_gaussian
from headstart.scores.catalogue.leep_pooled import leep_pooled
from headstart.scores.catalogue.logme import logme, without_signal

# Learnt on the transfers of 18 sources to 12 targets that headstart ships: what makes the three vary alike between
# sources. `benchmarks/transferability.py` judges them on other targets and other sources.
WEIGHTS = {"leep_pooled": 1.0, "leep_gaussian": 1.0, "logme": 1.4}


def transferability(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    logits: Float[np.ndarray, "n z"] | None = None,
) -> float:
    """How much of the labels' uncertainty a source takes away, by three measures pooled (higher is better).

    The weighted mean of three gains over a guess: of `leep_pooled` and `leep_gaussian` (log-likelihoods of left-out
    labels), as shares of the labels' entropy, and of `logme` (log evidence of a linear model on the features), in nats.
    About 0 for a source that says nothing. It orders sources for fine-tuning better than any one of the three does.

    Args:
        logits: Of the source's head. None: `leep_pooled` on the features takes the place of `leep_gaussian`.

    Returns:
        The score; comparable between sources on one target only.

    Example:
        >>> labels = np.arange(60) % 3
        >>> noise = np.random.default_rng(0).standard_normal((60, 3))
        >>> clear, blind = np.eye(3)[labels] + 0.3 * noise, noise
        >>> transferability(clear, labels) > 0.5 > transferability(blind, labels)
        True

    Reference: headstart's own; weights from recorded transfers, benchmarks/RESULTS.md, "Transferability".
    """
    values = {"leep_pooled": leep_pooled(features, labels, logits=logits), "logme": logme(features, labels)}
    both = values["leep_pooled"]
    values["leep_gaussian"] = both if logits is None else leep_gaussian(logits, labels, logits=True)
    return _pooled(values, labels)


def _pooled(values: dict[str, float], labels: Shaped[np.ndarray, " n"]) -> float:
    guess, factors = _scale(labels)
    return float(sum(factors[name] * (value - guess[name]) for name, value in values.items()))


def _scale(labels: Shaped[np.ndarray, " n"]) -> tuple[dict[str, float], dict[str, float]]:
    """What each measure gives a source that says nothing, and the factor of its gain over that."""
    found, targets = check_labels(labels), check_targets(labels, "classification")
    shares = np.bincount(found.codes) / len(found.codes)
    entropy = float(-(shares * np.log(shares)).sum())
    blind = float(np.mean(without_signal(len(targets), (targets**2).sum(axis=0)))) / len(targets)
    unit = {"leep_pooled": max(entropy, 1e-12), "leep_gaussian": max(entropy, 1e-12), "logme": 1.0}
    guess = {"leep_pooled": -entropy, "leep_gaussian": -entropy, "logme": blind}
    return guess, {name: weight / unit[name] / sum(WEIGHTS.values()) for name, weight in WEIGHTS.items()}


def _measure(inputs: Inputs) -> Measured:
    headless = inputs.missing("probs") is not None
    names = {name: "leep_pooled" if headless and name == "leep_gaussian" else name for name in WEIGHTS}
    parts = {name: measured(SCORES[own], inputs) for name, own in names.items()}
    value, factors = _pooled({name: one.value for name, one in parts.items()}, inputs.labels), _scale(inputs.labels)[1]
    moved = [factors[name] * (one.deleted - one.value) for name, one in parts.items() if one.deleted is not None]
    deleted = value + np.sum(moved, axis=0) if len(moved) == len(parts) else None
    notes = dict.fromkeys(note for one in parts.values() for note in one.notes)
    return Measured(value, deleted, tuple(notes))


SCORES.add(
    Score(
        title="transferability",
        function=transferability,
        needs="features",
        cost="O(n d min(n, d) + n z C)",
        meaning="Head, features and a linear model of the labels pooled with weights learnt from recorded transfers; "
        "the order for fine-tuning.",
        invariances={"order", "names", "unused", "scale", "rotation"},
        measure=_measure,
    )
)
