"""The methods on cached features, against closed forms, another solver, simulated worlds and POT."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from headstart.adaptation.gap import two_sample
from headstart.adaptation.kernels import gaussian, median_distance, mmd
from headstart.adaptation.method import ADAPTATIONS, Domains, OnFeatures, Weighting
from headstart.adaptation.methods.coral import Coral, alignment
from headstart.adaptation.methods.importance import Importance, density_ratio
from headstart.adaptation.methods.kmm import KernelMeanMatching, matched
from headstart.adaptation.methods.label_shift import LabelShift
from headstart.adaptation.methods.subspace import SubspaceAlignment, axes
from headstart.adaptation.shift import frequencies, held_out_probs, interval
from headstart.errors import InputError
from headstart.records.adaptation import EFFECTIVE
from headstart.train.head import fit_head


@pytest.fixture(scope="module")
def both() -> Domains:
    """Two classes, the new domain moved and stretched."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    old = rng.standard_normal((120, 3)) + 2 * labels[:, None]
    new = (rng.standard_normal((90, 3)) + 2 * (np.arange(90) % 2)[:, None]) @ np.diag([2.0, 1.0, 0.5]) + 1
    return Domains(old, labels, new, 2, ("a", "b"))


def test_coral_gives_the_features_the_covariance_of_the_new_domain(both: Domains) -> None:
    moved = both.features @ alignment(both.features, both.new)
    assert np.abs(np.cov(moved.T) - np.cov(both.new.T)).max() < 1e-10
    moved = Coral(shrinkage=0.0).moved(both, both.features)
    assert np.abs(moved.mean(axis=0) - both.new.mean(axis=0)).max() < 1e-10
    apart = Coral(centre=False).moved(both, both.features).mean(axis=0)
    assert np.abs(apart - both.features.mean(axis=0)).max() < 1e-10


def test_kernel_mean_matching_meets_its_conditions_and_agrees_with_another_solver() -> None:
    rng = np.random.default_rng(1)
    old, new = rng.standard_normal((30, 2)), 1 + 0.7 * rng.standard_normal((60, 2))
    kernel, pull = gaussian(old, old, 1.5), gaussian(old, new, 1.5).sum(axis=1) / 2
    found, slack = matched(kernel, pull, 5.0), (np.sqrt(30) - 1) / np.sqrt(30)
    ends = {"jac": lambda w: np.ones(30)}
    other = minimize(
        lambda w: w @ kernel @ w / 2 - pull @ w, np.ones(30), jac=lambda w: kernel @ w - pull, method="SLSQP",
        bounds=[(0, 5)] * 30, options={"maxiter": 500, "ftol": 1e-13},
        constraints=[
            {"type": "ineq", "fun": lambda w: 30 * (1 + slack) - w.sum(), "jac": lambda w: -ends["jac"](w)},
            {"type": "ineq", "fun": lambda w: w.sum() - 30 * (1 - slack), "jac": ends["jac"]},
        ],
    )  # fmt: skip
    assert found @ kernel @ found / 2 - pull @ found == pytest.approx(other.fun, abs=1e-6)
    gradient, free = kernel @ found - pull, (found > 1e-6) & (found < 5 - 1e-6)
    assert free.any()
    assert np.ptp(gradient[free]) < 1e-3  # one multiplier: that of the mean weight
    level = gradient[free].mean()
    assert (gradient[found <= 1e-6] >= level - 1e-3).all()
    assert (gradient[found >= 5 - 1e-6] <= level + 1e-3).all()


