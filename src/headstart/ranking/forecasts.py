"""From left-out predictions to the accuracy that transfers will reach, and to the probability of being the best.

The probe's own confidence, the mean probability of the class it chooses, predicts the accuracy of a head better than
its hits do, as long as examples are few: it varies with the features drawn, but not with the labels. A head trained on
n examples of C classes reaches, as log-odds,

    logit(hits) + s (a + b (logit(confidence) - logit(hits)) + c C / n + d log C) + e,    s = 1500 / (1500 + n),

and each doubling of n adds g + h (growth from n / 2 to n) + k log(n / C). Fine-tuning lies at u + v times a head's
log-odds. The coefficients were fitted to recorded transfers by `ranking.calibration.fit`, the errors to forecasts of
targets that were left out; benchmarks/RESULTS.md, "Forecasts", shows how they hold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit, ndtri

from headstart.ranking.evidence import Evidence
from headstart.records import Forecast
from headstart.records.files import JsonRecord

LEVEL = 0.9
TESTED = 400  # fresh examples on which a forecast expects to be judged
DRAWS = 20_000
ENOUGH = 1500  # examples at which hits and confidence weigh alike
CHECKED = 2  # doublings over which recorded transfers were followed
EDGE = 5e-3  # a share counts as at least this far from 0 and 1
GROUP_FACTOR = 1.15  # metrics other than accuracy: errors of left-out estimates beside those of real heads


@dataclass(frozen=True)
class Calibration(JsonRecord):
    """What recorded transfers taught; the defaults are those of the transfers that headstart ships."""

    head: tuple[float, float, float, float, float] = (-0.6655, 1.001, 1.423, 0.04524, 0.3626)  # a, b, c, d, e
    error: tuple[float, float] = (0.7614, 0.001522)  # variance: p q / n times the first, sqrt(p q) times the second
    growth: tuple[float, float, float] = (0.4443, 0.0007641, -0.07755)  # g, h, k
    growth_error: float = 0.009292  # variance of a doubling, in (p q)^2
    tuned: tuple[float, float] = (0.3719, 0.9421)  # u, v
    tuned_error: float = 0.1722  # variance of fine-tuning around it, in (p q)^2
    own: float = 0.3  # share of the error's variance that sources on one target do not have in common
    transfers: int = 3586  # recorded outcomes behind these numbers
    targets: int = 24

    def log_odds(self, one: Evidence) -> float:
        """Of the accuracy of a head on the examples of the evidence."""
        base, columns = terms(one)
        return base + float(np.dot(self.head, columns))

    def step(self, one: Evidence) -> float:
        """What a doubling of the examples adds to the log-odds; never less than nothing."""
        return max(0.0, float(np.dot(self.growth, growth_terms(one))))

    def gained(self, one: Evidence, doublings: float) -> float:
        """What more examples add to the log-odds; every `CHECKED` doublings, the step is taken anew."""
        first, rest = min(doublings, CHECKED), doublings - CHECKED
        gain = first * self.step(one)
        return gain if rest <= 0 else gain + self.gained(replace(one, examples=one.examples * 2**CHECKED), rest)


def terms(one: Evidence) -> tuple[float, list[float]]:
    """The log-odds of the hits, and what the coefficients of `Calibration.head` multiply."""
    assert one.hits is not None
    assert one.confidence is not None
    n = one.examples
    base = _odds((one.hits * n + 0.5) / (n + 1))
    shrink = ENOUGH / (ENOUGH + n)
    return base, [
        *(shrink * v for v in (1.0, _odds(one.confidence) - base, one.classes / n, math.log(one.classes))),
        1.0,
    ]


def growth_terms(one: Evidence) -> list[float]:
    """What the coefficients of `Calibration.growth` multiply."""
    assert one.confidence is not None
    slope = 0.0 if one.half is None else _odds(one.confidence) - _odds(one.half)
    return [1.0, slope, math.log(one.examples / one.classes)]


def _odds(share: float) -> float:
    return float(logit(min(max(share, EDGE), 1 - EDGE)))


@dataclass(frozen=True)
class Belief:
    """A result as expected: its mean, and the variance of the truth around it, without any test part."""

    mean: float
    variance: float

    def forecast(self, method: str, metric: str, examples: int, basis: str, low: float = 0.0) -> Forecast:
        """The record, its interval widened by a test part of `TESTED` examples and cut to [low, 1]."""
        inside = min(max(self.mean, 0.0), 1.0)
        reach = float(ndtri((1 + LEVEL) / 2)) * math.sqrt(self.variance + inside * (1 - inside) / TESTED)
        mean, least, most = float(self.mean), max(low, self.mean - reach), min(1.0, self.mean + reach)
        return Forecast(method, metric, mean, float(least), float(most), examples, TESTED, LEVEL, basis)


def belief(one: Evidence, calibration: Calibration, times: float = 1.0, method: str = "head") -> Belief:
    """What a transfer with `times` the examples will reach; beyond four times, a guess with a wide interval."""
    if one.confidence is None or one.hits is None:
        parts = one.parts
        return Belief(one.value, GROUP_FACTOR**2 * float(parts.var(ddof=1)) / len(parts))
    doublings = math.log2(times)
    odds = calibration.log_odds(one) + calibration.gained(one, doublings)
    extra = calibration.growth_error * doublings**2
    if method != "head":
        odds = calibration.tuned[0] + calibration.tuned[1] * odds
        extra += calibration.tuned_error
    p = float(expit(odds))
    pq = p * (1 - p)
    variance = pq * (calibration.error[0] / one.examples + extra * pq) + calibration.error[1] * math.sqrt(pq)
    if one.metric == "accuracy":
        return Belief(p, variance)
    return Belief(
        min(1.0, max(0.0, one.value + p - one.hits)), variance + float(one.parts.var(ddof=1)) / len(one.parts) / 2
    )


def forecasts(
    one: Evidence, calibration: Calibration, goal: str = "head", given: int | None = None
) -> tuple[Forecast, ...]:
    """A transfer by the goal, by the other of head and fine-tuning, and a head on two and four times the examples.

    Args:
        given: Labelled examples that the transfer will have, where a search saw only some of them.
    """
    basis = f"{calibration.transfers:,} recorded transfers to {calibration.targets} targets"
    if one.confidence is None:
        return (belief(one, calibration).forecast("head", one.metric, one.examples, "left-out predictions", -math.inf),)
    both, n = (goal, *({"head", "fine-tune"} - {goal})), max(given or 0, one.examples)
    return tuple(
        belief(one, calibration, examples / one.examples, method).forecast(method, one.metric, examples, basis)
        for examples, method in (*((n, method) for method in both), (2 * n, "head"), (4 * n, "head"))
    )


def probability_best(
    sources: Sequence[Evidence], calibration: Calibration, goal: str = "head", *, seed: int = 0, draws: int = DRAWS
) -> Float[np.ndarray, " s"]:
    """For each source, the probability that its head will be the best of them, on the most examples any of them saw.

    With another goal, that its fine-tuned network will be.

    Draws from the joint distribution of the results: errors of sampling go together as far as the left-out predictions
    of two sources are right on the same examples, errors of the forecast as far as recorded transfers showed. Equal
    draws are shared.
    """
    most = max(one.examples for one in sources)
    beliefs = [belief(one, calibration, min(4.0, most / one.examples), goal) for one in sources]
    own = calibration.own if all(one.confidence is not None for one in sources) else 0.0
    covariance = _shared_sampling(sources, 0.0 if own == 0.0 else 1 / TESTED)
    covariance[np.diag_indices(len(sources))] += [own * one.variance for one in beliefs]
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = (
        np.array([one.mean for one in beliefs])
        + np.random.default_rng(seed).standard_normal((draws, len(root))) @ root.T
    )
    first = drawn >= drawn.max(axis=1, keepdims=True) - 1e-12
    return np.asarray((first / first.sum(axis=1, keepdims=True)).mean(axis=0))


def _shared_sampling(sources: Sequence[Evidence], test: float) -> Float[np.ndarray, "s s"]:
    """Covariance of the means of the parts over what each pair has in common, and of a test part of 1 / `test`."""
    places = [{name: place for place, name in enumerate(one.ids)} for one in sources]
    centred = [one.parts - one.parts.mean() for one in sources]
    found = np.zeros((len(sources), len(sources)))
    for i, one in enumerate(sources):
        for j in range(i + 1):
            if one.ids is sources[j].ids or one.ids == sources[j].ids:
                product = float((centred[i] * centred[j]).sum())
            else:
                both = [(place, places[j][name]) for name, place in places[i].items() if name in places[j]]
                product = float(sum(centred[i][a] * centred[j][b] for a, b in both))
            count = max(len(one.parts), len(sources[j].parts))
            found[i, j] = found[j, i] = product / count * (1 / max(count - 1, 1) + test)
    return found
