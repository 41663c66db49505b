"""PACTran with a Gaussian prior: a penalised linear classifier's loss plus the price of its sharpness."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import NotApplicableError, block_rows, check_labels
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score, without_each_group
from headstart.scores._threads import one_matrix_thread, over_shares, thread_count

TOLERANCE = 1e-6  # relative gain of a step below which the search stops, as published
HELD = "approximate interval: the search for the weights starts from those of all examples"
_STEPS = 500
WARM = 4  # steps without a group, from the weights of all examples
FINER = 20  # steps that go on from the end of the search, to see how far it is from the least
_BLOCK = 1024  # examples whose logits stay near the processor


def pactran_gaussian(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    penalty: float = 1.0,
    prior_spread: float = 10.0,
) -> float:
    """PACTran-Gaussian: minus the bound that a linear softmax head with a Gaussian prior attains on the labels.

    The bound is L + C s / (2 l n) log(t l n / (d C)): L the mean cross-entropy plus |W|^2 / (2 l n) at its minimum over
    weights W and offsets, t the trace of the diagonal curvature there, l the `penalty` and s the `prior_spread`.
    L-BFGS stops when a step gains less than a millionth, as published (from zero here, from random weights there).

    Args:
        features: One row per example; they are centred.
        penalty: l: variance of the prior on the weights in units of 1 / n of the loss (0.1, 1 or 10 in the paper).
        prior_spread: s: d times the variance that the trace term is weighed by (0.1, 1 or 10 in the authors' code).

    Returns:
        The score in nats per example, at most 0.

    Example:
        Features that are all one say nothing: the loss is the entropy of the labels, and no curvature adds to it.
        >>> round(pactran_gaussian(np.ones((4, 1)), np.array([0, 0, 1, 1]), prior_spread=1e-9), 6)
        -0.693147

    Reference: Ding et al., ECCV 2022, section 3.4. https://arxiv.org/abs/2203.05126
    """
    inputs = Inputs(labels, features=features)
    checked, features = inputs.classes, inputs.features
    for name, value in (("penalty", penalty), ("prior_spread", prior_spread)):
        if not (0 < value < np.inf):
            raise InputError(f"`{name}` must be a positive number; got {value}.")
    return _pactran_gaussian(features, checked.codes, checked.counts, penalty, prior_spread)


def _pactran_gaussian(
    features: np.ndarray, codes: np.ndarray, counts: np.ndarray, penalty: float = 1.0, prior_spread: float = 10.0
) -> float:
    x, spread = _scaled(features)
    return _bound(x, spread, codes, counts, penalty, prior_spread)[0]


def _scaled(features: np.ndarray) -> tuple[Float[np.ndarray, "n d"], float]:
    """The centred features over their spread, and the spread: the weights take the unit of the features."""
    precision = np.float32 if features.dtype.itemsize <= 4 else np.float64
    mean = features.mean(axis=0, dtype=np.float64)
    x: np.ndarray = np.empty(features.shape, precision)
    total, step = 0.0, block_rows(features)
    for start in range(0, len(x), step):
        centred = features[start : start + step] - mean
        total += float(np.vdot(centred, centred))
        x[start : start + step] = centred
    spread = float(np.sqrt(total / x.size)) or 1.0
    x /= precision(spread)
    return x, spread


def _bound(
    x: Float[np.ndarray, "n d"],
    spread: float,
    codes: np.ndarray,
    counts: np.ndarray,
    penalty: float = 1.0,
    prior_spread: float = 10.0,
    start: Float[np.ndarray, "k c"] | None = None,
    steps: int = WARM,
) -> tuple[float, Float[np.ndarray, "k c"]]:
    """The score, and the weights and offsets, which are looked for in that many steps from `start` if it is given."""
    (n, d), classes = x.shape, len(counts)
    strength = penalty * n
    loss, probs, weights = fit_softmax(x, codes, counts, 1 / (strength * spread**2), start, steps)
    curvature = (probs * (1 - probs)).sum(axis=1, dtype=np.float64)
    lengths = np.einsum("ij,ij->i", x, x, dtype=np.float64) * spread**2
    trace = float(lengths @ curvature) + d * classes / strength + float(curvature.sum())
    price = 0.5 * classes * prior_spread / strength * np.log(trace * strength / (d * classes))
    return -float(loss + price), weights


def _measure(inputs: Inputs) -> Measured:
    (x, spread), labels = _scaled(inputs.features), inputs.classes
    value, weights = _bound(x, spread, labels.codes, labels.counts)
    if inputs.groups is None:
        return Measured(value)
    finer, weights = _bound(x, spread, labels.codes, labels.counts, start=weights, steps=FINER)

    def again(group: int) -> float:
        kept = inputs.kept(group)
        left = check_labels(labels.codes[kept])
        own, start = x[kept], weights[:, left.classes]
        mean = own.mean(axis=0)
        start[-1] += mean @ start[:-1]
        return _bound(own - mean, spread, left.codes, left.counts, start=start)[0]

    found = without_each_group(inputs, value, again, (HELD,))
    return found if found.deleted is None else replace(found, deleted=_widened(found.deleted, value - finer))


def _widened(deleted: Float[np.ndarray, " g"], missed: float) -> Float[np.ndarray, " g"]:
    """Left-out values whose jackknife variance is larger by the square of what the search missed.

    Where classes lie far apart, the published tolerance ends the search early, at a place that varies by chance.
    """
    apart = deleted - deleted.mean()
    variance = (len(deleted) - 1) / len(deleted) * float(apart @ apart)
    return np.asarray(deleted + apart * (np.sqrt(1 + missed**2 / variance) - 1) if variance > 0 else deleted)


def fit_softmax(
    x: Float[np.ndarray, "n d"],
    codes: np.ndarray,
    counts: np.ndarray,
    ridge: float,
    start: Float[np.ndarray, "k c"] | None = None,
    most: int = WARM,
) -> tuple[float, Float[np.ndarray, "n c"], Float[np.ndarray, "k c"]]:
    """The least mean cross-entropy + ridge |W|^2 / 2 of a linear softmax; the probabilities and weights there.

    From `start`, in at most `most` steps, the search goes on to a hundredth of the tolerance.

    Loss and gradient come from one pass over the examples, block by block, the blocks shared between threads. Products
    run in the precision of x, sums in float64.
    """
    n, classes = len(codes), len(counts)
    blocks = [slice(at, min(at + _BLOCK, n)) for at in range(0, n, _BLOCK)]

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights = theta.reshape(-1, classes)
        narrow = weights.astype(x.dtype)

        def part(share: Sequence[slice]) -> tuple[float, np.ndarray]:
            loss, slope = 0.0, np.zeros(weights.shape)
            for block in share:
                own, error = _softmax_loss(x[block], codes[block], narrow)
                loss += own
                error[np.arange(len(error)), codes[block]] -= 1
                slope[:-1] += x[block].T @ error
                slope[-1] += error.sum(axis=0, dtype=np.float64)
            return loss, slope

        losses, slopes = zip(*over_shares(part, blocks, thread_count()), strict=True)
        slope = np.sum(slopes, axis=0) / n
        slope[:-1] += ridge * weights[:-1]
        return sum(losses) / n + 0.5 * ridge * float((weights[:-1] ** 2).sum()), slope.ravel()

    steps, tolerance = (_STEPS, TOLERANCE) if start is None else (most, TOLERANCE / 100)
    if start is None:
        start = np.concatenate([np.zeros((x.shape[1], classes)), np.log(counts / n)[None, :]])
    options = {"maxiter": steps, "maxfun": 2 * steps, "ftol": tolerance, "gtol": 1e-9}
    with one_matrix_thread():  # the blocks have threads of their own
        found = scipy.optimize.minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    if found.nit >= _STEPS:
        raise NotApplicableError(
            f"the linear classifier did not settle in {_STEPS} steps; the classes are separated by a wide margin. "
            "Divide `features` by their spread, or lower `penalty`."
        )
    weights = found.x.reshape(-1, classes)
    loss, probs = _softmax_loss(x, codes, weights.astype(x.dtype))
    return loss / n + 0.5 * ridge * float((weights[:-1] ** 2).sum()), probs, weights


def _softmax_loss(
    x: Float[np.ndarray, "b d"], codes: np.ndarray, weights: Float[np.ndarray, "k c"]
) -> tuple[float, Float[np.ndarray, "b c"]]:
    """Summed cross-entropy of a linear softmax whose last row of weights are the offsets, and its probabilities."""
    logits = x @ weights[:-1]
    logits += weights[-1]
    logits -= logits.max(axis=1, keepdims=True)
    true = logits[np.arange(len(x)), codes].astype(np.float64)
    np.exp(logits, out=logits)
    sums = logits.sum(axis=1)
    logits /= sums[:, None]
    return float((np.log(sums.astype(np.float64)) - true).sum()), logits


SCORES.add(
    Score(
        title="PACTran, Gaussian",
        function=pactran_gaussian,
        needs="features",
        high=0.0,
        cost="O(n d^2 + steps n d C)",
        meaning="How well a penalised linear classifier on the features predicts the labels, less a price for how "
        "finely its weights must be set.",
        invariances={"order", "names", "shift", "rotation"},
        measure=_measure,
    )
)