def test_kernel_mean_matching_is_no_worse_than_skadas() -> None:
    skada = pytest.importorskip("skada")  # not among the requirements: it changes scikit-learn's configuration
    rng = np.random.default_rng(1)
    old, new = rng.standard_normal((30, 2)), 1 + 0.7 * rng.standard_normal((60, 2))
    theirs = skada.KMMReweightAdapter(gamma=1 / (2 * 1.5**2), B=5.0, solver="scipy", tol=1e-12)
    theirs.fit(np.concatenate([old, new]), sample_domain=np.repeat([1, -2], [30, 60]))
    kernel, pull = gaussian(old, old, 1.5), gaussian(old, new, 1.5).sum(axis=1) / 2
    ours, other = matched(kernel, pull, 5.0), np.asarray(theirs.source_weights_)
    values = [weights @ kernel @ weights / 2 - pull @ weights for weights in (ours, other)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    assert ours == pytest.approx(other, abs=0.05)


def test_kernel_mean_matching_works_in_blocks_that_fit_the_memory(both: Domains) -> None:
    whole, notes = KernelMeanMatching().weights(both)
    assert notes == ()
    blocks, notes = KernelMeanMatching(block=40).weights(both)
    assert "3 blocks" in notes[0]
    assert np.corrcoef(whole, blocks)[0, 1] > 0.5
    many = Domains(np.tile(both.features, (4, 1)), np.tile(both.labels, 4), both.new, 2)
    assert "2 blocks" in KernelMeanMatching(memory=1).weights(many)[1][0]  # 362 rows squared fit into 1 MiB
    assert KernelMeanMatching(largest=2.0).weights(both)[0].max() < whole.max()


def test_the_density_ratio_of_two_gaussians_is_known() -> None:
    rng = np.random.default_rng(2)
    old, new = rng.standard_normal((3000, 2)), rng.normal([1.0, 0.0], size=(3000, 2))
    at = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found, known = density_ratio(old, new, at), np.exp(at[:, 0] - 0.5)
    assert found / found[1] == pytest.approx(known / known[1], rel=0.15)


def test_weights_that_explode_are_cut_and_said() -> None:
    rng = np.random.default_rng(3)
    far = Domains(rng.standard_normal((200, 2)), np.arange(200) % 2, rng.standard_normal((200, 2)) + 3, 2)
    weights, notes = Importance(largest=3.0).weights(far)
    assert weights.max() / np.median(weights) > 3
    assert "were above 3 and cut" in notes[0]
    assert Importance().adapt(far).facts[EFFECTIVE] < 0.2


def test_subspace_alignment_is_the_papers_formula(both: Domains) -> None:
    (old, _), (new, _) = axes(both.features), axes(both.new)
    old, new = old[:, :2], new[:, :2]
    papers = (both.features - both.features.mean(axis=0)) @ old @ old.T @ new
    moved = SubspaceAlignment(dimensions=2).moved(both, both.features)
    assert (moved - both.new.mean(axis=0)) @ new == pytest.approx(papers)
    # a head in the paper's coordinates answers like the one on the moved features
    head = fit_head(papers, both.labels, penalty=0.1)
    ours = SubspaceAlignment(dimensions=2, penalty=0.1)
    assert ours.penalty == 0.1
    whole = fit_head(moved, both.labels, penalty=0.1)
    assert whole.outputs(both.new) == pytest.approx(head.outputs((both.new - both.new.mean(axis=0)) @ new), abs=1e-4)
    with pytest.raises(InputError, match="`dimensions` must be at most 3"):
        SubspaceAlignment(dimensions=4).moved(both, both.features)


def test_optimal_transport_is_that_of_pot(both: Domains) -> None:
    ot = pytest.importorskip("ot")
    from headstart.adaptation.methods.ot import OptimalTransport

    costs = ot.dist(both.features, both.new)
    masses = np.full(120, 1 / 120), np.full(90, 1 / 90)
    plan = ot.sinkhorn(*masses, costs / np.median(costs), 0.1)
    moved = OptimalTransport(group=0.0, entropy=0.1).moved(both, both.features)
    assert moved == pytest.approx(plan @ both.new / plan.sum(axis=1, keepdims=True), abs=1e-4)
    kept = OptimalTransport(group=1.0, entropy=0.1).moved(both, both.features)
    assert np.abs(kept - moved).max() > 0.01
    assert OptimalTransport(examples=40).moved(both, both.features[:5] + 0.1).shape == (5, 3)


@pytest.mark.parametrize("kind", ["em", "confusion"])
def test_simulated_class_frequencies_lie_in_their_intervals(kind: str) -> None:
    inside, truth = 0, np.array([0.7, 0.2, 0.1])
    for seed in range(4):
        rng = np.random.default_rng(seed)
        labels, hidden = rng.integers(3, size=300), rng.choice(3, size=400, p=truth)
        old, new = (rng.standard_normal((len(one), 2)) + 2.5 * np.eye(3)[one][:, :2] for one in (labels, hidden))
        probs = held_out_probs(old, labels, 3)
        answers = softmax(fit_head(old, labels).outputs(new), axis=1)
        found = frequencies(kind, probs, labels, answers)
        assert found.sum() == pytest.approx(1)
        low, high = interval(kind, probs, labels, answers)
        assert ((low <= found) & (found <= high)).all()
        inside += int(((low <= truth) & (truth <= high)).sum())
    assert inside >= 10  # of 12


def test_label_shift_weights_a_class_by_how_frequent_it_becomes() -> None:
    rng = np.random.default_rng(4)
    labels, hidden = np.arange(200) % 2, rng.random(200) < 0.9
    old, new = (rng.standard_normal((200, 2)) + 3 * one[:, None] for one in (labels, hidden))
    weights = LabelShift().weights(Domains(old, labels, new, 2))[0]
    assert np.unique(weights[labels == 0]).size == 1
    assert weights[labels == 1][0] == pytest.approx(1.8, abs=0.1)  # from 0.5 to 0.9
    other = LabelShift(estimate="confusion").weights(Domains(old, labels, new, 2))[0]
    assert 0 < abs(other[1] - weights[1]) < 0.1


def test_the_squared_mmd_is_its_double_sum() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((7, 2)), rng.standard_normal((5, 2)) + 1

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-((a - b) ** 2).sum() / (2 * 1.3**2)))

    first = sum(k(x[i], x[j]) for i in range(7) for j in range(7) if i != j) / 42
    second = sum(k(y[i], y[j]) for i in range(5) for j in range(5) if i != j) / 20
    across = sum(k(a, b) for a in x for b in y) / 35
    assert mmd(x, y, 1.3)[0] == pytest.approx(first + second - 2 * across, abs=1e-12)


