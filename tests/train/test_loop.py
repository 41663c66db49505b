"""The training loop: exact resume, frozen parts, schedules, stopping, memory, and numbers that are not numbers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.errors import InputError, TrainingError
from headstart.runner import Event, Progress
from headstart.tasks import task_of
from headstart.train.batches import TensorBatches, epoch_order
from headstart.train.groups import Group, set_trainable
from headstart.train.loop import Fitted, _Loop, fit
from headstart.train.objectives import Labels
from headstart.train.training import Training


def data(n: int = 60, seed: int = 0) -> TensorBatches:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 3, 8, 8)) + labels[:, None, None, None] * 0.7
    return TensorBatches(torch.tensor(x, dtype=torch.float32), labels)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))


BODY = Group("body", ("0.weight", "0.bias", "1.weight", "1.bias"), ("0", "1", "2", "3"), 0.01)
HEAD = Group("head", ("6.weight", "6.bias"), ("6",), 0.1, new=True)
SHORT = Training(epochs=3, batch_size=16, seed=5, warmup=0.0)


class KilledError(Exception):
    pass


def killer(after: int) -> Progress:
    def report(event: Event) -> None:
        if event.done == after:
            raise KilledError

    return report


def state(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def timeless(fitted: Fitted) -> Fitted:
    return replace(fitted, seconds=0.0, curve=tuple(replace(point, seconds=0.0) for point in fitted.curve))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("kill", [1, 4, 5, 7, 12])
def test_a_training_killed_at_any_step_ends_with_the_same_numbers(tmp_path: Path, kill: int, optimizer: str) -> None:
    training = replace(SHORT, optimizer=optimizer, mixup=0.3, l2_sp=0.1, epochs=3)
    groups = [replace(BODY, thaw=1), HEAD]
    whole = network()
    expected = fit(whole, groups, data(), data(20, 1), training)
    path = tmp_path / "state.safetensors"
    with pytest.raises(KilledError):
        fit(
            network(),
            groups,
            data(),
            data(20, 1),
            training,
            checkpoint=path,
            checkpoint_seconds=0,
            progress=killer(kill),
        )
    torch.manual_seed(99)  # the state of the global generator must not matter
    again = network()
    got = fit(again, groups, data(), data(20, 1), training, checkpoint=path, checkpoint_seconds=0)
    assert same(state(again), state(whole))
    assert timeless(got) == timeless(expected)


@pytest.mark.parametrize("l2_sp", [0.0, 0.1])
def test_an_objective_may_change_the_network_once_it_is_trained(tmp_path: Path, l2_sp: float) -> None:
    seen: list[dict[str, Tensor]] = []

    class Doubled(Labels):
        def end(self, network: nn.Module) -> None:
            assert not network.training
            seen.append(state(network))
            with torch.no_grad():
                network.get_parameter("6.bias").mul_(2)

    training, path = replace(SHORT, l2_sp=l2_sp), tmp_path / "state.safetensors"
    nets = network(), network(), network()
    fit(nets[0], [BODY, HEAD], data(), data(20, 1), training)
    for net in nets[1:]:  # the second finds a finished training
        fit(net, [BODY, HEAD], data(), data(20, 1), training, objective=Doubled("classification"), checkpoint=path)
    assert same(seen[0], state(nets[0]))
    assert torch.equal(nets[1][6].bias, 2 * nets[0][6].bias)
    assert same(state(nets[1]), state(nets[2]))


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    first, second = network(), network()
    a = fit(first, [BODY, HEAD], data(), None, SHORT, checkpoint=path)
    b = fit(second, [BODY, HEAD], data(), None, SHORT, checkpoint=path, progress=killer(1))
    assert a == b
    assert same(state(first), state(second))


def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    fit(network(), [BODY, HEAD], data(), None, SHORT, checkpoint=path, identity="a")
    with pytest.raises(InputError, match="other data, another model or other options"):
        fit(network(), [BODY, HEAD], data(), None, SHORT, checkpoint=path, identity="b")


def test_a_damaged_checkpoint_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    fit(network(), [BODY, HEAD], data(), None, SHORT, checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"damaged.*Delete it"):
        fit(network(), [BODY, HEAD], data(), None, SHORT, checkpoint=path)


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fit_net = network()
    torch.manual_seed(3)
    fit(fit_net, [BODY, HEAD], data(), None, SHORT)
    assert torch.equal(torch.rand(1), expected)


def test_the_loop_is_plain_gradient_descent() -> None:
    """Against the same steps written out by hand with torch's own optimizer."""
    training = replace(SHORT, epochs=2, optimizer="sgd", schedule="constant", weight_decay=0.0, momentum=0.9)
    ours, theirs = network()[4:], network()[4:]
    x = data()
    x.inputs = x.inputs[:, :1].expand(-1, 6, -1, -1).contiguous()
    group = Group("head", ("6.weight", "6.bias"), ("6",), 0.1)
    fit(ours, [group], x, None, training)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(2):
        for indices in epoch_order(60, 16, 5, epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(theirs(x.inputs[indices]), x.labels[indices]).backward()
            optimizer.step()
    assert same(state(ours), state(theirs))


def test_a_frozen_part_does_not_move_at_all() -> None:
    net = network()
    before = state(net)
    fit(net, [replace(BODY, rate=0.0), HEAD], data(), None, SHORT)
    after = state(net)
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith("6."))
    assert not torch.equal(before["6.weight"], after["6.weight"])


