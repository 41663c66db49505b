"""Successor scores on features, written out plainly from their papers: n x n matrices, loops over pairs, solvers."""

from itertools import permutations

import numpy as np
from scipy import stats
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge


def lfc(features: np.ndarray, labels: np.ndarray, centring: str) -> float:
    kernel = features @ features.T
    same = np.where(labels[:, None] == labels[None, :], 1.0, -1.0)
    if centring == "mean":
        kernel, same = kernel - kernel.mean(), same - same.mean()
    else:
        middle = np.eye(len(labels)) - 1 / len(labels)
        kernel, same = middle @ kernel @ middle, middle @ same @ middle
    return float((kernel * same).sum() / np.sqrt((kernel**2).sum() * (same**2).sum()))


def gbc(features: np.ndarray, labels: np.ndarray, covariance: str, dims: int | None, ddof: int = 0) -> float:
    """No variance floor: for classes with more examples than dimensions."""
    if dims is not None:
        features = PCA(n_components=dims, svd_solver="full").fit_transform(features)
    shapes = []
    for label in np.unique(labels):
        part = features[labels == label]
        full = np.cov(part.T, ddof=ddof).reshape(features.shape[1], -1)
        d = len(full)
        kinds = {"full": full, "diagonal": np.diag(np.diag(full)), "spherical": np.eye(d) * np.trace(full) / d}
        shapes.append((part.mean(axis=0), kinds[covariance]))
    total = 0.0
    for i, j in permutations(range(len(shapes)), 2):
        (mean, one), (mean2, other) = shapes[i], shapes[j]
        average = (one + other) / 2
        apart = (mean - mean2) @ np.linalg.inv(average) @ (mean - mean2) / 8
        shape = 0.5 * np.log(np.linalg.det(average) / np.sqrt(np.linalg.det(one) * np.linalg.det(other)))
        total += np.exp(-(apart + shape))
    return float(-total)


def transrate(features: np.ndarray, labels: np.ndarray, epsilon: float, weights: str, scale: str) -> float:
    centred = features - features.mean(axis=0)
    if scale == "rows":
        centred = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    if scale == "trace":
        centred = centred / np.sqrt((centred**2).sum() / len(centred))

    def rate(part: np.ndarray) -> float:
        squares = np.linalg.svd(part, compute_uv=False) ** 2
        return 0.5 * float(np.log1p(squares / (len(part) * epsilon)).sum())

    classes = np.unique(labels)
    shares = {y: np.mean(labels == y) if weights == "frequency" else 1 / len(classes) for y in classes}
    return rate(centred) - sum(shares[y] * rate(centred[labels == y]) for y in classes)


def parc(features: np.ndarray, labels: np.ndarray) -> float:
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    upper = np.triu_indices(len(labels), 1)
    apart = np.round(1 - np.corrcoef(scaled), 9)[upper]  # equal rows tie in spite of rounding
    differ = (labels[:, None] != labels[None, :])[upper]
    return 100 * float(stats.spearmanr(apart, differ).statistic)


def class_separation(features: np.ndarray, labels: np.ndarray) -> float:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    distance = 1 - unit @ unit.T
    classes = np.unique(labels)
    between = [[distance[np.ix_(labels == a, labels == b)].mean() for b in classes] for a in classes]
    return 1 - float(np.mean(np.diag(between)) / np.mean(between))


def nearest_mean(features: np.ndarray, labels: np.ndarray) -> float:
    """Each example left out in turn; no ties, no class of one."""
    hits = 0
    for i in range(len(labels)):
        others = np.arange(len(labels)) != i
        classes = np.unique(labels[others])
        means = np.array([features[others & (labels == y)].mean(axis=0) for y in classes])
        hits += classes[np.argmin(((means - features[i]) ** 2).sum(axis=1))] == labels[i]
    return hits / len(labels)


