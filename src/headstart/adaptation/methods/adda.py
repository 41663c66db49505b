"""ADDA: a copy of the trained network learns features of the new domain that a critic takes for the labelled one's.

Tzeng et al., "Adversarial Discriminative Domain Adaptation", CVPR 2017. https://arxiv.org/abs/1702.05464
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits

from headstart.adaptation.afterwards import Afterwards
from headstart.adaptation.aligned import group_of
from headstart.adaptation.method import adaptation
from headstart.adaptation.methods.dann import domain_critic, told_apart
from headstart.adaptation.statistics import reestimate
from headstart.records.options import option
from headstart.train.batches import batches_of
from headstart.train.groups import Group
from headstart.train.objectives import LABELLED, Drawn, Objective, Parts, Step
from headstart.transfers.network import TransferNetwork
from headstart.transfers.setting import Setting

LABELLED_DOMAIN, CRITIC = "labelled-domain", "critic"


class Deceiving(Objective):
    """The critic's loss on the frozen network's old and the trained network's new features, and that of deceiving it.

    The critic learns from the first, the network from the second: the critic's loss on the new features with the other
    domain's label ("inverted labels", eq. 7 of the paper).
    """

    def __init__(self, critic: nn.Module, frozen: nn.Module) -> None:
        self.critic, self.frozen = critic, frozen.eval().requires_grad_(False)

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        """Both losses; the part "domains" is the critic's."""
        with torch.no_grad():
            old = self.frozen(batches[LABELLED_DOMAIN].inputs)[0].float()
        new = cast(TransferNetwork, network).features(batches[LABELLED].inputs).float()
        told = told_apart(self.critic, old, new.detach())
        fixed = {name: value.detach() for name, value in self.critic.named_parameters()}
        guess = functional_call(self.critic, fixed, (new,))
        deceived = binary_cross_entropy_with_logits(guess, torch.zeros_like(guess))
        return told + deceived, {"domains": told}


@adaptation("adda")
@dataclass(frozen=True)
class Adda(Afterwards):
    """Fine-tune, then train the body on the new domain to deceive a critic of features (Tzeng et al., 2017)."""

    hidden: int = option(128, "Width of the critic's hidden layer", low=1)
    passes: int = option(5, "Passes over the new domain", low=1)
    slower: float = option(10.0, "How many times smaller the body's rate is than in the fine-tuning", above=0)

    def adapt(self, network: TransferNetwork, groups: Sequence[Group], setting: Setting) -> Mapping[str, float]:
        """Train the body; head and labelled features stay as they are."""
        critic = domain_critic(network.head.in_features, self.hidden)
        objective = Deceiving(critic, copy.deepcopy(network.body))
        body = [replace(group, rate=0.0 if group.block == "head" else group.rate / self.slower) for group in groups]
        source = replace(setting.source, channels_last=False)  # as every network takes them while it trains
        old = batches_of(setting.parts.train, source, seed=setting.seed)
        network.add_module(CRITIC, critic)
        try:
            self.further(
                network, [*body, group_of(critic, CRITIC, self.rate_in(setting))], setting, setting.unlabelled(),
                objective, self.passes, {LABELLED_DOMAIN: old},
            )  # fmt: skip
        finally:
            delattr(network, CRITIC)
        if not setting.training.keep_statistics:
            reestimate(network, setting.unlabelled())
        return {}
