"""Rare classes: weights, balanced sampling, the metric that counts, and what the record says of each class."""

import numpy as np
import pytest
import torch
from tests.transfers.tiny import SIZE, source

from headstart.data import open_target
from headstart.data.target import Target
from headstart.errors import InputError
from headstart.tasks import softmax, task_of
from headstart.train.batches import epoch_order
from headstart.train.head import fit_head
from headstart.train.objectives import Labels, balance
from headstart.transfers import transfer

KNOWN = {"cache": False, "rate": 0.002, "epochs": 2}


def rare(n: int = 200, share: float = 0.1, strength: float = 12) -> Target:
    """Two classes of noise that overlap; the second has that share of the examples."""
    rng = np.random.default_rng(0)
    labels = (np.arange(n) < share * n).astype(int)
    pixels = (
        rng.normal(110 + strength * labels[:, None, None, None], 30, (n, SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
    )
    return open_target((pixels, np.array(["usual", "rare"])[labels]))


def recall(run, name: str) -> float:
    return next(row.recall for row in run.outcome.by_class if row.name == name)


def test_weighted_loss_is_the_loss_on_repeated_examples() -> None:
    outputs, labels = torch.randn(4, 2), torch.tensor([0, 0, 0, 1])
    weighted = Labels("classification", weights=torch.tensor(balance(labels.numpy()))).of(outputs, labels)
    again = torch.tensor([0, 1, 2, 3, 3, 3])
    assert weighted.item() == pytest.approx(Labels("classification").of(outputs[again], labels[again]).item())


def test_a_weighted_head_is_the_head_of_repeated_examples() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), np.arange(40) % 4 == 0
    times = np.where(y, 3, 1)
    weighted = fit_head(x, y.astype(int), penalty=0.01, weights=times / times.mean())
    repeated = fit_head(np.repeat(x, times, axis=0), np.repeat(y.astype(int), times), penalty=0.01)
    assert softmax(weighted.outputs(x)) == pytest.approx(softmax(repeated.outputs(x)), abs=1e-4)
    assert not np.allclose(weighted.outputs(x), fit_head(x, y.astype(int), penalty=0.01).outputs(x), atol=0.1)


def test_a_balanced_epoch_draws_all_classes_alike() -> None:
    labels = np.repeat([0, 1], [900, 100])
    order = np.concatenate(epoch_order(1000, 32, 0, 0, balance(labels)[labels] / 1000))
    assert 0.45 < labels[order].mean() < 0.55
    assert (epoch_order(1000, 32, 0, 0, balance(labels)[labels] / 1000)[0] == order[:32]).all()


@pytest.mark.parametrize("method", ["head", "fine-tune"])
def test_class_weights_find_more_of_the_rare_class(method: str) -> None:
    given = {"cache": False} if method == "head" else {"cache": False, "rate": 0.01, "ratio": 1, "epochs": 3}
    plain, weighted = (
        transfer(rare(strength=4), source(), method=method, class_weights=w, **given) for w in (None, "balanced")
    )
    assert recall(weighted, "rare") > recall(plain, "rare")
    assert weighted.outcome.options["class_weights"] == "balanced"


def test_balanced_sampling_changes_the_training() -> None:
    given = {"method": "fine-tune", "cache": False, "rate": 0.01, "ratio": 1, "epochs": 3}
    plain, balanced = (transfer(rare(), source(), balanced_sampling=b, **given) for b in (None, True))
    assert recall(balanced, "rare") > recall(plain, "rare")


def test_predictions_of_one_class_are_noted_and_the_record_counts_them() -> None:
    run = transfer(rare(), source(), method="fine-tune", rate=1e-6, ratio=1, epochs=1, cache=False)
    assert any("every test example was predicted as" in note for note in run.outcome.notes)
    (row, other), matrix = sorted(run.outcome.by_class, key=lambda row: row.name), np.array(run.outcome.confusion)
    assert (row.name, other.name) == ("rare", "usual")
    assert matrix.sum() == run.outcome.n_test == row.n + other.n
    assert type(run.outcome).from_json(run.outcome.to_json()) == run.outcome


def test_the_metric_picks_the_epoch_and_is_reported_first() -> None:
    run = transfer(rare(), source(), method="fine-tune", metric="balanced_accuracy", **KNOWN)
    assert run.outcome.metric == "balanced_accuracy"
    plain = transfer(rare(), source(), method="fine-tune", **KNOWN)
    qualities = [[point.valid_quality for point in one.outcome.curve] for one in (run, plain)]
    assert qualities[0][0] < qualities[1][0]  # balanced accuracy is below accuracy while the rare class is missed
    assert transfer(rare(), source(), method="head", metric="roc_auc", cache=False).outcome.metric == "roc_auc"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "acuracy"}, "unknown metric 'acuracy'.*Did you mean `accuracy`"),
        ({"class_weights": "rare"}, "`class_weights` must be one of none, balanced"),
        ({"balanced_sampling": 1}, "`balanced_sampling` must be True or False"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        transfer(rare(), source(), method="fine-tune", cache=False, **options)


def test_values_have_no_class_weights() -> None:
    pixels = np.zeros((20, SIZE, SIZE, 3), np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None, None]
    amounts = open_target((pixels, np.arange(20) / 7))
    with pytest.raises(InputError, match="`class_weights` is for class labels"):
        transfer(amounts, source(), method="head", class_weights="balanced", cache=False)


def test_areas_under_curves_equal_their_definition() -> None:
    rng = np.random.default_rng(0)
    labels, second = np.arange(30) % 2, rng.random(30).round(1)
    probs = np.column_stack([1 - second, second])
    ahead = second[labels == 1][:, None] - second[labels == 0]
    task = task_of("classification")
    assert task.metric("roc_auc")(labels, probs) == pytest.approx(((ahead > 0) + (ahead == 0) / 2).mean())
    assert task.metric("pr_auc")(labels, np.eye(2)[labels]) == 1.0
    assert [metric.name for metric in task.metrics_on(np.zeros(5, int))][-1] == "calibration_error"
