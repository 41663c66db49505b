"""The expected empirical predictor: the classifier whose log-likelihood LEEP is, as a scikit-learn estimator."""

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.errors import InputError
from headstart.scores._checks import check_labels, check_probs
from headstart.scores._head_counts import conditional, count_head, prior_without
from headstart.scores._prob_rows import ProbRows
from headstart.scores.catalogue.leep_loo import check_prior


class ExpectedEmpiricalPredictor(ClassifierMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]  # untyped
    """Target classes from a source's probabilities: P(y) = sum over z of P(y given z) p[z].

    P(y given z) is counted on the data given to `fit`: nothing is trained. `score` is the mean log-likelihood, so that
    `fit(probs, labels).score(probs, labels)` is LEEP.

    Args:
        prior: Prior count behind each source class, spread over the target classes by their frequency; 0, the default,
            is the predictor of the paper. Give some where unseen data meet source classes that `fit` saw little of.
        logits: `probs` holds logits instead, in every method.
        temperature: The logits (log probabilities) are divided by it; `fit_temperature` finds a good one.

    Attributes:
        classes_: (C,) the target's classes, sorted.
        head_: (C, z) P(y given z); each column sums to 1. A source class that no example used holds the frequencies.

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
        >>> predictor = ExpectedEmpiricalPredictor().fit(probs, np.array(["cat", "cat", "dog"]))
        >>> predictor.predict(np.array([[0.0, 1.0]])).tolist()
        ['dog']

    Reference: Nguyen et al., ICML 2020, section 3. https://arxiv.org/abs/2002.12462
    """

    def __init__(self, prior: float = 0.0, logits: bool = False, temperature: float = 1.0) -> None:
        self.prior = prior
        self.logits = logits
        self.temperature = temperature

    def fit(self, probs: np.ndarray, y: np.ndarray) -> "ExpectedEmpiricalPredictor":
        """Count P(y given z).

        Raises:
            InputError: Shapes disagree, a row of `probs` is not a distribution, or fewer than two classes.
        """
        check_prior(self.prior)
        probs, y = validate_data(self, probs, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        checked = check_labels(y)
        head = count_head(self._rows(probs), checked)
        frequency = prior_without(checked.counts, 0)
        table = conditional(head.joint + self.prior * frequency[:, None], head.mass + self.prior)
        self.classes_ = checked.classes
        self.head_ = np.where(head.mass + self.prior > 0, table, (checked.counts / checked.counts.sum())[:, None])
        return self

    def predict_proba(self, probs: np.ndarray) -> Float[np.ndarray, "n c"]:
        """Probabilities of the target's classes, in the order of `classes_`.

        Raises:
            InputError: A row of `probs` is not a distribution.
        """
        check_is_fitted(self)
        rows = self._rows(validate_data(self, probs, reset=False, dtype=[np.float64, np.float32]))
        mixed = np.concatenate([rows.block(block) @ self.head_.T for block in rows.slices()])
        return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))

    def __sklearn_tags__(self) -> Tags:
        """Columns are source classes: on columns that are not, this classifier is poor."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        tags.input_tags.positive_only = not self.logits
        return tags

    def _rows(self, array: np.ndarray) -> ProbRows:
        return ProbRows(array if self.logits else check_probs(array), self.logits, self.temperature)

    def predict(self, probs: np.ndarray) -> Shaped[np.ndarray, " n"]:
        """The most probable class of each row."""
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_proba(probs).argmax(axis=1)])

    def score(self, probs: np.ndarray, y: np.ndarray, sample_weight: None = None) -> float:
        """Mean log-likelihood of the labels in nats; on the data of `fit` with `prior` 0 it is LEEP.

        Raises:
            InputError: A label was not among those of `fit`, or has probability 0 under the head, so that the
                logarithm is not finite.
        """
        if sample_weight is not None:
            raise InputError("`sample_weight` is not supported: LEEP counts every example once.")
        likelihood = self.predict_proba(probs)
        labels = np.asarray(y)
        if labels.shape != (len(likelihood),):
            raise InputError(f"`y` must have shape ({len(likelihood)},), as `probs` has rows; got {labels.shape}.")
        unknown = ~np.isin(labels, self.classes_)
        if unknown.any():
            raise InputError(f"label {labels[unknown][0]!s} was not seen by `fit`; fit on data that hold every class.")
        own = likelihood[np.arange(len(labels)), np.searchsorted(self.classes_, labels)]
        if not own.all():
            raise InputError(
                f"example {np.flatnonzero(own == 0)[0]} has probability 0 under the head, and its logarithm is not "
                "finite; use a `prior` above 0."
            )
        return float(np.log(own).mean())
