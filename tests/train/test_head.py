"""Heads against scikit-learn, brute-force leave-one-out, closed forms and torch's own SGD."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeCV

from headstart.errors import InputError
from headstart.train.head import LinearHead, fit_head, fit_ridge
from headstart.train.head_sgd import fit_heads_sgd
from headstart.train.lbfgs import minimise


def task(n: int, d: int, classes: int, *, seed: int = 0, pull: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of very different spread: what makes solvers slow."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = rng.normal(size=(classes, d)) * pull / np.sqrt(d)
    mix = rng.normal(size=(d, d)) * np.logspace(0, -1.5, d)
    return (centres[labels] + rng.normal(size=(n, d))) @ mix + 3.0, labels


def objective(weight: np.ndarray, bias: np.ndarray, x: np.ndarray, y: np.ndarray, penalty: float) -> float:
    logits = x @ weight.T + bias
    losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
    return float(losses.mean() + penalty / 2 * (weight**2).sum())


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 100, 3), (200, 20, 4), (80, 80, 2)])
@pytest.mark.parametrize("penalty", [1.0, 1e-2])
def test_the_objective_equals_scikit_learns(n: int, d: int, classes: int, penalty: float) -> None:
    x, y = task(n, d, classes)
    ours = fit_head(x, y, penalty=penalty)
    theirs = LogisticRegression(C=1 / (n * penalty), tol=1e-10, max_iter=50_000).fit(x, y)
    weight, bias = theirs.coef_, theirs.intercept_
    if classes == 2:  # one row there, two opposite ones here
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        theirs = LogisticRegression(C=2 / (n * penalty), tol=1e-10, max_iter=50_000).fit(x, y)
        weight, bias = np.vstack([-theirs.coef_, theirs.coef_]) / 2, np.r_[-theirs.intercept_, theirs.intercept_] / 2
    reached = objective(ours.weight, ours.bias, x, y, penalty)
    assert reached == pytest.approx(ours.objective, rel=1e-9)
    assert reached <= objective(weight, bias, x, y, penalty) + 1e-9
    assert reached == pytest.approx(objective(weight, bias, x, y, penalty), abs=1e-6)


def test_the_gradient_vanishes_at_the_solution() -> None:
    x, y = task(90, 40, 3)
    head = fit_head(x, y, penalty=0.05)
    logits = torch.tensor(head.outputs(x), requires_grad=True)
    torch.nn.functional.cross_entropy(logits, torch.tensor(y)).backward()
    assert np.abs(logits.grad.numpy().T @ x + 0.05 * head.weight).max() < 1e-4 * np.abs(x).max()
    assert np.abs(logits.grad.numpy().sum(axis=0)).max() < 1e-6


def left_out_by_force(x: np.ndarray, y: np.ndarray, classes: int, penalty: float) -> float:
    losses = []
    for i in range(len(y)):
        kept = np.arange(len(y)) != i
        head = fit_head(x[kept], y[kept], classes=classes, penalty=penalty)
        logits = head.outputs(x[i])
        losses.append(np.logaddexp.reduce(logits) - logits[y[i]])
    return float(np.mean(losses))


def test_the_penalty_is_about_as_good_as_the_best_by_brute_force() -> None:
    x, y = task(36, 24, 3, pull=3.0)
    head = fit_head(x, y)
    losses = [left_out_by_force(x, y, 3, head.penalty * factor) for factor in (0.03, 1.0, 30.0)]
    assert losses[1] < min(losses[0], losses[2])
    assert head.estimate == pytest.approx(losses[1], rel=0.25)  # one Newton step, class by class: good, not exact
    assert head.chosen_by == "leave-one-out"


def test_above_the_cost_limit_a_fifth_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = task(100, 20, 2)
    by_one = fit_head(x, y)
    monkeypatch.setattr("headstart.train.head.LEAVE_ONE_OUT_COST", 0)
    held = fit_head(x, y, seed=1)
    assert held.chosen_by == "a held-out fifth"
    assert held.objective < np.log(2)
    assert 1e-3 < held.penalty / by_one.penalty < 1e3


def test_threads_change_nothing_and_their_number_is_left_alone() -> None:
    x, y = task(30, 40, 3)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = fit_head(x, y)
        torch.set_num_threads(2)
        shared = fit_head(x, y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert alone.penalty == pytest.approx(shared.penalty, rel=1e-6)
    assert np.allclose(alone.outputs(x), shared.outputs(x), atol=1e-6)


def test_scaling_and_moving_the_features_changes_no_prediction() -> None:
    x, y = task(60, 20, 3)
    plain, moved = fit_head(x, y), fit_head(x * 100 - 7, y)
    assert np.allclose(plain.outputs(x), moved.outputs(x * 100 - 7), atol=1e-2)
    assert moved.penalty == pytest.approx(plain.penalty * 1e4, rel=1e-3)


def test_a_class_without_examples_is_finite_and_unlikely() -> None:
    x, y = task(60, 10, 3)
    head = fit_head(x, y * 2, classes=6)
    logits = head.outputs(x)
    probabilities = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    assert np.isfinite(logits).all()
    assert probabilities[:, [1, 3, 5]].mean() < 0.05


def test_one_example_per_class_works() -> None:
    head = fit_head(np.eye(4), np.arange(4))
    assert head.outputs(np.eye(4)).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_several_labels_are_one_logistic_regression_each() -> None:
    x, y = task(90, 12, 3)
    labels = np.stack([y == 0, y == 2], axis=1).astype(int)
    head = fit_head(x, labels, penalty=0.1)
    for column in range(2):
        theirs = LogisticRegression(C=1 / (90 * 0.1), tol=1e-10, max_iter=10_000).fit(x, labels[:, column])
        assert np.allclose(head.outputs(x)[:, column], theirs.decision_function(x), atol=1e-3)


def test_regression_and_its_penalty_equal_scikit_learns_leave_one_out() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 20)) * np.logspace(0, -2, 20) + 2
    values = x[:, :3] @ [1.0, -2.0, 3.0] + rng.normal(size=50)
    ours = fit_ridge(x, values)
    theirs = RidgeCV(alphas=[ours.penalty * 50], store_cv_results=True).fit(x, values)
    assert np.allclose(ours.weight[0], theirs.coef_, atol=1e-6)
    assert ours.bias[0] == pytest.approx(theirs.intercept_, abs=1e-6)
    assert ours.estimate == pytest.approx(theirs.cv_results_.mean(), rel=1e-6)


def test_sgd_is_torchs_sgd() -> None:
    x, y = task(23, 6, 3)
    x = x.astype(np.float32)
    (head,) = fit_heads_sgd(x[None], y[None], epochs=4, rate=0.02, batch_size=10, seed=7)
    layer = torch.nn.Linear(6, 3)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.02)
    rng = np.random.default_rng(7)
    for _ in range(4):
        for part in torch.as_tensor(rng.permutation(23)).split(10):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(torch.tensor(x)[part]), torch.tensor(y)[part]).backward()
            optimizer.step()
    assert np.allclose(head.weight, layer.weight.detach().numpy(), atol=1e-5)
    assert np.allclose(head.bias, layer.bias.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("change", [{"epochs": 3}, {"rate": 0.1}, {"batch_size": 3}, {"seed": 1}])
def test_every_option_of_sgd_changes_the_result(change: dict) -> None:
    x, y = task(20, 4, 2)
    options = {"epochs": 2, "rate": 0.01, "batch_size": 10, "seed": 0}
    plain, changed = (fit_heads_sgd(x[None], y[None], **o)[0] for o in (options, {**options, **change}))
    assert not np.allclose(plain.weight, changed.weight)


def test_sgd_starts_where_it_is_told() -> None:
    x, y = task(30, 5, 3)
    best = fit_head(x, y, penalty=1e-3)
    start = (best.weight[None], best.bias[None])
    (cold,), (warm,) = fit_heads_sgd(x[None], y[None], epochs=1), fit_heads_sgd(x[None], y[None], epochs=1, start=start)
    assert warm.objective < cold.objective


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.zeros((3, 2)), np.zeros(4, int), {}, r"one row of `labels` per example"),
        (np.full((3, 2), np.nan), np.arange(3), {}, r"`features` must be finite; 6 numbers are not"),
        (np.zeros((3, 2)), np.zeros(3, int), {}, r"at least two classes"),
        (np.eye(3), np.arange(3), {"penalty": 0.0}, r"`penalty` must be greater than 0"),
    ],
)
def test_input_that_does_not_fit_is_an_error(x: np.ndarray, y: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_head(x, y, **options)


def test_the_input_is_left_alone() -> None:
    x, y = task(20, 5, 2)
    before = x.copy()
    fit_head(x, y)
    assert np.array_equal(x, before)


def test_minimise_finds_the_minimum_of_a_badly_scaled_bowl() -> None:
    scale, goal = torch.logspace(0, 3, 8).double(), torch.arange(8).double()

    def bowl(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (scale * (x - goal) ** 2).sum() / 2, scale * (x - goal)

    point, value = minimise(bowl, torch.zeros(8).double())
    assert torch.allclose(point, goal, atol=1e-4)
    assert value < 1e-8


def test_outputs_of_a_head() -> None:
    head = LinearHead(np.array([[1.0, 2.0]]), np.array([3.0]), 1.0, 0.0, "given")
    assert head.outputs(np.array([[10.0, 100.0]])).tolist() == [[213.0]]


def test_an_absent_class_has_the_odds_of_half_an_example_at_the_mean() -> None:
    x = np.random.default_rng(0).normal(size=(10, 3))
    head = fit_head(x, np.array([0, 2] * 5), classes=3, penalty=0.1)
    logits = head.outputs(x.mean(axis=0))
    assert np.exp(logits[1]) / np.exp(logits[[0, 2]]).sum() == pytest.approx(0.5 / 10)
