"""Methods that train a few of the weights there are: the biases, or the norms."""

from dataclasses import dataclass

from headstart.errors import InputError
from headstart.train.groups import is_norm
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.setting import Setting


@method("bitfit")
@dataclass(frozen=True)
class BitFit(Tuning):
    """Train only the biases and the head (Ben Zaken et al., ACL 2022)."""

    rate: float | None = learning_rate(1e-3)
    inserts = True

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """Every bias below the head, those of norms too.

        Raises:
            InputError: The network has no biases.
        """
        biases = [name for block in network.body for name in block.parameters if _is_bias(name.rpartition(".")[2])]
        if not biases:
            raise InputError("this network has no biases, so `bitfit` would train the head alone; use `head` for that.")
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, biases, rate=rate, head_rate=rate))


@method("norm")
@dataclass(frozen=True)
class NormTuning(Tuning):
    """Train only the scale and shift of the norms and the head; batch-norm statistics stay as they are."""

    rate: float | None = learning_rate(1e-3)
    inserts = True

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """Every norm's weight and bias below the head. Norms are found by what they are: one number a channel.

        Raises:
            InputError: The network has no norms with weights.
        """
        live = {name for block in network.body for name in block.parameters}
        found = [
            f"{name}.{part}"
            for name, module in network.network.body.named_modules(prefix="body")
            if is_norm(module)
            for part, _ in module.named_parameters(recurse=False)
        ]
        names = [name for name in found if name in live]
        if not names:
            raise InputError(
                "this network has no norms with weights, so `norm` would train the head alone; use `head`."
            )
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, names, rate=rate, head_rate=rate))


def _is_bias(name: str) -> bool:
    """Recurrent layers call theirs `bias_ih_l0`, attention `in_proj_bias`."""
    return name.startswith("bias") or name.endswith("bias")