def test_the_tests_of_two_samples_keep_their_level_and_see_a_difference() -> None:
    rng = np.random.default_rng(6)
    ps = []
    for seed in range(20):
        x, y = rng.standard_normal((2, 60, 2))
        ps.append((two_sample(x, y, seed=seed)[2], mmd(x, y, median_distance(x, y), permutations=99, seed=seed)[1]))
    assert (np.array(ps) < 0.05).mean() <= 0.15
    accuracy, chance, p = two_sample(x, y + 2)
    assert accuracy > chance
    assert p < 0.01
    assert mmd(x, y + 2, 1.0, permutations=99)[1] == pytest.approx(0.01)


@pytest.mark.parametrize("name", [name for name, made in ADAPTATIONS.items() if issubclass(made, OnFeatures)])
def test_every_method_on_features_helps_no_less_than_it_hurts_where_domains_are_alike(name: str) -> None:
    if ADAPTATIONS[name].library:
        pytest.importorskip(str(ADAPTATIONS[name].library))
    rng = np.random.default_rng(7)
    labels, others = np.arange(150) % 3, np.arange(150) % 3
    old, new = (rng.standard_normal((150, 3)) + 3 * np.eye(3)[one] for one in (labels, others))
    method = ADAPTATIONS[name]()
    assert isinstance(method, OnFeatures)
    head = method.adapt(Domains(old, labels, new, 3)).head
    assert (head.outputs(new).argmax(axis=1) == others).mean() > 0.85
    assert not isinstance(method, Weighting) or np.all(method.moved(Domains(old, labels, new, 3), old) == old)
