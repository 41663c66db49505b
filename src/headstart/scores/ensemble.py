"""MS-LEEP and E-LEEP: LEEP for a set of sources used together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._head_counts import conditional, likelihoods, read_probs


def ms_leep(all_probs: Sequence[Float[np.ndarray, "n _"]], labels: Shaped[np.ndarray, " n"]) -> float:
    """MS-LEEP: mean of the members' LEEPs (higher is better).

    Args:
        all_probs: One (n, z_k) array of source-class probabilities for each member; z_k may differ.

    Returns:
        The score in nats, from -H(Y) to 0. (Summed over the members instead, it ranks ensembles of one size alike.)

    Example:
        >>> sure, blind = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0], [1.0]])
        >>> ms_leep([sure, blind], np.array([0, 1]))  # (0 - log 2) / 2
        -0.34657359027997264

    Reference: Agostinelli et al., CVPR 2022, eq. 4. https://arxiv.org/abs/2111.13011
    """
    return min(0.0, float(np.log(_predictions(all_probs, labels)).mean()))


def e_leep(all_probs: Sequence[Float[np.ndarray, "n _"]], labels: Shaped[np.ndarray, " n"]) -> float:
    """E-LEEP: log-likelihood of the labels under the members' averaged predictions (higher is better).

    Never below MS-LEEP: the logarithm of a mean is at least the mean of logarithms.

    Args:
        all_probs: One (n, z_k) array of source-class probabilities for each member; z_k may differ.

    Returns:
        The score in nats, from -H(Y) to 0.

    Example:
        >>> sure, blind = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0], [1.0]])
        >>> e_leep([sure, blind], np.array([0, 1]))  # log of (1 + 1/2) / 2
        -0.2876820724517809

    Reference: Agostinelli et al., CVPR 2022, eq. 5. https://arxiv.org/abs/2111.13011
    """
    return min(0.0, float(np.log(_predictions(all_probs, labels).mean(axis=0)).mean()))


def _predictions(all_probs: Sequence[np.ndarray], labels: np.ndarray) -> Float[np.ndarray, "k n"]:
    """Each member's expected empirical prediction of the true label."""
    if isinstance(all_probs, np.ndarray) and all_probs.ndim != 3:
        raise InputError(
            f"`all_probs` must be a sequence of (n, z) arrays, one per source; got one array of shape "
            f"{all_probs.shape}. For a single source call `leep`."
        )
    if len(all_probs) == 0:
        raise InputError("`all_probs` is empty; an ensemble needs at least one source.")
    heads = [read_probs(probs, labels) for probs in all_probs]
    return np.stack([likelihoods(head, conditional(head.joint, head.mass)) for head in heads])
