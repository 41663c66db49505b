"""A method from elsewhere: with a loss of its own, a second stream without labels, and a part that is not kept."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.transfers.tiny import images, same, source, target
from torch import Tensor, nn
from torch.nn import functional

from headstart.errors import InputError
from headstart.records.options import option
from headstart.runner.progress import Event
from headstart.train.groups import Group
from headstart.train.objectives import LABELLED, Drawn, Labels, Objective, Parts, Step
from headstart.transfers import METHODS, load, transfer
from headstart.transfers.method import Recipe, method
from headstart.transfers.methods import FineTune
from headstart.transfers.network import Transferable
from headstart.transfers.setting import Setting

SHORT = {"method": "aligned", "epochs": 3, "batch_size": 16, "cache": False}


class Aligned(Objective):
    """The labels' loss, and that of a critic that tells features of the target from others, turned around."""

    def __init__(self, critic: nn.Module, weight: float, seen: list[tuple[int, ...]]) -> None:
        self.critic, self.weight, self.seen = critic, weight, seen
        self.labels = Labels("classification")

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        labelled, others = batches[LABELLED], batches["unlabelled"]
        self.seen.append(tuple(others.indices.tolist()))
        features = [network.features(drawn.inputs).float() for drawn in (labelled, others)]
        hard = self.labels.of(network.head(features[0]), labelled.labels)
        guesses = self.critic(torch.cat(features))[:, 0]
        truth = torch.cat([torch.zeros(len(labelled)), torch.ones(len(others))])
        told = functional.binary_cross_entropy_with_logits(guesses, truth)
        return hard + self.weight * told, {"target": hard, "critic": told}


@pytest.fixture
def seen() -> Iterator[list[tuple[int, ...]]]:
    """The method, known while a test runs; what it saw of the second stream."""
    drawn: list[tuple[int, ...]] = []

    @method("aligned")
    @dataclass(frozen=True)
    class AlignedTuning(FineTune):
        """Fine-tune beside a critic of the features."""

        unlabelled: str = option("", "Inputs without labels")
        weight: float = option(0.5, "Weight of the critic's loss", low=0)

        def build(self, network: Transferable, setting: Setting) -> Recipe:
            critic = nn.Linear(network.network.head.in_features, 1)
            names = ("inserts.critic.weight", "inserts.critic.bias")
            own = Group("critic", names, ("inserts.critic",), self.rate_in(setting), new=True)
            return Recipe(
                (*super().build(network, setting).groups, own),
                objective=Aligned(critic, self.weight, drawn),
                streams={"unlabelled": lambda: setting.unlabelled(self.unlabelled)},
                inserts={"critic": critic},
            )

    yield drawn
    del METHODS._entries["aligned"]


@pytest.fixture
def others(tmp_path: Path) -> str:
    place = tmp_path / "others"
    place.mkdir()
    for number, picture in enumerate(images(21, seed=4)[0]):
        picture.save(place / f"{number:02}.png")
    return str(place)


class KilledError(Exception):
    pass


def killer(after: int) -> Callable[[Event], None]:
    def report(event: Event) -> None:
        if (event.what, event.done) == ("training", after):
            raise KilledError

    return report


def test_its_loss_is_minimised_on_both_streams(seen: list[tuple[int, ...]], others: str, tmp_path: Path) -> None:
    run = transfer(target(), source(), unlabelled=others, out=tmp_path / "run", **SHORT)
    assert run.outcome.curve[-1].parts.keys() == {"critic"}
    assert run.outcome.options["weight"] == 0.5
    assert len(seen) == 9
    for first, last in ((0, 2), (2, 4), (4, 6)):  # 21 examples in batches of 16 and 5: each once a round
        assert sorted(i for rows in seen[first:last] for i in rows) == list(range(21))
    assert seen[0] != seen[2]
    assert not hasattr(run.network, "inserts")
    assert same(run, load(tmp_path / "run", source=source()))
    plain = transfer(target(), source(), unlabelled=others, weight=0.0, **SHORT)
    assert not same(run, plain)


@pytest.mark.parametrize("kill", [1, 4, 8])
def test_both_streams_resume_exactly(seen: list[tuple[int, ...]], others: str, tmp_path: Path, kill: int) -> None:
    whole = transfer(target(), source(), unlabelled=others, **SHORT)
    with pytest.raises(KilledError):
        transfer(target(), source(), unlabelled=others, out=tmp_path / "run", progress=killer(kill), **SHORT)
    torch.manual_seed(99)
    assert same(whole, transfer(target(), source(), unlabelled=others, out=tmp_path / "run", **SHORT))


def test_its_batches_are_cut_where_memory_runs_out(
    seen: list[tuple[int, ...]], others: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Aligned.loss

    def short_of_memory(self: Aligned, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> object:
        if len(batches[LABELLED]) > 9:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return loss(self, network, batches, step)

    monkeypatch.setattr(Aligned, "loss", short_of_memory)
    run = transfer(target(), source(), unlabelled=others, **SHORT)
    assert any("memory ran out in epoch 1: each batch is computed in 2 pieces" in note for note in run.outcome.notes)
    assert sorted(i for rows in seen[:4] for i in rows) == list(range(21))


def test_its_options_are_checked_like_all_others(seen: list[tuple[int, ...]], others: str) -> None:
    with pytest.raises(InputError, match="`weight` must be a number of at least 0; got -1"):
        transfer(target(), source(), unlabelled=others, weight=-1, **SHORT)
    with pytest.raises(InputError, match=r"there is no option `wieght`.*Did you mean `weight`"):
        transfer(target(), source(), unlabelled=others, wieght=1, **SHORT)
    with pytest.raises(InputError, match="`weight` has no effect with method `lora`"):
        transfer(target(), source(), weight=1.0, **SHORT | {"method": "lora"})
    assert np.all([not rows for rows in seen])


def test_its_name_cannot_be_taken_twice(seen: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="'aligned'"):
        method("aligned")(type("Other", (FineTune,), {}))
