"""N-LEEP: LEEP with a Gaussian mixture on the features instead of the source's classifier."""

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import Labels, NotApplicableError
from headstart.scores._decomposition import principal_components
from headstart.scores._head_counts import count_head
from headstart.scores._inputs import Inputs
from headstart.scores._mixture import Mixture, fit_mixture
from headstart.scores._prob_rows import ProbRows
from headstart.scores._table import SCORES, Measured, Score
from headstart.scores._threads import one_matrix_thread
from headstart.scores.catalogue.leep import _deleted, _leep

FLOOR = 1e-6  # scikit-learn's, here as a share of the mean variance of the kept components


def nleep(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    energy: float = 0.8,
    components_per_class: int = 5,
    seed: int = 0,
) -> float:
    """N-LEEP: LEEP on the posteriors of a Gaussian mixture fitted to the principal components of the features.

    The source needs no classifier. The mixture never sees the labels; with C classes it has 5 C components. The start
    (k-means) is drawn from `seed` after the examples are put in an order of their own, so that shuffling them changes
    nothing.

    Args:
        energy: Share of the variance that the kept principal components must pass.
        components_per_class: Mixture components for each target class.
        seed: For the start of the mixture.

    Returns:
        The score in nats, from -H(Y) to 0.

    Example:
        Two far groups, each of one label, are described by components of their own:
        >>> features = np.repeat([[0.0], [1.0], [100.0], [101.0]], 5, axis=0)
        >>> nleep(features, np.repeat([0, 0, 1, 1], 5), components_per_class=2)
        0.0

    Reference: Li et al., CVPR 2021, section 3.4. https://arxiv.org/abs/2011.11200
    """
    inputs = Inputs(labels, features=features)
    checked = inputs.classes
    if not 0 < energy < 1:
        raise InputError(f"`energy` must lie between 0 and 1, a share of the variance; got {energy}.")
    if components_per_class < 1:
        raise InputError(f"`components_per_class` must be at least 1; got {components_per_class}.")
    points = principal_components(inputs.decomposition, energy)
    mixture = _fit(points, _check_count(len(checked.counts) * components_per_class, inputs.n), seed)
    return _leep(count_head(ProbRows(mixture.posterior), checked))


def _check_count(components: int, n: int) -> int:
    if components > n:
        raise NotApplicableError(
            f"N-LEEP fits {components} mixture components, more than the {n} examples; "
            "lower `components_per_class` or give more examples."
        )
    return components


def _fit(x: Float[np.ndarray, "n k"], components: int, seed: int) -> Mixture:
    x = x / np.sqrt((x**2).mean())
    order = np.lexsort(x[:, :2].T[::-1])  # an order of their own
    with one_matrix_thread():  # many small products; the responsibilities have threads of their own
        fitted = fit_mixture(np.ascontiguousarray(x[order]), components, seed=seed, floor=FLOOR)
    posterior = np.empty_like(fitted.posterior)
    posterior[order] = fitted.posterior
    return Mixture(posterior, fitted.log_likelihood, fitted.steps, fitted.settled)


def _measure(inputs: Inputs) -> Measured:
    checked: Labels = inputs.classes
    components = _check_count(5 * len(checked.counts), inputs.n)
    mixture = _fit(principal_components(inputs.decomposition, 0.8), components, inputs.seed)
    head = count_head(ProbRows(mixture.posterior), checked)
    notes = () if mixture.settled else (f"the mixture had not settled after {mixture.steps} EM steps",)
    if inputs.groups is None:
        return Measured(_leep(head), None, notes)
    held = "approximate interval: the mixture, which sees no labels, is held fixed while groups are left out"
    return Measured(_leep(head), _deleted(head, inputs.groups), (*notes, held))


SCORES.add(
    Score(
        title="N-LEEP",
        function=nleep,
        needs="features",
        high=0.0,
        cost="O(n d^2 + steps n k), k = 5 C components",
        meaning="LEEP for any features: how well clusters found without labels predict the target's classes.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure,
    )
)