def test_a_trained_part_does_move_its_statistics_unless_told_to_keep_them() -> None:
    for keep in (False, True):
        net = network()
        before = net[1].running_mean.clone()
        fit(net, [BODY, HEAD], data(), None, replace(SHORT, keep_statistics=keep))
        assert torch.equal(net[1].running_mean, before) is keep


def test_dropout_of_a_frozen_block_is_off_and_on_once_it_thaws() -> None:
    net = network()
    groups = [replace(BODY, thaw=2), HEAD]
    assert set_trainable(net, groups, 1) == 21
    assert [net[i].training for i in (1, 3, 6)] == [False, False, True]
    assert not net.training  # spans a frozen block
    assert set_trainable(net, groups, 2) == 21 + 6 * 27 + 6 + 12
    assert [net[i].training for i in (1, 3, 6)] == [True, True, True]
    assert net.training


def test_a_thawing_block_rests_until_its_epoch() -> None:
    seen = []
    net = network()
    start = net[0].weight.detach().clone()

    def report(event: Event) -> None:
        if not event.message:  # of a step, not of an epoch
            seen.append(torch.equal(net[0].weight, start))

    fitted = fit(net, [replace(BODY, thaw=2), HEAD], data(), None, SHORT, progress=report)
    assert seen == [True] * 8 + [False] * 4
    assert [point.trained for point in fitted.curve] == [21, 21, 201]


@pytest.mark.parametrize(("thaw", "epochs", "batch"), [(0, 3, 16), (2, 3, 16), (3, 4, 60)])
def test_every_block_reaches_the_rate_of_the_plan_however_late_it_thaws(thaw: int, epochs: int, batch: int) -> None:
    seen: list[dict[float, float]] = []  # of each step: peak -> rate
    training = Training(epochs=epochs, batch_size=batch, schedule="slanted")
    loop = _Loop(
        *(network(), [replace(BODY, thaw=thaw), HEAD], data(), None, training, task_of("classification")),
        *(torch.device("cpu"), Labels("classification"), {}, None, "", 60.0),
        lambda event: seen.append({group["peak"]: group["lr"] for group in loop.optimizer.param_groups}),
    )
    loop.run()
    for peak in (BODY.rate, HEAD.rate):
        assert max(rates[peak] for rates in seen) == pytest.approx(peak)


def test_early_stopping_keeps_the_best_epoch() -> None:
    net = network()
    training = replace(SHORT, epochs=30, patience=2, schedule="constant")
    valid = data(30, 1)
    fitted = fit(net, [BODY, replace(HEAD, rate=0.5)], data(), valid, training)
    assert len(fitted.curve) < 30
    assert fitted.best_epoch == len(fitted.curve) - 2
    assert fitted.stopped == "no better validation quality for 2 epochs"
    net.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(net(valid.inputs), valid.labels).item()
    assert loss == pytest.approx(fitted.curve[fitted.best_epoch - 1].valid_loss, abs=1e-6)


def test_a_loss_that_is_not_a_number_stops_with_epoch_rate_and_advice() -> None:
    with pytest.raises(TrainingError, match=r"epoch 1 .*highest rate 9.*`rate=1e.*warmup.*clip"):
        fit(network(), [replace(BODY, rate=1e20), replace(HEAD, rate=1e20)], data(), None, SHORT)


class Forgetful(nn.Module):
    """Runs out of memory on more than `most` examples, as a device does."""

    def __init__(self, inner: nn.Module, most: int) -> None:
        super().__init__()
        self.inner, self.most = inner, most

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.most and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return self.inner(x)


def inside(group: Group) -> Group:
    names = tuple(f"inner.{name}" for name in group.parameters)
    return replace(group, parameters=names, modules=tuple(f"inner.{name}" for name in group.modules))


