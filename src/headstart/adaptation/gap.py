"""How far apart two domains are in a source's features, before any adaptation."""

import numpy as np
from scipy.special import softmax
from scipy.stats import binom

from headstart.adaptation.kernels import SAMPLE, median_distance, mmd
from headstart.adaptation.method import Domains, effective_share
from headstart.adaptation.methods.importance import density_ratio
from headstart.adaptation.shift import frequencies, held_out_probs, interval
from headstart.records.adaptation import DomainGap, Frequencies
from headstart.train.head import fit_head

PERMUTATIONS = 199


def gap_of(source: str, domains: Domains) -> DomainGap:
    """Tests of whether the domains differ, the new class frequencies, and how many examples weights would leave."""
    accuracy, chance, p = two_sample(domains.features, domains.new, seed=domains.seed)
    rng = np.random.default_rng(domains.seed)
    old, new = (one[rng.permutation(len(one))[:SAMPLE]] for one in (domains.features, domains.new))
    distance, mmd_p = mmd(old, new, median_distance(old, new), permutations=PERMUTATIONS, seed=domains.seed)
    weights = density_ratio(domains.features, domains.new, domains.features, seed=domains.seed)
    labelled = np.bincount(domains.labels, minlength=domains.classes) / len(domains.labels)
    return DomainGap(
        source=source,
        accuracy=accuracy,
        chance=chance,
        p=p,
        mmd=distance,
        mmd_p=mmd_p,
        effective=effective_share(weights),
        labelled=tuple(labelled.tolist()),
        estimates=_estimates(domains),
    )


def _estimates(domains: Domains) -> dict[str, Frequencies]:
    probs = held_out_probs(domains.features, domains.labels, domains.classes, domains.seed)
    new = softmax(domains.head().outputs(domains.new), axis=1)
    found = {}
    for how in ("em", "confusion"):
        values = frequencies(how, probs, domains.labels, new)
        ends = interval(how, probs, domains.labels, new, seed=domains.seed)
        found[how] = Frequencies(*(tuple(row.tolist()) for row in (values, *ends)))
    return found


def two_sample(features: np.ndarray, new: np.ndarray, *, seed: int = 0) -> tuple[float, float, float]:
    """How well a classifier tells held-out examples of two domains apart.

    As many examples of each are drawn; one half fits a linear classifier and the other half tests it.

    Returns:
        The accuracy, the largest that chance alone reaches in 95 of 100 cases, and the p-value.

    Reference: Lopez-Paz and Oquab, ICLR 2017. https://arxiv.org/abs/1610.06545
    """
    rng = np.random.default_rng(seed)
    size = min(len(features), len(new), 2 * SAMPLE)
    drawn = np.concatenate([one[rng.permutation(len(one))[:size]] for one in (features, new)])
    scale = drawn.std(axis=0)
    drawn = (drawn - drawn.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    where, half = np.repeat([0, 1], size), np.tile(np.arange(size) < size // 2, 2)
    head = fit_head(drawn[half], where[half], classes=2, seed=seed)
    right = int((head.outputs(drawn[~half]).argmax(axis=1) == where[~half]).sum())
    tested = int((~half).sum())
    return right / tested, float(binom.ppf(0.95, tested, 0.5) / tested), float(binom.sf(right - 1, tested, 0.5))
