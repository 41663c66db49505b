"""What deep methods minimise: against plain sums, covariances, finite differences and published formulas."""

import math

import numpy as np
import pytest
import torch

from headstart.adaptation.methods.adda import Deceiving
from headstart.adaptation.methods.dann import domain_critic, reverse_gradient, strength_at, told_apart
from headstart.adaptation.methods.deep_coral import coral_distance
from headstart.adaptation.methods.entropy import mean_entropy
from headstart.adaptation.methods.mmd import FACTORS, mmd_squared
from headstart.adaptation.methods.self_training import pseudo_labels
from headstart.train.objectives import LABELLED, Drawn, Step


def two(n: int = 7, m: int = 5, d: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    return torch.tensor(rng.normal(size=(n, d))), torch.tensor(rng.normal(1.0, 2.0, size=(m, d)))


def test_mmd_squared_is_the_plain_double_sum():
    x, y = (value.numpy() for value in two())
    rows = np.concatenate([x, y])
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]
    width = sum(pairs) / len(pairs)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return sum(math.exp(-((a - b) ** 2).sum() / (factor * width)) for factor in FACTORS) / len(FACTORS)

    def mean(left: np.ndarray, right: np.ndarray) -> float:
        return sum(kernel(a, b) for a in left for b in right) / (len(left) * len(right))

    assert mmd_squared(*two()).item() == pytest.approx(mean(x, x) + mean(y, y) - 2 * mean(x, y), abs=1e-12)


def test_mmd_of_constant_features_is_zero_with_a_finite_gradient():
    x = torch.ones(4, 2, requires_grad=True)
    value = mmd_squared(x, torch.ones(3, 2))
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(x.grad).all()


def test_the_coral_distance_is_that_of_numpys_covariances():
    x, y = two()
    apart = np.cov(x.numpy().T) - np.cov(y.numpy().T)
    assert coral_distance(x, y).item() == pytest.approx((apart**2).sum() / (4 * 3**2), rel=1e-12)
    assert coral_distance(x, x + 5).item() == pytest.approx(0, abs=1e-20)  # means do not matter


def test_the_reversed_gradient_is_minus_finite_differences():
    torch.manual_seed(0)
    critic = domain_critic(3, 4).double()
    old, new = two()
    x = new.clone().requires_grad_(True)
    told_apart(critic, old, reverse_gradient(x, 0.3)).backward()
    step = 1e-6
    with torch.no_grad():
        for i in range(3):
            ahead, behind = new.clone(), new.clone()
            ahead[1, i] += step
            behind[1, i] -= step
            slope = (told_apart(critic, old, ahead) - told_apart(critic, old, behind)).item() / (2 * step)
            assert x.grad[1, i].item() == pytest.approx(-0.3 * slope, abs=1e-7)
    plain = domain_critic(3, 4).double()
    plain.load_state_dict(critic.state_dict())
    told_apart(plain, old, new).backward()
    for ours, theirs in zip(critic.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad)  # the critic itself learns as ever


def test_the_strength_follows_the_papers_schedule():
    for share in (0.0, 0.2, 0.7, 1.0):
        assert strength_at(share) == pytest.approx(2 / (1 + np.exp(-10 * share)) - 1)


def test_a_critic_that_guesses_loses_log_two():
    critic = domain_critic(3, 4).double()
    with torch.no_grad():
        critic[2].weight.zero_()
        critic[2].bias.zero_()
    assert told_apart(critic, *two()).item() == pytest.approx(math.log(2))


def test_addas_critic_and_network_learn_from_their_own_loss_alone():
    torch.manual_seed(0)
    critic = domain_critic(3, 4).double()

    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))

        def features(self, x: torch.Tensor) -> torch.Tensor:
            return (x * self.scale).float()

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
            return self.features(x), None

    net, (old, new) = Scaled(), two()
    critic = critic.float()
    objective = Deceiving(critic, Scaled())
    batches = {"labelled-domain": _drawn(old), LABELLED: _drawn(new)}
    loss, _ = objective.loss(net, batches, Step(0, 1, 0, np.random.default_rng(0)))
    loss.backward()
    again = domain_critic(3, 4)
    again.load_state_dict(critic.state_dict())
    told_apart(again, old.float(), new.float()).backward()
    for ours, theirs in zip(critic.parameters(), again.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)
    other = Scaled()
    guess = again(other.features(new))
    torch.nn.functional.softplus(guess).mean().backward()  # -log(1 - sigmoid): the label of the old domain
    assert torch.allclose(net.scale.grad, other.scale.grad, atol=1e-7)


def _drawn(x: torch.Tensor) -> Drawn:
    return Drawn(x, torch.zeros(len(x)), torch.arange(len(x)))


def test_pseudo_labels_take_the_same_share_of_each_class_above_the_threshold():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), size=200)
    rows, labels = pseudo_labels(probs, 0.25, 0.6)
    answers, sure = probs.argmax(axis=1), probs.max(axis=1)
    assert np.array_equal(labels, answers[rows])
    assert (sure[rows] > 0.6).all()
    for code in range(3):
        mine = np.sort(sure[answers == code])[::-1]
        wanted = mine[: math.ceil(0.25 * len(mine))]
        assert np.allclose(np.sort(sure[rows][labels == code])[::-1], wanted[wanted > 0.6])
    certain = np.eye(3)[[0, 1, 2]]
    assert len(pseudo_labels(certain, 1.0, 1.0)[0]) == 0
    assert len(pseudo_labels(certain, 1.0, 0.99)[0]) == 3


def test_entropy_is_scipys():
    from scipy.stats import entropy

    outputs = np.random.default_rng(0).normal(size=(6, 4))
    probs = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    assert mean_entropy(torch.tensor(outputs)).item() == pytest.approx(entropy(probs, axis=1).mean())