def test_out_of_memory_halves_the_batch_says_so_and_changes_nothing_else() -> None:
    head = [inside(replace(BODY, rate=0.0)), inside(HEAD)]
    full, halved = Forgetful(network(), 100), Forgetful(network(), 5)
    fit(full, head, data(), None, replace(SHORT, optimizer="sgd"))
    fitted = fit(halved, head, data(), None, replace(SHORT, optimizer="sgd"))
    assert [note.split(":")[0] for note in fitted.notes] == ["memory ran out in epoch 1"] * 2
    assert "4 pieces" in fitted.notes[-1]
    assert torch.allclose(full.inner[6].weight, halved.inner[6].weight, atol=1e-6)


def test_out_of_memory_on_the_smallest_batch_is_an_error() -> None:
    with pytest.raises(TrainingError, match="memory ran out even with 2 examples"):  # batch norm needs two
        fit(Forgetful(network(), 1), [inside(BODY), inside(HEAD)], data(), None, SHORT)


def test_a_batch_of_one_with_batch_norm_keeps_its_statistics_and_says_so() -> None:
    net = network()
    fitted = fit(net, [BODY, HEAD], data(6), None, replace(SHORT, batch_size=1))
    assert "batch norm kept its pretrained statistics" in fitted.notes[0]
    assert torch.equal(net[1].running_mean, torch.zeros(6))
    assert not torch.equal(net[0].weight, network()[0].weight)


def test_a_last_batch_of_one_joins_its_neighbour() -> None:
    batches = epoch_order(33, 16, seed=0, epoch=1)
    assert [len(batch) for batch in batches] == [16, 17]
    assert sorted(np.concatenate(batches)) == list(range(33))


@pytest.mark.parametrize(
    "change",
    [
        {"smoothing": 0.2},
        {"mixup": 0.5},
        {"l2_sp": 5.0},
        {"clip": 0.01},
        {"weight_decay": 0.9},
        {"schedule": "slanted", "warmup": 0.1},
        {"schedule": "constant"},
        {"warmup": 0.5},
        {"optimizer": "sgd"},
        {"precision": "bf16"},
        {"seed": 6},
        {"batch_size": 8},
        {"keep_statistics": True},
    ],
    ids=lambda change: next(iter(change.items())),
)
def test_every_option_changes_the_result(change: dict) -> None:
    plain, changed = network(), network()
    fit(plain, [BODY, HEAD], data(), None, SHORT)
    fit(changed, [BODY, HEAD], data(), None, replace(SHORT, **change))
    assert not same(state(plain), state(changed))


def test_half_width_stays_close_and_auto_is_whole_on_a_cpu() -> None:
    nets = {name: network() for name in ("fp32", "bf16", "auto")}
    for name, net in nets.items():
        fit(net, [BODY, HEAD], data(), None, replace(SHORT, precision=name))
        assert {value.dtype for value in net.parameters()} == {torch.float32}
    states = {name: state(net) for name, net in nets.items()}
    assert same(states["auto"], states["fp32"])
    x = data(30, 1).inputs
    with torch.no_grad():
        whole, half = (nets[name](x).softmax(dim=1) for name in ("fp32", "bf16"))
    assert 0 < (whole - half).abs().max() < 0.05


def test_half_width_is_advised_against_where_it_breaks() -> None:
    groups = [replace(BODY, rate=1e20), replace(HEAD, rate=1e20)]
    with pytest.raises(TrainingError, match="`precision='fp32'`"):
        fit(network(), groups, data(), None, replace(SHORT, precision="bf16"))


def test_momentum_changes_the_result_of_sgd() -> None:
    nets = [network(), network()]
    for net, momentum in zip(nets, (0.9, 0.5), strict=True):
        fit(net, [BODY, HEAD], data(), None, replace(SHORT, optimizer="sgd", momentum=momentum))
    assert not same(state(nets[0]), state(nets[1]))


