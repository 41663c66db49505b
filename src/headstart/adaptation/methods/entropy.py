"""Entropy minimisation: the norms' weights learn to make the answers on the new domain sure.

Wang et al., "Tent: Fully Test-Time Adaptation by Entropy Minimization", ICLR 2021. https://arxiv.org/abs/2006.10726
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from headstart.adaptation.afterwards import Afterwards
from headstart.adaptation.method import adaptation
from headstart.adaptation.statistics import reestimate
from headstart.errors import InputError
from headstart.records.options import option
from headstart.tasks import task_of
from headstart.train.groups import Group, is_norm
from headstart.train.objectives import LABELLED, Drawn, Objective, Parts, Step
from headstart.transfers.method import Recipe
from headstart.transfers.network import Transferable, TransferNetwork
from headstart.transfers.setting import Setting


def mean_entropy(outputs: Tensor) -> Tensor:
    """Mean entropy of the answers softmax(outputs) (n, C), in nats: 0 where all are sure, log C where all guess.

    Example:
        >>> import torch
        >>> round(mean_entropy(torch.zeros(2, 4)).item(), 4)  # log 4
        1.3863
    """
    logs = outputs.log_softmax(dim=1)
    return -(logs.exp() * logs).sum(dim=1).mean()


class Certainty(Objective):
    """The mean entropy of the network's answers."""

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        return mean_entropy(network(batches[LABELLED].inputs).float()), {}


@adaptation("entropy")
@dataclass(frozen=True)
class Entropy(Afterwards):
    """Fine-tune, then train the norms' weights to make the answers on the new domain sure (Tent, 2021).

    Batch norm uses the new domain's statistics from then on.
    """

    norm_rate: float = option(1e-3, "Learning rate of the norms' weights", above=0)
    passes: int = option(1, "Passes over the new domain", low=1)

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """As fine-tuning, with a second part.

        Raises:
            InputError: The network has no norm with weights, or the task has no classes.
        """
        if not task_of(setting.parts.train.task).single_class:
            raise InputError(f"method `entropy` is for classification, and the task is {setting.parts.train.task}.")
        recipe = super().build(network, setting)
        if not any(group.rate > 0 for group in norms_only(network.network, recipe.groups, self.norm_rate)):
            raise InputError(f"method `entropy` trains the weights of norms, and {setting.source.name} has none.")
        return recipe

    def adapt(self, network: TransferNetwork, groups: Sequence[Group], setting: Setting) -> Mapping[str, float]:
        """Train the norms on the new domain."""
        new, keep = setting.unlabelled(), setting.training.keep_statistics
        self.further(network, norms_only(network, groups, self.norm_rate), setting, new, Certainty(), self.passes)
        if not keep:
            reestimate(network, new)
        return {}


def norms_only(network: nn.Module, groups: Sequence[Group], rate: float) -> tuple[Group, ...]:
    """Groups of the same parameters in which only the weights of norms train."""
    norms = {name: module for name, module in network.named_modules() if is_norm(module)}
    weights = {f"{name}.{each}" for name, module in norms.items() for each, _ in module.named_parameters()}
    live = [name for group in groups for name in group.parameters]
    trained, rest = ([name for name in live if (name in weights) == wanted] for wanted in (True, False))
    return Group("norms", tuple(trained), tuple(norms), rate if trained else 0.0), Group("rest", tuple(rest), (), 0.0)
