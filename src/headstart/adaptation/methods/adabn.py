"""AdaBN: batch norm takes its statistics from the new domain.

Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2016. https://arxiv.org/abs/1603.04779
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.adaptation.afterwards import Afterwards
from headstart.adaptation.method import adaptation
from headstart.adaptation.statistics import has_statistics, reestimate
from headstart.errors import InputError
from headstart.train.groups import Group
from headstart.transfers.method import Recipe
from headstart.transfers.network import Transferable, TransferNetwork
from headstart.transfers.setting import Setting


@adaptation("adabn")
@dataclass(frozen=True)
class AdaBN(Afterwards):
    """Fine-tune, then give batch norm the new domain's mean and variance (Li et al., 2016)."""

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """As fine-tuning, with one pass over the new domain at the end.

        Raises:
            InputError: The network has no batch norm.
        """
        if not has_statistics(network.network.body):
            raise InputError(
                f"method `adabn` needs batch norm with running statistics, and {setting.source.name} has none. "
                "Use `entropy`, which trains the weights of any norm."
            )
        return super().build(network, setting)

    def adapt(self, network: TransferNetwork, groups: Sequence[Group], setting: Setting) -> Mapping[str, float]:
        """One pass over the new domain."""
        reestimate(network, setting.unlabelled())
        return {}
