"""Calibrated LEEP: leave-one-out LEEP at the temperature that serves the source best."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.scores._centred_rows import centred_rows, mean_weights
from headstart.scores._checks import check_groups, check_labels, check_logits, check_probs
from headstart.scores._head_counts import (
    PRIOR,
    HeadCounts,
    Prior,
    count_head,
    likelihoods_without_group,
    likelihoods_without_own,
)
from headstart.scores._inputs import Inputs
from headstart.scores._prob_rows import ProbRows
from headstart.scores._table import SCORES, Measured, Score
from headstart.scores.catalogue.leep_loo import ALONE, check_prior, loo_deleted, mean_log

GRID = np.log(4.0) * np.arange(-3, 5)  # log temperatures from 1/64 to 256: the whole range is looked at first
PRECISION = 0.01  # of the log temperature; the value is flat at its maximum and off by the square of this
STEP = 0.1  # in log temperature, for the parabola that lets each left-out group move the temperature


@dataclass(frozen=True)
class Calibration:
    """The temperature at which leave-one-out LEEP is largest, and its value there."""

    value: float
    temperature: float


def leep_calibrated(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    logits: bool = False,
    prior: float = PRIOR,
    groups: Shaped[np.ndarray, " n"] | None = None,
    centred: bool = False,
) -> float:
    """Calibrated LEEP: leave-one-out LEEP after dividing the logits by the best temperature (higher is better).

    Source heads differ in sharpness, and LEEP punishes a flat one for it. The temperature is chosen on the same data by
    the leave-one-out value: plain LEEP, scored on its own counts, would always ask for a sharper head.

    Args:
        probs: Source-class probabilities, each row summing to 1; taken as logits log p.
        labels: Target classes; any integers or strings, gaps allowed.
        logits: `probs` holds logits instead, which keep what rounding takes from small probabilities.
        prior: Prior count behind each source class.
        groups: Leave out the example's whole group instead of the example.
        centred: Take each source class's mean logit over the examples out first, so that what a class says of all of
            them counts for nothing, and measure `prior` in examples of the class's mean weight, which keeps it small
            beside the counts of a flat or large head. Neither looks at the labels.

    Returns:
        The score in nats, at most 0.

    Raises:
        InputError: Shapes disagree, a row of `probs` is not a distribution, or fewer than two classes.

    Example:
        >>> flat = np.array([[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.4, 0.6]])
        >>> labels = np.array([0, 0, 1, 1])
        >>> from headstart.scores import leep_loo
        >>> bool(leep_calibrated(flat, labels) > leep_loo(flat, labels))
        True

    Reference: headstart's own; LEEP itself from Nguyen et al., ICML 2020. https://arxiv.org/abs/2002.12462
    """
    return fit_temperature(probs, labels, logits=logits, prior=prior, groups=groups, centred=centred).value


def fit_temperature(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    logits: bool = False,
    prior: float = PRIOR,
    groups: Shaped[np.ndarray, " n"] | None = None,
    centred: bool = False,
) -> Calibration:
    """The temperature behind `leep_calibrated`, with the value; arguments and errors are the same.

    Example:
        >>> flat = np.array([[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.4, 0.6]])
        >>> fit_temperature(flat, np.array([0, 0, 1, 1])).temperature < 1  # sharper is better here
        True
    """
    check_prior(prior)
    checked = check_labels(labels)
    n = len(checked.codes)
    rows = ProbRows(check_logits(probs, n), True) if logits else ProbRows(check_probs(probs, n))
    codes = None if groups is None else check_groups(groups, n)

    if centred:
        rows = centred_rows(rows)

    def head_at(log_temperature: float) -> HeadCounts:
        return count_head(rows.at(float(np.exp(log_temperature))), checked)

    def prior_of(head: HeadCounts) -> Prior:
        return prior * mean_weights(head) if centred else prior

    best, value = _search(head_at, prior_of, codes)
    return Calibration(value, float(np.exp(best)))


def _search(
    head_at: Callable[[float], HeadCounts],
    prior_of: Callable[[HeadCounts], Prior],
    groups: Int[np.ndarray, " n"] | None,
) -> tuple[float, float]:
    """Log temperature and value of the maximum: a coarse look at the range, then Brent's method around the best."""

    def loss(log_temperature: float) -> float:
        head = head_at(log_temperature)
        prior = prior_of(head)
        if groups is None:
            return -mean_log(likelihoods_without_own(head, prior), head)
        return -mean_log(likelihoods_without_group(head, groups, prior), head)

    losses = [loss(point) for point in GRID]
    at = int(np.argmin(losses))
    bounds = (GRID[max(0, at - 1)], GRID[min(len(GRID) - 1, at + 1)])
    found = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": PRECISION})
    if found.fun <= losses[at]:
        return float(found.x), -float(found.fun)
    return float(GRID[at]), -losses[at]


def _deleted(
    head: HeadCounts, around: tuple[HeadCounts, ...], groups: Int[np.ndarray, " n"], prior: float
) -> Float[np.ndarray, " g"]:
    """The score without each group, its temperature chosen again without it; `around`: heads a step below and above.

    Leaving out one group moves the temperature little, so three temperatures around the best and the parabola through
    them stand for the search. At the edge of the range the temperature cannot move and one is enough.
    """
    centre = loo_deleted(head, groups, prior)
    if not around:
        return centre
    below, above = (loo_deleted(one, groups, prior) for one in around)
    slope, curvature = (above - below) / 2, below - 2 * centre + above
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.where(curvature < 0, np.clip(-slope / curvature, -2.0, 2.0), 0.0)
    return np.asarray(np.maximum(centre, centre + slope * move + curvature * move**2 / 2))


def _measure(inputs: Inputs) -> Measured:
    def head_at(log_temperature: float) -> HeadCounts:
        return count_head(inputs.logits_rows.at(float(np.exp(log_temperature))), inputs.classes)

    best, value = _search(head_at, lambda head: PRIOR, None)
    inside = GRID[0] + STEP <= best <= GRID[-1] - STEP
    notes = [f"temperature {np.exp(best):.3g}"]
    if not inside:
        notes.append("no best temperature inside the range: the source may be blind to this target")
    if inputs.groups is None:
        return Measured(value, None, tuple(notes))
    if inputs.classes.counts.max() == 1:
        return Measured(value, None, (*notes, ALONE))
    head, around = head_at(best), tuple(head_at(best + step) for step in (-STEP, STEP) if inside)
    deleted = np.minimum(_deleted(head, around, inputs.groups, PRIOR), 0.0)
    return Measured(value, deleted, tuple(notes))


SCORES.add(
    Score(
        title="calibrated LEEP",
        function=leep_calibrated,
        needs="probs",
        high=0.0,
        cost="O(20 n z)",
        citation="headstart; LEEP: Nguyen et al., ICML 2020, https://arxiv.org/abs/2002.12462",
        meaning="Leave-one-out LEEP that does not punish a source for being too sure or too unsure of itself.",
        invariances={"order", "names", "unused"},
        default=1,
        measure=_measure,
    )
)
