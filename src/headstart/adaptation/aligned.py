"""Methods that train on the labels of one domain while they pull the features of both together."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from headstart.adaptation.epochs import Quality, quality_by
from headstart.adaptation.method import Adaptation
from headstart.adaptation.statistics import reestimate, unrecorded
from headstart.errors import InputError
from headstart.records.options import option
from headstart.train.batches import Batches
from headstart.train.groups import Group
from headstart.train.objectives import LABELLED, Drawn, Labels, Objective, Parts, Step, labels_loss
from headstart.transfers.method import Recipe
from headstart.transfers.methods.fine_tune import FineTune
from headstart.transfers.network import Transferable, TransferNetwork
from headstart.transfers.setting import Setting

UNLABELLED = "unlabelled"
Distance = Callable[[Tensor, Tensor, float], Tensor]  # features (b, d) and (c, d), share of the training -> how far


@dataclass(frozen=True)
class Aligning(Adaptation, FineTune):
    """Fine-tune with loss(labels) + trade_off * distance(features of the two domains)."""

    trade_off: float = option(1.0, "Weight of the distance between the domains' features", low=0)
    select_epoch: Literal["source-risk", "importance-weighted", "entropy", "density"] = option(
        "source-risk", "What chooses the epoch without labels of the new domain, as `select` chooses the method"
    )

    @classmethod
    def unused(cls) -> frozenset[str]:
        """Blended images would have no domain."""
        return super().unused() | {"mixup"}

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """As fine-tuning, with the distance in the loss.

        Raises:
            InputError: Batches hold one example.
        """
        if setting.training.batch_size < 2:
            raise InputError(f"`batch_size` must be at least 2: method `{self.name}` compares batches; got 1.")
        train, keep = setting.parts.train, setting.training.keep_statistics
        new = setting.unlabelled()
        distance, beside = self.distance(network.network.head.in_features)
        labels = labels_loss(setting.training, train.task, torch.as_tensor(train.labels))
        recipe, rate = super().build(network, setting), self.rate_in(setting)
        return replace(
            recipe,
            groups=(*recipe.groups, *(group_of(part, f"inserts.{name}", rate) for name, part in beside.items())),
            objective=Aligned(
                labels, distance, self.trade_off, None if keep else new, quality_by(self.select_epoch, setting, new)
            ),
            streams={UNLABELLED: lambda: new},
            inserts=beside,
        )

    def distance(self, width: int) -> tuple[Distance, Mapping[str, nn.Module]]:
        """The distance between features of that width, and modules that train with it, by name."""
        raise NotImplementedError


class Aligned(Objective):
    """The labels' loss and trade_off times a distance between the features of the domains.

    Each domain passes through the network by itself, so batch norm uses its own statistics. The running ones are the
    labelled domain's while the network trains, and the new domain's once it is trained.

    Args:
        new: The new domain; None leaves the labelled domain's statistics in the finished network.
        judge: The quality of a finished network, by which an epoch is chosen; None: that on the validation part.
    """

    def __init__(
        self, labels: Labels, distance: Distance, trade_off: float, new: Batches | None, judge: Quality | None = None
    ) -> None:
        self.labels, self.distance, self.trade_off, self.new, self.judge = labels, distance, trade_off, new, judge

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        """The loss of a chunk; its parts are "target" and "domains"."""
        whole = cast(TransferNetwork, network)
        old = whole.features(batches[LABELLED].inputs)
        outputs = whole.head(old.to(whole.head.weight.dtype)).float()
        hard = self.labels.of(outputs, batches[LABELLED].labels)
        if not self.trade_off:  # the very numbers of a training without adaptation
            return hard, {}
        with unrecorded(network):
            new = whole.features(batches[UNLABELLED].inputs)
        apart = self.distance(old.float(), new.float(), step.number / step.steps)
        return hard + self.trade_off * apart, {"target": hard, "domains": apart}

    def quality(self, network: nn.Module) -> float | None:
        """That of the network as it would be if the training ended here."""
        if self.judge is None:
            return None
        finished = copy.deepcopy(network)
        self.end(finished)
        return self.judge(finished)

    def end(self, network: nn.Module) -> None:
        """Give the finished network the new domain's statistics."""
        if self.trade_off and self.new is not None:
            reestimate(network, self.new)


def group_of(module: nn.Module, path: str, rate: float) -> Group:
    """The group in which a whole new module trains that lies at `path` of the network."""
    names = tuple(f"{path}.{name}" for name, _ in module.named_parameters())
    modules = tuple(f"{path}.{name}".rstrip(".") for name, _ in module.named_modules())
    return Group(path, names, modules, rate, new=True)
