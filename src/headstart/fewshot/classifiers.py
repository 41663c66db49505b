"""Classifiers of episodes. They read inner products only, so that wide features cost no more than narrow ones."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from headstart.fewshot.episodes import Episodes

BLOCK_BYTES = 1 << 26  # features of the episodes that are classified at one time
PENALTY = 1.0  # of ridge and logistic regression, in units of the mean squared length of the centred support
STEPS = 2000  # of the logistic regression, at most
SETTLED = 1e-6  # largest slope of a coefficient at which it stops


@dataclass(frozen=True, eq=False)
class Products:
    """Inner products of b episodes: m = w k support examples, class by class, and t query examples."""

    ways: int
    support: Float[np.ndarray, "b m m"]
    query: Float[np.ndarray, "b t m"]
    lengths: Float[np.ndarray, "b t"]  # squared, of the query examples

    @property
    def owners(self) -> Float[np.ndarray, "m w"]:
        """1 where a support example belongs to a class."""
        return np.repeat(np.eye(self.ways), self.support.shape[1] // self.ways, axis=0)

    def centred(self) -> "Products":
        """Of the examples minus the mean of the support."""
        middle = self.support.mean(axis=1, keepdims=True)
        mean, along = middle.mean(axis=2, keepdims=True), self.query.mean(axis=2, keepdims=True)
        support = self.support - middle - middle.transpose(0, 2, 1) + mean
        query = self.query - along - middle + mean
        return Products(self.ways, support, query, self.lengths - 2 * along[:, :, 0] + mean[:, :, 0])

    def normalised(self) -> "Products":
        """Of the examples divided by their length; one of length zero stays."""
        own = _roots(np.einsum("bmm->bm", self.support))
        others = _roots(self.lengths)
        support = self.support / own[:, :, None] / own[:, None, :]
        query = self.query / others[:, :, None] / own[:, None, :]
        return Products(self.ways, support, query, self.lengths / others**2)


def _roots(squares: np.ndarray) -> np.ndarray:
    roots = np.sqrt(np.maximum(squares, 0.0))
    return np.asarray(np.where(roots > 0, roots, 1.0))


def prototypes(given: Products) -> Float[np.ndarray, "b t w"]:
    """Nearest class mean: minus half the squared distance, up to a constant of the query example.

    Reference: Snell, Swersky, Zemel, NeurIPS 2017. https://arxiv.org/abs/1703.05175
    """
    means = given.owners / (len(given.owners) / given.ways)  # (m, w)
    lengths = np.einsum("mw,bmn,nw->bw", means, given.support, means)
    return np.asarray(given.query @ means - lengths[:, None, :] / 2)


def cosine(given: Products) -> Float[np.ndarray, "b t w"]:
    """Cosine between an example and the mean of a class's normalised examples."""
    unit = given.normalised()
    means = unit.owners / (len(unit.owners) / unit.ways)
    lengths = np.einsum("mw,bmn,nw->bw", means, unit.support, means)
    return np.asarray(unit.query @ means / _roots(lengths)[:, None, :])


def centred(given: Products) -> Float[np.ndarray, "b t w"]:
    """Nearest class mean after the support's mean is subtracted and every example normalised.

    Reference: Wang et al., SimpleShot, 2019. https://arxiv.org/abs/1911.04623
    """
    return prototypes(given.centred().normalised())


def ridge(given: Products) -> Float[np.ndarray, "b t w"]:
    """Ridge regression with an intercept on the indicators of the classes, in closed form.

    Reference: Bertinetto et al., ICLR 2019. https://arxiv.org/abs/1805.08136
    """
    middle = given.centred()
    targets = middle.owners - 1 / middle.ways
    system = middle.support + _penalties(middle) * np.eye(len(targets))
    return np.asarray(middle.query @ np.linalg.solve(system, np.broadcast_to(targets, (len(system), *targets.shape))))


def logistic(given: Products) -> Float[np.ndarray, "b t w"]:
    """Logistic regression on examples minus the support's mean, its loss the sum over examples plus the penalty.

    Steps bound the curvature by a half (Boehning 1992), so each solves the same system and none overshoots.
    """
    middle = given.centred()
    targets, penalties = middle.owners, _penalties(middle)
    step = np.linalg.inv(middle.support / 2 + penalties * np.eye(len(targets)))
    weights = np.zeros((len(step), *targets.shape))
    for _ in range(STEPS):
        outputs = middle.support @ weights
        raised = np.exp(outputs - outputs.max(axis=2, keepdims=True))
        rest = targets - raised / raised.sum(axis=2, keepdims=True)
        if np.abs(rest - penalties * weights).max() < SETTLED:
            break
        weights = step @ (outputs / 2 + rest)
    return np.asarray(middle.query @ weights)


def _penalties(middle: Products) -> Float[np.ndarray, "b 1 1"]:
    squares = np.einsum("bmm->b", middle.support) / middle.support.shape[1]
    return np.asarray(PENALTY * np.where(squares > 0, squares, 1.0)[:, None, None])


METHODS: Mapping[str, Callable[[Products], np.ndarray]] = {
    "centred": centred,
    "prototypes": prototypes,
    "cosine": cosine,
    "ridge": ridge,
    "logistic": logistic,
}


def classify(
    features: Float[np.ndarray, "n d"], drawn: Episodes, shots: tuple[int, ...], methods: tuple[str, ...]
) -> Iterator[tuple[slice, int, str, Int[np.ndarray, "b t"]]]:
    """Predicted place of the class of every query example: for blocks of episodes, each number of shots and method.

    Padding among the queries is classified too; its predictions mean nothing.
    """
    (count, ways, most), width = drawn.support.shape, features.shape[1]
    each = ways * (most + drawn.query.shape[2])
    step = max(1, BLOCK_BYTES // (8 * each * max(width, each)))
    for at in range(0, count, step):
        block = slice(at, min(at + step, count))
        own = features[drawn.support[block].reshape(-1, ways * most)].astype(np.float64)  # (b, w k, d)
        asked = features[drawn.query[block].reshape(len(own), -1)].astype(np.float64)  # (b, w q, d)
        support, query = own @ own.transpose(0, 2, 1), asked @ own.transpose(0, 2, 1)
        lengths = np.einsum("btd,btd->bt", asked, asked)
        for few in shots:
            kept = (np.arange(ways)[:, None] * most + np.arange(few)).ravel()
            part = Products(ways, support[:, kept][:, :, kept], query[:, :, kept], lengths)
            for method in methods:
                yield block, few, method, METHODS[method](part).argmax(axis=2)
