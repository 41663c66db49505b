"""Scores on features, as published."""

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special
import scipy.stats
import sklearn.covariance
import sklearn.decomposition
import sklearn.discriminant_analysis
import sklearn.linear_model
import sklearn.metrics
import sklearn.mixture
import sklearn.preprocessing

from transcriptions.on_probs import leep, one_hot


def covariance(features: np.ndarray) -> np.ndarray:
    """(d, d), divided by n - 1."""
    centred = features - np.mean(features, axis=0, keepdims=True)
    return np.asarray(np.dot(centred.T, centred) / (len(features) - 1))


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """H-score by pseudo-inverse, with every row replaced by its class mean (Bao's code, matrix product)."""
    replaced = np.zeros_like(features)
    for label in range(labels.max() + 1):
        rows = labels == label
        replaced[rows] = np.mean(features[rows, :], axis=0)
    inverse = np.linalg.pinv(covariance(features), rcond=1e-15)
    return float(np.trace(np.dot(inverse, covariance(replaced))))


def regularized_h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """Shrunk H-score by Ledoit-Wolf and a pseudo-inverse (Ibrahim's code)."""
    features = features - np.mean(features, axis=0, keepdims=True)
    estimate = sklearn.covariance.LedoitWolf(assume_centered=False).fit(features)
    replaced = np.zeros_like(features)
    for label in range(labels.max() + 1):
        rows = labels == label
        replaced[rows] = np.mean(features[rows, :], axis=0)
    inverse = np.linalg.pinv(estimate.covariance_, rcond=1e-15)
    return float(np.trace(np.dot(inverse, (1 - estimate.shrinkage_) * covariance(replaced))))


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """LogME by the fixed point of You et al. 2021 (arXiv 2110.10545), at most eleven steps a class."""
    n, d = features.shape
    if n > d:
        _, scales, right = np.linalg.svd(features.transpose() @ features)
        scales = np.sqrt(scales)
        rank = np.sum(scales > 1e-10)
        scales = scales.reshape(-1, 1)[:rank]
        left = (features @ right.transpose())[:, :rank] / scales.reshape(1, -1)
    else:
        left, scales, _ = np.linalg.svd(features, full_matrices=False)
        scales = scales.reshape(-1, 1)
    sigma = scales**2
    evidences = []
    for label in range(int(labels.max() + 1)):
        target = (labels == label).astype(np.float64).reshape(-1, 1)
        squared = (left.T @ target) ** 2
        outside = (target**2).sum() - squared.sum()
        alpha, beta = 1.0, 1.0
        for _ in range(11):
            ratio = alpha / beta
            gamma = (sigma / (sigma + ratio)).sum()
            weight = (sigma * squared / ((ratio + sigma) ** 2)).sum()
            residual = (squared / ((1 + sigma / ratio) ** 2)).sum() + outside
            alpha = gamma / (weight + 1e-5)
            beta = (n - gamma) / (residual + 1e-5)
            if abs(alpha / beta - ratio) / ratio <= 1e-3:
                break
        evidence = d / 2.0 * np.log(alpha) + n / 2.0 * np.log(beta) - 0.5 * np.sum(np.log(alpha + beta * sigma))
        evidence += -beta / 2.0 * residual - alpha / 2.0 * weight - n / 2.0 * np.log(2 * np.pi)
        evidences.append(evidence / n)
    return float(np.mean(evidences))


def knn(features: np.ndarray, labels: np.ndarray, k: int = 5) -> float:
    """Leave-one-out nearest neighbours by the whole distance matrix and a full sort (Bolya's code)."""
    distances = sklearn.metrics.pairwise_distances(features, metric="l2")
    order = np.argsort(distances, axis=-1)[:, 1 : k + 1]
    votes = labels[order]
    predictions = scipy.stats.mode(votes, axis=1).mode
    return float((predictions == labels).mean())


def nleep(features: np.ndarray, labels: np.ndarray, seed: int = 0, components_per_class: int = 5) -> float:
    """N-LEEP: PCA to 80 % energy, a full-covariance mixture, LEEP on its posteriors (Google's code)."""
    reduced = sklearn.decomposition.PCA(n_components=0.8).fit_transform(features)
    count = components_per_class * int(labels.max() + 1)
    mixture = sklearn.mixture.GaussianMixture(n_components=count, random_state=seed).fit(reduced)
    posterior = mixture.predict_proba(reduced)
    return leep(posterior[:, posterior.sum(axis=0) > 0], labels)


