"""Deep adaptation through the ordinary loop: equal to no adaptation where it must be, seeded, resumed, on any data."""

import numpy as np
import pytest
import torch
from tests.adaptation.domains import parts, run, same, same_state, setting
from tests.transfers.tiny import source
from torch import nn

from headstart.adaptation import ADAPTATIONS
from headstart.adaptation.criteria import certainty, neighbourhood_density
from headstart.adaptation.methods.entropy import mean_entropy
from headstart.adaptation.statistics import reestimate
from headstart.errors import InputError
from headstart.sources import from_module
from headstart.tasks import softmax
from headstart.transfers.carry_out import planned
from headstart.transfers.run import Run

DEEP = [name for name, made in ADAPTATIONS.items() if made.trains and made.adapts]


@pytest.fixture(scope="module")
def plain() -> Run:
    return run("none-deep")


class KilledError(Exception):
    pass


def test_these_are_the_deep_methods():
    assert DEEP == ["adabn", "adda", "dann", "deep-coral", "entropy", "mmd", "self-training"]


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("dann", {"trade_off": 0.0}),
        ("mmd", {"trade_off": 0.0}),
        ("deep-coral", {"trade_off": 0.0}),
        ("self-training", {"threshold": 1.0}),
        ("self-training", {"trade_off": 0.0}),
    ],
)
def test_a_method_that_is_turned_off_is_no_adaptation_to_the_last_digit(plain: Run, name: str, off: dict):
    assert same(run(name, **off), plain)


@pytest.mark.parametrize("name", DEEP)
def test_it_changes_the_network_and_a_kill_changes_nothing(plain: Run, name: str, tmp_path):
    options = {"threshold": 0.3} if name == "self-training" else {}
    whole = run(name, **options)
    assert not same(whole, plain)

    def kill(event: object) -> None:
        if (event.what, event.done) == ("training", 5):
            raise KilledError

    with pytest.raises(KilledError):
        run(name, out=tmp_path, progress=kill, **options)
    torch.manual_seed(99)
    again = run(name, out=tmp_path, **options)
    assert same(again, whole)
    assert again.outcome.facts == whole.outcome.facts
    assert not hasattr(again.network, "inserts")
    assert not hasattr(again.network, "critic")


@pytest.mark.parametrize("name", [name for name in DEEP if name != "adabn"])
def test_texts_adapt_too(name: str):
    options = {"threshold": 0.3, "rounds": 1} if name == "self-training" else {}
    found = run(name, kind="text", epochs=1, **options)
    assert np.isfinite(found.predictions.outputs).all()


def test_adabn_is_the_plain_network_with_the_new_domains_statistics(plain: Run):
    found, expected = run("adabn"), run("none-deep").network
    reestimate(expected, setting("adabn").unlabelled())
    assert same_state(found.network, expected)
    assert all(torch.equal(a, b) for a, b in zip(found.network.parameters(), plain.network.parameters(), strict=True))


def test_entropy_trains_the_norms_alone_and_makes_the_answers_sure(plain: Run):
    found = run("entropy", passes=8, norm_rate=0.02)
    moved = {
        name
        for (name, a), b in zip(found.network.named_parameters(), plain.network.parameters(), strict=True)
        if not torch.equal(a, b)
    }
    assert moved
    assert all("norm" in name or "stem.1" in name for name in moved)
    new = parts().unlabelled
    entropies = [mean_entropy(torch.tensor(one.answer(new))).item() for one in (found, run("adabn"))]
    assert entropies[0] < entropies[1] - 0.01


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("dann", {"trade_off": 0.5}, {"trade_off": 2.0}),
        ("dann", {"hidden": 4}, {"hidden": 8}),
        ("adda", {"passes": 1}, {"passes": 2}),
        ("adda", {"slower": 1.0}, {"slower": 3.0}),
        ("entropy", {"norm_rate": 0.01}, {"norm_rate": 0.1}),
        ("self-training", {"threshold": 0.3}, {"threshold": 0.3, "noisy_student": True}),
        ("self-training", {"threshold": 0.3, "rounds": 1}, {"threshold": 0.3, "rounds": 2}),
    ],
)
def test_every_option_changes_the_result(name: str, first: dict, second: dict):
    assert not same(run(name, epochs=1, **first), run(name, epochs=1, **second))


def test_rows_of_numbers_adapt_where_a_network_reads_them():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)).eval()
    of = from_module(net, head="3", prepare=lambda x: torch.as_tensor(np.asarray(x).mean(axis=(0, 1))).float() / 255)
    found = run("dann", of=of, epochs=1)
    assert found.outcome.method == "dann"


def test_training_stops_early_and_the_curve_shows_the_distance():
    found = run("mmd", epochs=30, patience=1)
    assert found.outcome.epochs < 30
    assert set(found.outcome.curve[0].parts) == {"domains"}


@pytest.mark.parametrize("criterion", ["entropy", "density", "importance-weighted"])
def test_an_epoch_is_chosen_without_labels_of_the_new_domain(criterion: str):
    found, new = run("mmd", epochs=4, rate=0.05, select_epoch=criterion, l2_sp=0.01), parts().unlabelled
    values = [point.parts["epoch quality"] for point in found.outcome.curve]
    assert found.outcome.best_epoch is not None
    assert values[found.outcome.best_epoch - 1] == max(values) > min(values)
    if criterion == "importance-weighted":
        assert 0 <= min(values) < max(values) <= 1
        return
    assert new is not None
    probs = softmax(found.answer(new).astype(np.float64))
    measured = {"entropy": certainty, "density": neighbourhood_density}[criterion](probs)
    assert measured == pytest.approx(max(values), rel=1e-4)  # of the very network that is kept


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adabn", {"kind": "text"}, r"needs batch norm with running statistics.*Use `entropy`"),
        ("mmd", {"batch_size": 1}, "`batch_size` must be at least 2: method `mmd`"),
        ("dann", {"trade_off": -1.0}, "`trade_off` must be a number of at least 0"),
    ],
)
def test_what_does_not_fit_is_an_error(name: str, options: dict, message: str):
    with pytest.raises(InputError, match=message):
        planned(setting(name, **options))


def test_a_network_without_norms_has_no_entropy_method():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    of = from_module(net, head="2", prepare=source().prepare)
    with pytest.raises(InputError, match=r"trains the weights of norms, and .* has none"):
        planned(setting("entropy", of=of))
