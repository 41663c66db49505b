"""A linear head on an extraction: solved to its optimum, or trained as in the LEEP paper."""

import numpy as np

from headstart.data.target import Target
from headstart.errors import InputError
from headstart.records import Extraction
from headstart.scores import ExpectedEmpiricalPredictor
from headstart.train.head import LinearHead, fit_head, fit_ridge
from headstart.train.head_sgd import fit_heads_sgd
from headstart.transfers.options import Options
from headstart.transfers.run import probabilities


def solve_head(extraction: Extraction, target: Target, options: Options, seed: int) -> LinearHead:
    """The head for the extraction's features and labels.

    Raises:
        InputError: SGD or a warm start is asked for where it does not apply.
    """
    features = np.asarray(extraction.features, dtype=np.float64)
    if options.solver == "sgd":
        return _by_sgd(features, extraction, target, options, seed)
    for name in ("warm_start", "rate"):
        if getattr(options, name):
            raise InputError(f"`{name}` changes nothing where the head is solved to its optimum; add `solver='sgd'`.")
    if target.task == "regression":
        return fit_ridge(features, extraction.labels, penalty=options.penalty)
    classes = len(target.classes) if target.task == "classification" else None
    return fit_head(features, extraction.labels, classes=classes, penalty=options.penalty, seed=seed)


def _by_sgd(features: np.ndarray, extraction: Extraction, target: Target, options: Options, seed: int) -> LinearHead:
    if target.task != "classification":
        raise InputError(f"`solver='sgd'` re-trains classifiers; for {target.task} leave `solver` at lbfgs.")
    if options.penalty is not None:
        raise InputError("`penalty` is for `solver='lbfgs'`; SGD as in the LEEP paper has none.")
    start = None
    if options.warm_start:
        weight, bias = warm_start(features, extraction, len(target.classes))
        start = (weight[None], bias[None])
    return fit_heads_sgd(
        features[None],
        extraction.labels[None],
        classes=len(target.classes),
        rate=options.rate or 0.01,
        seed=seed,
        start=start,
    )[0]


def warm_start(features: np.ndarray, extraction: Extraction, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (C, d) and bias (C,) of the linear head nearest to the expected empirical predictor.

    The predictor's log probabilities are not linear in the features; their ridge regression on the features is.

    Raises:
        InputError: The source has no classifier, so there is no such predictor.
    """
    if extraction.logits is None:
        raise InputError("`warm_start` stands on the source's classifier, and this source has none; leave it out.")
    probs = probabilities(extraction.logits, "classification")
    predictor = ExpectedEmpiricalPredictor().fit(probs, extraction.labels)
    logs = np.full((len(probs), classes), np.log(1e-6))
    logs[:, predictor.classes_] = np.log(np.maximum(predictor.predict_proba(probs), 1e-6))
    head = fit_ridge(features, logs - logs.mean(axis=1, keepdims=True))
    return head.weight, head.bias