def transrate(features: np.ndarray, labels: np.ndarray, epsilon: float = 1e-4) -> float:
    """TransRate by log-determinants of d x d matrices, one for each class (the paper's listing, weights n_c / n)."""

    def rate(part: np.ndarray) -> float:
        n, d = part.shape
        return 0.5 * float(np.linalg.slogdet(np.eye(d) + part.transpose() @ part / (n * epsilon))[1])

    centred = features - np.mean(features, axis=0, keepdims=True)
    within = 0.0
    for label in range(labels.max() + 1):
        part = centred[(labels == label).flatten()]
        within += len(part) / len(features) * rate(part)
    return rate(centred) - within


def gbc(features: np.ndarray, labels: np.ndarray, kind: str = "spherical", dims: int | None = 64) -> float:
    """GBC by a loop over pairs of classes (Google's code; its spherical form counts the log-determinant once)."""
    if dims is not None:
        features = sklearn.decomposition.PCA(n_components=dims).fit_transform(features)
    statistics = {}
    for label in np.unique(labels):
        part = features[labels == label]
        statistics[label] = part.mean(axis=0), np.maximum(part.var(axis=0), 1e-4)

    def distance(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
        (mean, variance), (mean2, variance2) = one, other
        if kind == "spherical":
            variance, variance2 = variance.mean(), variance2.mean()
        average = (variance + variance2) / 2
        shape = np.sum(np.log(average)) - 0.5 * np.sum(np.log(variance)) - 0.5 * np.sum(np.log(variance2))
        return float(np.sum((mean - mean2) ** 2 / average) / 8 + 0.5 * shape)

    total = 0.0
    for one in statistics:
        for other in statistics:
            if one != other:
                total += np.exp(-distance(statistics[one], statistics[other]))
    return float(-total)


def parc(features: np.ndarray, labels: np.ndarray) -> float:
    """PARC by two n x n distance matrices and a Spearman correlation of their upper triangles (Bolya's code)."""
    scaled = sklearn.preprocessing.StandardScaler().fit_transform(features)
    table = np.eye(labels.max() + 1)[labels]
    upper = np.triu_indices(len(features), 1)
    first = (1 - np.corrcoef(scaled))[upper]
    second = (1 - np.corrcoef(table))[upper]
    return float(scipy.stats.spearmanr(first, second)[0] * 100)


def lfc(features: np.ndarray, labels: np.ndarray) -> float:
    """LFC by two n x n matrices (public code, with Frobenius for its spectral norms)."""
    kernel = np.dot(features, features.T)
    kernel -= np.mean(kernel)
    same = (labels[:, None] == labels[None, :]).astype(np.float32) * 2 - 1
    same -= np.mean(same)
    return float(np.sum(kernel * same) / (np.linalg.norm(kernel) * np.linalg.norm(same)))


def shrunk_covariance(features: np.ndarray, shrinkage: float = -1.0) -> np.ndarray:
    """(d, d), divided by n, drawn towards its mean variance."""
    empirical = np.cov(features.T, bias=True)
    if shrinkage < 0:
        return empirical
    d = len(empirical)
    shrunk = (1.0 - shrinkage) * empirical
    shrunk.flat[:: d + 1] += shrinkage * np.trace(empirical) / d
    return shrunk


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows to probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def discriminant(features: np.ndarray, labels: np.ndarray, shrinkage: float | None) -> tuple[np.ndarray, float]:
    """Regularised Fisher discriminant by a generalised eigenproblem: posteriors (n, C) and the shrinkage used."""
    counts = np.bincount(labels)
    means = np.zeros((len(counts), features.shape[1]))
    np.add.at(means, labels, features)
    means /= counts[:, None]
    priors = counts / len(labels)
    within = np.zeros((features.shape[1], features.shape[1]))
    for label in range(len(counts)):
        within += priors[label] * np.atleast_2d(shrunk_covariance(features[labels == label]))
    if shrinkage is None:
        vector = within.sum(axis=1)
        for _ in range(3):  # the published power iteration
            step = within @ vector
            other = step / np.linalg.norm(step)
            step = within @ other
            vector = step / np.linalg.norm(step)
        shrinkage = max(np.exp(-5 * (vector @ within @ other)), 1e-10)
    total = shrunk_covariance(features, shrinkage)
    d = len(within)
    shrunk = (1.0 - shrinkage) * within
    shrunk.flat[:: d + 1] += shrinkage * np.trace(within) / d
    values, vectors = scipy.linalg.eigh(total - shrunk, shrunk)
    vectors = vectors[:, np.argsort(values)[::-1]]
    weights = means @ vectors @ vectors.T
    offsets = -0.5 * np.diag(means @ weights.T) + np.log(priors)
    return softmax(features @ weights.T + offsets), shrinkage


def sfda(features: np.ndarray, labels: np.ndarray) -> float:
    """SFDA: two discriminants, the second on features drawn towards the other classes (Shao's code)."""
    features = features.copy()
    posterior, shrinkage = discriminant(features, labels, None)
    posterior = np.exp(posterior) / np.exp(posterior).sum(axis=1, keepdims=True)
    counts = np.bincount(labels)
    means = np.stack([features[labels == label].mean(axis=0) for label in range(len(counts))])
    for label in range(len(counts)):
        rows = np.where(labels == label)[0]
        others = (means.sum(axis=0) - means[label]) / (len(counts) - 1)
        sure = posterior[rows, label][:, None]
        features[rows] = sure * features[rows] + (1 - sure) * others
    posterior, _ = discriminant(features, labels, shrinkage)
    return float(posterior[np.arange(len(labels)), labels].mean())


def etran_lda(features: np.ndarray, labels: np.ndarray) -> float:
    """ETran's classification term, the regularised discriminant of the paper."""
    posterior, _ = discriminant(features, labels, None)
    return float(posterior[np.arange(len(labels)), labels].mean())


def ncti(features: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """NCTI's parts: nuclear norm, posterior of the true class, log of the classes' nuclear norms (Wang's code)."""
    pca = sklearn.decomposition.PCA(n_components=64)
    reduced = pca.fit_transform(features)
    shrinkage = max(np.exp(-pca.explained_variance_[:32].sum()), 1e-10)
    if shrinkage == 1e-10:
        model = sklearn.discriminant_analysis.LinearDiscriminantAnalysis(solver="svd")
    else:
        model = sklearn.discriminant_analysis.LinearDiscriminantAnalysis(solver="eigen", shrinkage=float(shrinkage))
    projected = model.fit_transform(reduced, labels)
    whole = np.linalg.norm(projected - projected.mean(axis=0, keepdims=True), ord="nuc")
    posterior = model.predict_proba(reduced)
    true = posterior[np.arange(len(labels)), labels].mean()
    classes = sum(np.linalg.norm(posterior[labels == label], ord="nuc") for label in range(labels.max() + 1))
    return float(whole), float(true), float(np.log(classes))


def pactran_gaussian(features: np.ndarray, labels: np.ndarray, penalty: float = 1.0, spread: float = 10.0) -> float:
    """PACTran-Gaussian: L-BFGS on a penalised softmax with separate loss and gradient (PACTran's code)."""
    table = one_hot(labels)
    features = features - np.mean(features, axis=0, keepdims=True)
    (n, d), classes = features.shape, table.shape[1]
    strength = penalty * n

    def logits_of(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta = theta.reshape(d + 1, classes)
        return theta[:d], features @ theta[:d] + theta[d:]

    def loss(theta: np.ndarray) -> float:
        weights, logits = logits_of(theta)
        log_posterior = logits - scipy.special.logsumexp(logits, axis=-1, keepdims=True)
        fit = np.sum(np.sum(table * (np.log(table + 1e-10) - log_posterior), axis=-1)) / n
        return float(fit + 0.5 * np.sum(np.square(weights)) / strength)

    def gradient(theta: np.ndarray) -> np.ndarray:
        weights, logits = logits_of(theta)
        error = (scipy.special.softmax(logits, axis=-1) - table) / n
        return np.ravel(
            np.concatenate([features.T @ error + weights / strength, np.sum(error, axis=0, keepdims=True)], axis=0)
        )

    start = np.random.default_rng(0).normal(size=(d, classes)) * 0.03
    start = np.ravel(np.concatenate([start, np.zeros([1, classes])], axis=0))
    options = {"maxiter": 100}
    theta = scipy.optimize.minimize(loss, start, method="L-BFGS-B", jac=gradient, options=options, tol=1e-6).x
    _, logits = logits_of(theta)
    posterior = scipy.special.softmax(logits, axis=-1)
    curvature = posterior - np.square(posterior)
    second = np.square(features).T @ curvature + 1.0 / strength
    total = np.sum(second) + np.sum(curvature)
    inverse_variance = total * strength / (d * classes) + 1e-10
    complexity = 0.5 * d * classes / strength * spread / d * np.log(inverse_variance)
    return float(loss(theta) + complexity)


def class_separation(features: np.ndarray, labels: np.ndarray) -> float:
    """One minus within-class over total mean cosine distance, class pairs in turn (Kornblith's formula)."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    parts = [unit[labels == label] for label in range(labels.max() + 1)]
    within = np.mean([np.mean(1 - part @ part.T) for part in parts])
    total = np.mean([[np.mean(1 - one @ other.T) for other in parts] for one in parts])
    return float(1 - within / total)


def linear_mse(features: np.ndarray, targets: np.ndarray, penalty: float = 1.0) -> float:
    """LinMSE by scikit-learn's ridge on all outputs (Nguyen's code, penalty n lambda)."""
    model = sklearn.linear_model.Ridge(alpha=len(features) * penalty).fit(features, targets)
    return float(-sklearn.metrics.mean_squared_error(targets, model.predict(features)))
