"""ESZSL: classes without examples, told by descriptions, from any image source and any text source."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from headstart.errors import InputError
from headstart.sources.names import embedded

PENALTIES = (1e-2, 1e-1, 1.0, 1e1, 1e2)  # relative to the mean square of features and of signatures
FOLDS = 3  # of the seen classes, to choose the penalties


@dataclass(frozen=True, eq=False, repr=False)
class Descriptions:
    """A bilinear map between features and descriptions: the compatibility of x and s is x V s."""

    map: Float[np.ndarray, "d a"]
    feature_penalty: float
    description_penalty: float
    mean: Float[np.ndarray, " d"]

    def compatibility(
        self, features: Float[np.ndarray, "n d"], signatures: Float[np.ndarray, "c a"]
    ) -> Float[np.ndarray, "n c"]:
        """How well each example fits each described class; the largest one is the prediction."""
        return np.asarray((np.asarray(features, dtype=np.float64) - self.mean) @ self.map @ _unit(signatures).T)

    def predict(
        self, features: Float[np.ndarray, "n d"], signatures: Float[np.ndarray, "c a"]
    ) -> Int[np.ndarray, " n"]:
        """The class, a row of `signatures`, that fits each example best."""
        return np.asarray(self.compatibility(features, signatures).argmax(axis=1))

    def __repr__(self) -> str:
        return f"Descriptions({self.map.shape[0]} features, {self.map.shape[1]} numbers a description)"


def learn_descriptions(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    signatures: Float[np.ndarray, "c a"],
    *,
    penalties: tuple[float, float] | None = None,
    seed: int = 0,
) -> Descriptions:
    """Learn from the seen classes how features go with descriptions, in closed form.

    V = (X'X + g I)^-1 X'Y S (S'S + l I)^-1, with Y in {-1, 1}, X the centred features and S the descriptions of unit
    length.

    Args:
        features: (n, d) of the seen classes' examples.
        labels: (n,) rows of `signatures`.
        signatures: (c, a) embeddings of the seen classes' names or descriptions.
        penalties: g and l; by default those that predict held-out SEEN classes best, relative to the mean square of
            features and of descriptions.
        seed: For the folds of classes.

    Raises:
        InputError: Shapes do not fit, or there are fewer than two classes.

    Example:
        >>> signatures = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> labels = np.repeat([0, 1], 5)
        >>> learnt = learn_descriptions(signatures[labels] @ np.eye(2, 4), labels, signatures[:2], penalties=(0.1, 0.1))
        >>> learnt.predict(np.eye(2, 4), signatures[:2]).tolist()
        [0, 1]

    Reference: Romera-Paredes and Torr, An embarrassingly simple approach to zero-shot learning, ICML 2015, equation 5.
    """
    x, s = np.asarray(features, dtype=np.float64), _unit(np.asarray(signatures, dtype=np.float64))
    labels = np.asarray(labels)
    if x.ndim != 2 or len(x) != len(labels):
        raise InputError(f"`features` {x.shape} need one row for each of the {len(labels)} labels.")
    if len(s) < 2 or labels.min() < 0 or labels.max() >= len(s):
        raise InputError(
            f"`labels` must be rows of `signatures`, of which there are {len(s)}; at least two are needed."
        )
    if penalties is None:
        penalties = _chosen(x, labels, s, seed)
    mean = x.mean(axis=0)
    return Descriptions(_solved(x - mean, labels, s, *penalties), *penalties, mean)


def _solved(x: np.ndarray, labels: np.ndarray, s: np.ndarray, g: float, lam: float) -> np.ndarray:
    y = np.where(labels[:, None] == np.arange(len(s)), 1.0, -1.0)
    left = np.linalg.solve(x.T @ x + g * np.eye(x.shape[1]), x.T @ (y @ s))
    return np.asarray(np.linalg.solve(s.T @ s + lam * np.eye(s.shape[1]), left.T).T)


def _chosen(x: np.ndarray, labels: np.ndarray, s: np.ndarray, seed: int) -> tuple[float, float]:
    """The penalties with the best accuracy on seen classes that took no part, over folds of classes."""
    folds = np.random.default_rng(seed).permutation(np.arange(len(s)) % min(FOLDS, len(s) // 2 or 1))
    scale_x, scale_s = (
        float(np.square(x - x.mean(axis=0)).sum(axis=0).mean()) or 1.0,
        float(np.square(s).sum() / s.shape[1]),
    )
    pairs = [(g * scale_x, lam * scale_s) for g, lam in product(PENALTIES, PENALTIES)]
    if folds.max() == 0:
        return pairs[len(pairs) // 2]

    def accuracy(pair: tuple[float, float]) -> float:
        hits = []
        for fold in range(folds.max() + 1):
            seen, unseen = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            inside = np.isin(labels, seen)
            learnt = _solved(x[inside] - x.mean(axis=0), np.searchsorted(seen, labels[inside]), s[seen], *pair)
            found = unseen[((x[~inside] - x.mean(axis=0)) @ learnt @ s[unseen].T).argmax(axis=1)]
            hits += (found == labels[~inside]).tolist()
        return float(np.mean(hits))

    return max(pairs, key=accuracy)


def signatures_of(names: Sequence[str], templates: Sequence[str], text: str) -> Float[np.ndarray, "c a"]:
    """What a text source makes of each class: the mean over templates of the unit embedding of its name in them."""
    prompts = [template.replace("{}", name) for template in templates for name in names]
    return np.asarray(embedded(prompts, text).reshape(len(templates), len(names), -1).mean(axis=0))


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0))


def harmonic(seen: float, unseen: float) -> float:
    """The harmonic mean of two accuracies, 0 where one is 0.

    Example:
        >>> round(harmonic(0.8, 0.4), 4)
        0.5333
    """
    return 0.0 if min(seen, unseen) <= 0 else 2 * seen * unseen / (seen + unseen)
