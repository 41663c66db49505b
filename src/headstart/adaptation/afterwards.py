"""Methods that adapt a network once it is trained on the labelled domain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from headstart.adaptation.method import Adaptation
from headstart.train.batches import Batches
from headstart.train.groups import Group
from headstart.train.loop import fit
from headstart.train.objectives import Drawn, Objective, Parts, Step, usual
from headstart.transfers.method import Recipe
from headstart.transfers.methods.fine_tune import FineTune
from headstart.transfers.network import Transferable, TransferNetwork
from headstart.transfers.setting import Setting

Adapt = Callable[[TransferNetwork], Mapping[str, float]]  # changes a trained network; returns facts for the record


@dataclass(frozen=True)
class Afterwards(Adaptation, FineTune):
    """Fine-tune on the labelled domain, then change the trained network with the new domain's inputs."""

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """As fine-tuning, with a second part."""
        recipe, train = super().build(network, setting), setting.parts.train
        first = usual(setting.training, train.task, torch.as_tensor(train.labels))
        return replace(recipe, objective=Then(first, lambda trained: self.adapt(trained, recipe.groups, setting)))

    def adapt(self, network: TransferNetwork, groups: Sequence[Group], setting: Setting) -> Mapping[str, float]:
        """Change the trained network; return what was measured."""
        raise NotImplementedError

    def further(
        self, network: nn.Module, groups: Sequence[Group], setting: Setting, train: Batches, objective: Objective,
        passes: int, streams: Mapping[str, Batches] | None = None,
    ) -> None:  # fmt: skip
        """Train on, by the ordinary loop, with an objective whose labelled stream is `train`."""
        training = replace(
            setting.training, epochs=passes, patience=None, mixup=0.0, l2_sp=0.0, balanced_sampling=False
        )
        fit(
            network, groups, train, None, training, task=setting.parts.train.task, objective=objective,
            streams=streams, device=setting.device, progress=setting.progress,
        )  # fmt: skip


class Then(Objective):
    """An objective, and a change of the network that it has trained."""

    def __init__(self, first: Objective, then: Adapt) -> None:
        self.first, self.then = first, then
        self.found: Mapping[str, float] = {}

    @property
    def facts(self) -> Mapping[str, float]:
        """What the change measured."""
        return self.found

    def prepare(self, batches: dict[str, Drawn], step: Step) -> dict[str, Drawn]:
        return self.first.prepare(batches, step)

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        return self.first.loss(network, batches, step)

    def end(self, network: nn.Module) -> None:
        """Change the trained network."""
        assert isinstance(network, TransferNetwork), "the loop trains what the method was given"
        self.found = self.then(network)