def test_the_pull_to_the_start_keeps_old_weights_near_and_leaves_new_ones_free() -> None:
    nets = [network(), network()]
    for net, pull in zip(nets, (0.0, 5.0), strict=True):
        fit(net, [BODY, HEAD], data(), None, replace(SHORT, optimizer="sgd", l2_sp=pull, weight_decay=0.0))
    start = network()[0].weight
    assert (nets[1][0].weight - start).norm() < 0.8 * (nets[0][0].weight - start).norm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "`epochs` must be a whole number of at least 1; got 0"),
        ({"smoothing": 1.0}, r"`smoothing` must be a number in \[0, 1\)"),
        ({"patience": 0}, "`patience` must be a whole number of at least 1"),
        ({"weight_decay": float("nan")}, "`weight_decay` must be a number of at least 0; got nan"),
        ({"mixup": float("nan")}, "`mixup` must be a number of at least 0; got nan"),
        ({"l2_sp": float("nan")}, "`l2_sp` must be a number of at least 0; got nan"),
        ({"clip": float("nan")}, "`clip` must be a number greater than 0; got nan"),
        ({"clip": 0.0}, "`clip` must be a number greater than 0; got 0.0"),
        ({"schedule": "linear"}, "`schedule` must be one of constant, cosine, slanted"),
    ],
)
def test_settings_out_of_range_are_errors(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Training(**options)


def test_a_loss_that_is_no_number_is_said_with_its_step() -> None:
    broken = TensorBatches(torch.full((60, 3, 8, 8), float("nan")), np.arange(60) % 3)
    with pytest.raises(TrainingError, match=r"the validation loss is not a finite number in epoch 1 \(step 4 of 12,"):
        fit(network(), [BODY, HEAD], data(), broken, SHORT)
    with pytest.raises(TrainingError, match=r"the loss is not a finite number in epoch 1 \(step 1 of 12,"):
        fit(network(), [BODY, HEAD], broken, None, SHORT)


def test_mixup_of_what_cannot_be_mixed_is_an_error() -> None:
    batches = TensorBatches(torch.zeros(4, 2), torch.zeros(4))
    with pytest.raises(InputError, match="`mixup` mixes images with class labels"):
        fit(
            nn.Linear(2, 1),
            [Group("x", ("weight", "bias"), ("",), 0.1)],
            batches,
            None,
            Training(mixup=0.2),
            task="regression",
        )


def test_regression_and_several_labels_train() -> None:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(80, 4)), dtype=torch.float32)
    group = Group("all", ("weight", "bias"), ("",), 0.05)
    training = replace(SHORT, epochs=40, weight_decay=0.0)
    net = nn.Linear(4, 1)
    fitted = fit(
        net, [group], TensorBatches(x, x[:, 0] * 2), TensorBatches(x, x[:, 0] * 2), training, task="regression"
    )
    assert fitted.curve[-1].valid_quality == pytest.approx(1.0, abs=0.01)  # R2
    many = (x[:, :2] > 0).long()
    fitted = fit(nn.Linear(4, 2), [group], TensorBatches(x, many), TensorBatches(x, many), training, task="multi-label")
    assert fitted.curve[-1].valid_quality > 0.95


def test_epochs_are_ordered_by_their_error_where_validation_labels_do_not_vary() -> None:
    labels = torch.full((7, 1), 0.1, dtype=torch.float64)  # their mean is a rounding beside it
    perfect, near, far = (task_of("regression").quality(labels + error, labels) for error in (0.0, 0.5, 2.0))
    assert (perfect, near, far) == pytest.approx((0.0, -0.25, -4.0))
    assert task_of("regression").quality(labels[:1] + 2, labels[:1]) == pytest.approx(-4.0)
    two = torch.tensor([[0.5, 1.0], [0.5, 3.0]])  # one of two targets varies: R2 of both together
    assert task_of("regression").quality(two + torch.tensor([1.0, 0.0]), two) == pytest.approx(0.0)


def test_the_checkpoint_holds_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    fit(network(), [BODY, HEAD], data(), None, SHORT, checkpoint=path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["headstart"])["progress"]["step"] == 12


def test_of_epochs_of_equal_quality_the_one_with_the_lower_loss_is_kept() -> None:
    x = torch.tensor([[-2.0], [2.0]]).repeat(8, 1)
    both = TensorBatches(x, torch.tensor([0, 1]).repeat(8))
    net = nn.Linear(1, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[-0.1], [0.1]]))  # right from the start
        net.bias.zero_()
    group = Group("all", ("weight", "bias"), ("",), 0.01)
    fitted = fit(net, [group], both, both, replace(SHORT, epochs=4, schedule="constant"))
    losses = [point.valid_loss for point in fitted.curve]
    assert {point.valid_quality for point in fitted.curve} == {1.0}
    assert losses == sorted(losses, reverse=True)
    assert fitted.best_epoch == 4


def test_patience_begins_again_where_the_last_block_thaws() -> None:
    still = [replace(BODY, rate=1e-30, thaw=3), replace(HEAD, rate=1e-30)]
    training = replace(SHORT, epochs=20, patience=2, keep_statistics=True, weight_decay=0.0)
    assert len(fit(network(), still, data(), data(20, 1), training).curve) == 6
    at_once = [replace(group, thaw=0) for group in still]
    assert len(fit(network(), at_once, data(), data(20, 1), training).curve) == 3
