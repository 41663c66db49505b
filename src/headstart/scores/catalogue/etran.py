"""ETran: is the target familiar to the source (energy), and do its features tell the classes apart (discriminant)?"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import NotApplicableError, block_rows, check_features, check_labels, check_logits
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out, without_each_group
from headstart.scores.catalogue.leep_gaussian import of_own_class
from headstart.scores.catalogue.sfda import Without, centred, coordinates, shared_first, true_probabilities

NO_LEVEL = 0.01  # log-sum-exp of the logarithms of probabilities whose rows sum to one as nearly as any that are taken


def etran_energy(
    logits: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"] | None = None, *, lowest: float = 1.0
) -> float:
    """ETran's energy term: mean log-sum-exp of the source's logits on the target (higher is more familiar).

    Args:
        logits: The source's logits. Logarithms of probabilities are refused: their log-sum-exp is 0, the level is lost.
        lowest: Share of the examples that count, those of lowest log-sum-exp; the authors' code takes 0.005. At least
            one example counts.

    Returns:
        The score in nats, unbounded. It depends on the level of the logits, so it compares sources whose heads were
        trained alike.

    Example:
        >>> etran_energy(np.array([[0.0, 0.0], [0.0, 0.0]]))  # log 2
        0.6931471805599453

    Reference: Gholami et al., ICCV 2023, eq. 4 and 5. https://arxiv.org/abs/2308.02027
    """
    logits = check_logits(logits, None if labels is None else len(np.asarray(labels)))
    if not 0 < lowest <= 1:
        raise InputError(f"`lowest` must be a share in (0, 1]; got {lowest}.")
    levels = _known_levels(logits)
    if lowest == 1.0:
        return float(levels.mean())
    count = max(1, int(np.ceil(lowest * len(levels))))
    return float(np.partition(levels, count - 1)[:count].mean())


def _known_levels(logits: np.ndarray) -> Float[np.ndarray, " n"]:
    levels = _levels(logits)
    if (np.abs(levels) <= NO_LEVEL).all():
        raise NotApplicableError(
            "`logits` are logarithms of probabilities: their log-sum-exp is 0 for every example, and the level that "
            "this score measures is lost. Give the outputs of the source's head before the softmax."
        )
    return levels


def _levels(logits: np.ndarray) -> Float[np.ndarray, " n"]:
    """Log-sum-exp of each row, in blocks that fit the cache."""
    precision = np.float32 if logits.dtype.itemsize <= 4 else np.float64
    step = block_rows(logits)
    levels = np.empty(len(logits))
    for at in range(0, len(logits), step):
        block = logits[at : at + step].astype(precision)
        peak = block.max(axis=1, keepdims=True)
        raised = np.exp(block - peak)
        levels[at : at + step] = peak[:, 0] + np.log(raised.sum(axis=1, dtype=np.float64))
    return levels


def etran_discriminant(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """ETran's classification term: mean probability of the true class under a regularised linear discriminant.

    p(c given x) is proportional to n_c exp(m_c' S^-1 x - m_c' S^-1 m_c / 2), with the class means m_c of centred
    features and S the covariance within classes, drawn towards the identity by exp(-5 largest eigenvalue): the first
    step of `sfda`. It flatters small samples: the discriminant is fitted to the examples that it is judged on.

    This is the discriminant of the paper's equations. (The released code multiplies by eigenvectors that it takes for
    those of a symmetric matrix; their product is the identity, and the nearest class mean is what it scores.)

    Returns:
        A mean probability in [0, 1].

    Example:
        >>> etran_discriminant(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([0, 0, 1, 1])) > 0.99
        True

    Reference: Gholami et al., ICCV 2023, eq. 6 to 9. https://arxiv.org/abs/2308.02027
    """
    checked = check_labels(labels)
    features = check_features(features, len(checked.codes))
    return float(true_probabilities(centred(features), checked, challenge=False).mean())


def etran_among(*terms: Sequence[float]) -> Float[np.ndarray, " m"]:
    """ETran of a set of sources: each term scaled to [0, 1] over the set, then summed.

    The sum depends on which sources are in the set: adding one can reorder the others.

    Args:
        terms: One sequence for each term (energy, discriminant, for regression `linear_mse`), one value per source.

    Returns:
        One score per source, in [0, number of terms]. A term that is the same for all sources adds 0.

    Raises:
        InputError: No terms, lengths that differ, or a value that is not finite.

    Example:
        >>> etran_among([1.0, 3.0, 2.0], [0.9, 0.5, 0.5])
        array([1. , 1. , 0.5])

    Reference: Gholami et al., ICCV 2023, eq. 12. https://arxiv.org/abs/2308.02027
    """
    return sum_of_scaled(terms)


def sum_of_scaled(terms: Sequence[Sequence[float]]) -> Float[np.ndarray, " m"]:
    """Each term brought to [0, 1] by its least and largest value over the sources, then summed."""
    if len({len(term) for term in terms}) != 1 or len(terms[0]) == 0:
        raise InputError(f"each term needs one value per source; got terms of lengths {[len(term) for term in terms]}.")
    values = np.array(terms, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("every term of every source must be finite; leave out sources that could not be scored.")
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    return np.asarray(((values - low) / np.where(high > low, high - low, 1.0)).sum(axis=0))


def _measure_discriminant(inputs: Inputs) -> Measured:
    _, (posterior, _, _) = shared_first(inputs)
    value = float(of_own_class(posterior, inputs.classes.codes).mean())
    if inputs.groups is None:
        return Measured(value)
    return without_each_group(inputs, value, Without(inputs, coordinates(inputs)))


def _measure_energy(inputs: Inputs) -> Measured:
    levels = _known_levels(check_logits(inputs.logits, inputs.n))
    return leave_groups_out(inputs, float(levels.mean()), lambda kept: float(levels[kept].mean()))


SCORES.add(
    Score(
        title="ETran, energy",
        function=etran_energy,
        needs="logits",
        cost="O(n z)",
        meaning="How familiar the target's examples look to the source; it never sees the labels.",
        invariances={"order", "names", "unused"},
        measure=_measure_energy,
    )
)
SCORES.add(
    Score(
        title="ETran, discriminant",
        function=etran_discriminant,
        needs="features",
        low=0.0,
        high=1.0,
        cost="O(n d^2 + d^3)",
        meaning="Mean probability that a linear discriminant gives the true class.",
        invariances={"order", "names", "unused", "shift", "rotation"},
        measure=_measure_discriminant,
    )
)
