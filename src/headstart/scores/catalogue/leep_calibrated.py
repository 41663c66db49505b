"""Calibrated LEEP: leave-one-out LEEP at the temperature that suits the source best."""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.scores._checks import Labels, check_groups, check_labels, check_logits, check_probs
from headstart.scores._head_counts import PRIOR, count_head, likelihoods_without_group, likelihoods_without_own
from headstart.scores._inputs import Inputs
from headstart.scores._prob_rows import ProbRows
from headstart.scores._table import SCORES, Measured, Score
from headstart.scores.catalogue.leep_loo import ALONE, check_prior, loo_deleted, mean_log

GRID = np.log(4.0) * np.arange(-3, 5)  # log temperatures from 1/64 to 256, tried first
PRECISION = 0.01  # of the log temperature; the value is flat at its maximum, so its error is of second order


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
) -> float:
    """Calibrated LEEP: leave-one-out LEEP after dividing the logits by the best temperature (higher is better).

    Source heads differ in sharpness, and LEEP penalises a flat one. Leave-one-out removes the optimism from small
    samples; the temperature removes the penalty on flat heads. It is chosen on the same data, by the leave-one-out
    value: plain LEEP, which is scored on its own counts, would always prefer a sharper head.

    Args:
        probs: Source-class probabilities, each row summing to 1; taken as logits log p.
        logits: `probs` holds logits instead. They keep small probabilities that rounding would lose.
        groups: Leave out the example's whole group instead of the example.
    Returns:
        The score in nats, at most 0.

    Example:
        >>> flat = np.array([[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.4, 0.6]])
        >>> labels = np.array([0, 0, 1, 1])
        >>> from headstart.scores import leep_loo
        >>> bool(leep_calibrated(flat, labels) > leep_loo(flat, labels))
        True

    Reference: headstart's own; LEEP itself from Nguyen et al., ICML 2020. https://arxiv.org/abs/2002.12462
    """
    return fit_temperature(probs, labels, logits=logits, prior=prior, groups=groups).value


def fit_temperature(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    logits: bool = False,
    prior: float = PRIOR,
    groups: Shaped[np.ndarray, " n"] | None = None,
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
    return _search(rows, checked, prior, None if groups is None else check_groups(groups, n))


def _search(rows: ProbRows, labels: Labels, prior: float, groups: Int[np.ndarray, " n"] | None) -> Calibration:
    """Try the grid, then run Brent's method around its best point."""

    def loss(log_temperature: float) -> float:
        head = count_head(rows.at(float(np.exp(log_temperature))), labels)
        if groups is None:
            return -mean_log(likelihoods_without_own(head, prior), head)
        return -mean_log(likelihoods_without_group(head, groups, prior), head)

    losses = [loss(point) for point in GRID]
    at = int(np.argmin(losses))
    bounds = (GRID[max(0, at - 1)], GRID[min(len(GRID) - 1, at + 1)])
    found = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": PRECISION})
    if found.fun <= losses[at]:
        return Calibration(-float(found.fun), float(np.exp(found.x)))
    return Calibration(-losses[at], float(np.exp(GRID[at])))


def _measure(inputs: Inputs) -> Measured:
    """The temperature is held while groups are left out: the value is at its maximum there, so it hardly matters."""
    best = _search(inputs.logits_rows, inputs.classes, PRIOR, None)
    notes = [f"temperature {best.temperature:.3g}"]
    if not GRID[0] + 0.1 <= np.log(best.temperature) <= GRID[-1] - 0.1:
        notes.append("no best temperature inside the range: the source may be blind to this target")
    if inputs.groups is None:
        return Measured(best.value, None, tuple(notes))
    if inputs.classes.counts.max() == 1:
        return Measured(best.value, None, (*notes, ALONE))
    head = count_head(inputs.logits_rows.at(best.temperature), inputs.classes)
    return Measured(best.value, np.minimum(loo_deleted(head, inputs.groups, PRIOR), 0.0), tuple(notes))


SCORES.add(
    Score(
        title="calibrated LEEP",
        function=leep_calibrated,
        needs="probs",
        high=0.0,
        cost="O(20 n z)",
        meaning="Leave-one-out LEEP that does not penalise a source for being over- or underconfident.",
        invariances={"order", "names", "unused"},
        default=3,
        measure=_measure,
    )
)