def published_shrinkage(features: np.ndarray, labels: np.ndarray) -> float:
    within = sum(np.mean(labels == y) * np.cov(features[labels == y].T, ddof=0) for y in np.unique(labels))
    return max(float(np.exp(-5 * np.linalg.eigvalsh(np.atleast_2d(within))[-1])), 1e-10)


def discriminant(features: np.ndarray, labels: np.ndarray, shrinkage: float) -> np.ndarray:
    """scikit-learn's posteriors of the true class and all others, (n, C)."""
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(features, labels).predict_proba(features)


def sfda(features: np.ndarray, labels: np.ndarray) -> float:
    classes, codes = np.unique(labels, return_inverse=True)
    shrinkage = published_shrinkage(features, labels)
    posterior = discriminant(features, labels, shrinkage)
    soft = np.exp(posterior) / np.exp(posterior).sum(axis=1, keepdims=True)
    means = [features[codes == c].mean(axis=0) for c in range(len(classes))]
    mixed = features.copy()
    for i, c in enumerate(codes):
        others = np.mean([means[k] for k in range(len(classes)) if k != c], axis=0)
        mixed[i] = soft[i, c] * features[i] + (1 - soft[i, c]) * others
    return float(discriminant(mixed, labels, shrinkage)[np.arange(len(codes)), codes].mean())


def ncti(features: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Geometry, nearest and variability as scikit-learn's discriminant gives them."""
    pca = PCA(n_components=min(64, len(features) - 1, features.shape[1]), svd_solver="full")
    reduced = pca.fit_transform(features)
    shrinkage = float(np.exp(-pca.explained_variance_[:32].sum()))
    options = {"solver": "eigen", "shrinkage": shrinkage} if shrinkage > 1e-10 else {"solver": "svd"}
    model = LinearDiscriminantAnalysis(**options)
    projected = model.fit_transform(reduced, labels)
    posterior = model.predict_proba(reduced)
    codes = np.unique(labels, return_inverse=True)[1]
    nuclear = [np.linalg.norm(posterior[codes == c], ord="nuc") for c in range(codes.max() + 1)]
    whole = np.linalg.norm(projected - projected.mean(axis=0), ord="nuc")
    return float(np.log(whole)), float(posterior[np.arange(len(codes)), codes].mean()), float(np.log(sum(nuclear)))


def pactran_gaussian(features: np.ndarray, labels: np.ndarray, penalty: float, spread: float) -> float:
    """Loss and curvature at scikit-learn's optimum of the same penalised softmax."""
    centred = features - features.mean(axis=0)
    (n, d), classes = centred.shape, len(np.unique(labels))
    model = LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000).fit(centred, labels)
    weights, offsets = model.coef_, model.intercept_
    if classes == 2:  # one logit stands for the difference of two, of half its size each
        weights, offsets = np.vstack([-weights, weights]) / 2, np.concatenate([-offsets, offsets]) / 2
        assert penalty == 1, "two classes are penalised differently there"
    logits = centred @ weights.T + offsets
    logs = logits - logsumexp(logits, axis=1, keepdims=True)
    codes = np.unique(labels, return_inverse=True)[1]
    loss = -logs[np.arange(n), codes].mean() + 0.5 * (weights**2).sum() / (penalty * n)
    curvature = np.exp(logs) * (1 - np.exp(logs))
    trace = ((centred**2).T @ curvature + 1 / (penalty * n)).sum() + curvature.sum()
    price = 0.5 * d * classes / (penalty * n) * spread / d * np.log(trace * penalty * n / (d * classes))
    return -float(loss + price)


def linear_mse(features: np.ndarray, targets: np.ndarray, penalty: float) -> float:
    targets = targets.reshape(len(targets), -1)
    model = Ridge(alpha=len(features) * penalty, solver="svd").fit(features, targets)
    error = ((targets - model.predict(features).reshape(targets.shape)) ** 2).sum(axis=1).mean()
    return -float(error + penalty * (model.coef_**2).sum())
