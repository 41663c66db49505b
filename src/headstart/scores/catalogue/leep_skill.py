"""Skill: how much better a source predicts the labels than their frequencies do, with a significance test."""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.errors import InputError
from headstart.scores._checks import Labels, check_groups
from headstart.scores._head_counts import PRIOR, likelihoods_without_own, prior_without, read_probs
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score
from headstart.scores.catalogue.leep_loo import check_prior, loo_deleted, mean_log
from headstart.stats import jackknife, jackknife_groups


@dataclass(frozen=True)
class SkillTest:
    """Skill in nats with its one-sided test against "no better than the label frequencies"."""

    skill: float
    standard_error: float
    p_value: float  # small: the source is informative for this target
    degrees_of_freedom: int


def leep_skill(probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"], *, prior: float = PRIOR) -> float:
    """Skill: leave-one-out LEEP minus the leave-one-out log-likelihood of the label frequencies (higher is better).

    At or below 0 the source is no better than guessing by the frequencies; plain LEEP, never below -H(Y), cannot
    show that.

    Returns:
        The score in nats.

    Example:
        >>> blind = np.tile([0.5, 0.5], (6, 1))
        >>> leep_skill(blind, np.array([0, 0, 0, 1, 1, 1])) < 0
        True

    Reference: headstart's own; LEEP itself from Nguyen et al., ICML 2020. https://arxiv.org/abs/2002.12462
    """
    check_prior(prior)
    head = read_probs(probs, labels)
    return mean_log(likelihoods_without_own(head, prior), head) - _guess(head.labels.counts)


def skill_test(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    prior: float = PRIOR,
    groups: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> SkillTest:
    """One-sided test that the skill is above 0, by leaving out groups of examples (a jackknife).

    Args:
        groups: Groups to leave out; by default 20 random ones of equal size.
        seed: Draws the default groups.

    Returns:
        Skill, standard error, p value and degrees of freedom.

    Example:
        >>> probs = np.repeat([[0.9, 0.1], [0.1, 0.9]], 20, axis=0)
        >>> skill_test(probs, np.repeat([0, 1], 20)).p_value < 0.01
        True
    """
    check_prior(prior)
    head = read_probs(probs, labels)
    codes = jackknife_groups(head.rows.n, seed=seed) if groups is None else check_groups(groups, head.rows.n)
    count = int(codes.max()) + 1
    if count < 3:
        raise InputError(f"the test needs at least three groups to tell chance from skill; got {count}.")
    skill = mean_log(likelihoods_without_own(head, prior), head) - _guess(head.labels.counts)
    deleted = loo_deleted(head, codes, prior) - _guesses_without(head.labels, codes)
    error = jackknife(skill, deleted).standard_error
    p_value = float(scipy.special.stdtr(count - 1, -skill / error)) if error > 0 else float(skill <= 0)
    return SkillTest(float(skill), error, p_value, count - 1)


def _guess(counts: Int[np.ndarray, " c"]) -> float:
    """Mean leave-one-out log-likelihood of the label frequencies."""
    terms = counts * np.log(np.where(counts > 0, prior_without(counts, 1), 1.0))
    return float(terms.sum() / counts.sum())


def _guesses_without(labels: Labels, groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " g"]:
    """The same over the examples outside each group."""
    return np.array([_guess(counts) for counts in labels.counts_without(groups)])


def _measure(inputs: Inputs) -> Measured:
    value = mean_log(inputs.likelihoods_without_own, inputs.head) - _guess(inputs.classes.counts)
    groups = inputs.groups
    if groups is None:
        return Measured(value)
    deleted = inputs.once("leep_loo deleted", lambda: loo_deleted(inputs.head, groups, PRIOR))
    return Measured(value, deleted - _guesses_without(inputs.classes, groups))


SCORES.add(
    Score(
        title="LEEP skill",
        function=leep_skill,
        needs="probs",
        cost="O(n z)",
        meaning="What the source knows beyond the label frequencies; at or below 0: no better than guessing.",
        invariances={"order", "names", "unused"},
        measure=_measure,
    )
)
