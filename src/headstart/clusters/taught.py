"""Self-taught learning: a representation learnt on unlabelled data and applied to the target's examples."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from headstart.errors import InputError

FORMS = ("pca", "dictionary")
ATOMS = 5  # of a dictionary, at most, that make up one example


@dataclass(frozen=True, eq=False, repr=False)
class SelfTaught:
    """A representation that was learnt without labels: numbers (n, d) in, features (n, k) out."""

    form: str
    components: Float[np.ndarray, "k d"]  # directions or atoms, one a row
    mean: Float[np.ndarray, " d"]
    model: Any

    def transform(self, examples: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Features of new examples: coordinates along the directions, or weights of the atoms.

        Raises:
            InputError: The examples have another width than the data it was learnt on, or hold nan or infinity.
        """
        found = _matrix(examples, "examples")
        if found.shape[1] != len(self.mean):
            raise InputError(
                f"`examples` have {found.shape[1]} columns, but the representation was learnt on {len(self.mean)}."
            )
        with warnings.catch_warnings():  # scikit-learn warns where fewer atoms than allowed suffice
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.asarray(self.model.transform(found - self.mean))

    def __repr__(self) -> str:
        return f"SelfTaught({self.form}: {self.components.shape[1]} numbers to {self.components.shape[0]} features)"


def self_taught(
    unlabelled: Float[np.ndarray, "m d"],
    *,
    components: int = 64,
    form: Literal["pca", "dictionary"] = "pca",
    seed: int = 0,
) -> SelfTaught:
    """Learn a representation from unlabelled source data, to be applied to a labelled target.

    The source's examples may be of other classes than the target's, or of none. Rank the result like any other source:
    `hs.rank({"features": taught.transform(x), "labels": y})`.

    Args:
        unlabelled: (m, d) numbers: pixels, spectra, or features of a network.
        components: How many features to learn, k.
        form: "pca": the k directions of largest variance. "dictionary": k atoms, of which each example uses at most
            five (sparse coding, as in the paper).
        seed: For the dictionary's start.

    Raises:
        InputError: The data are not such a matrix, or there are fewer examples or columns than `components` need.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> taught = self_taught(rng.standard_normal((100, 2)) @ rng.standard_normal((2, 8)), components=2)
        >>> taught, taught.transform(np.zeros((3, 8))).shape
        (SelfTaught(pca: 8 numbers to 2 features), (3, 2))

    Reference: Raina, Battle, Lee, Packer and Ng, Self-taught learning, ICML 2007.
    """
    from sklearn.decomposition import PCA, MiniBatchDictionaryLearning

    found = _matrix(unlabelled, "unlabelled")
    if form not in FORMS:
        raise InputError(f"`form` must be one of {', '.join(FORMS)}; got {form!r}.")
    most = min(found.shape) if form == "pca" else len(found)
    if not 1 <= components <= most:
        raise InputError(
            f"`components` must be from 1 to {most} for {form} on {found.shape} numbers; got {components}."
        )
    mean = found.mean(axis=0)
    if form == "pca":
        model: Any = PCA(components, svd_solver="full").fit(found - mean)
        return SelfTaught(form, model.components_, mean, model)
    model = MiniBatchDictionaryLearning(
        components, transform_algorithm="omp", transform_n_nonzero_coefs=min(ATOMS, components), random_state=seed
    ).fit(found - mean)
    return SelfTaught(form, model.components_, mean, model)


def _matrix(given: object, name: str) -> Float[np.ndarray, "n d"]:
    found = np.asarray(given, dtype=np.float64)
    if found.ndim != 2 or found.size == 0:
        raise InputError(f"`{name}` must be a matrix (examples, numbers); its shape is {found.shape}.")
    if not np.isfinite(found).all():
        raise InputError(f"`{name}` holds nan or infinity; leave those examples out.")
    return found
