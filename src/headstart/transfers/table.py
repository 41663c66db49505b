"""The one table of strategies: what each takes, for what data, and where it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headstart.errors import InputError, did_you_mean
from headstart.records import Kind
from headstart.train.groups import Group
from headstart.train.training import SETTINGS, Training
from headstart.transfers import (
    adapters,
    bitfit,
    fine_tune,
    gradual,
    layer_decay,
    lora,
    norm_tuning,
    partial,
    prefix,
    prompt,
    qlora,
    scratch,
    visual_prompt,
)
from headstart.transfers.network import Transferable
from headstart.transfers.options import Options

Plan = Callable[[Transferable, Options, int], tuple[Group, ...]]  # (model, options, epochs)


def _at_once(plan: Callable[[Transferable, Options], tuple[Group, ...]]) -> Plan:
    return lambda model, options, epochs: plan(model, options)


@dataclass(frozen=True)
class Strategy:
    """One way to transfer. `plan` may edit the network it is given, which is a copy, and says what trains."""

    name: str
    title: str
    meaning: str  # one sentence a newcomer can use
    uses: frozenset[str]  # names of the options that it takes
    plan: Plan | None  # None: only a head on fixed features, without the training loop
    kinds: frozenset[Kind] = frozenset({"image", "text"})
    defaults: Mapping[str, Any] = field(default_factory=dict)  # settings of the training that differ from its own
    scratch: bool = False
    probe_first: bool = False  # the head starts from its optimum on the fixed features
    inserts: bool = False  # its trained part can be saved alone: all else stays as it is, statistics too
    tunes: bool = True  # trains weights that the source brought along

    def takes(self, settings: Mapping[str, Any], *, after_another: bool = False) -> frozenset[str]:
        """Names of all that changes something: the options, and where a network trains, how.

        Args:
            settings: What was given, by which more may be of no use.
            after_another: Training on other data comes first, and takes the settings of a training in any case.
        """
        trained = set() if self.plan is None else {*SETTINGS, "augment"} - self._idle(settings)
        return self.uses | trained | set(SETTINGS if after_another else ())

    def _idle(self, settings: Mapping[str, Any]) -> set[str]:
        """Settings of a training that change nothing in this one."""
        used = {"schedule": Training.schedule, "optimizer": Training.optimizer, **self.defaults}
        used |= {name: value for name, value in settings.items() if value is not None}
        idle = {
            "l2_sp": not self.tunes,
            "keep_statistics": self.inserts,
            "warmup": used["schedule"] == "slanted",
            "momentum": used["optimizer"] != "sgd",
        }
        return {name for name, of_no_use in idle.items() if of_no_use}


TUNED = frozenset({"rate", "ratio"})
ROWS = (
    Strategy(
        "head",
        "feature extraction",
        "A linear head on the source's fixed features.",
        frozenset({"layer", "solver", "penalty", "warm_start", "rate"}),
        None,
    ),
    Strategy(
        "fine-tune",
        "fine-tuning",
        "The whole network trains, the pretrained part more slowly than the head.",
        TUNED,
        _at_once(fine_tune.plan),
    ),
    Strategy(
        "partial",
        "partial fine-tuning",
        "Only the top blocks and the head train.",
        TUNED | {"top"},
        _at_once(partial.plan),
    ),
    Strategy(
        "probe-fine-tune",
        "linear probe, then fine-tuning",
        "The head is solved first, then everything trains (Kumar et al., ICLR 2022).",
        TUNED | {"penalty"},
        _at_once(fine_tune.plan),
        probe_first=True,
    ),
    Strategy(
        "gradual",
        "gradual unfreezing",
        "Block after block thaws from the top down (ULMFiT).",
        frozenset({"rate", "decay"}),
        gradual.plan,
        defaults={"schedule": "slanted"},
    ),
    Strategy(
        "layer-decay",
        "layer-wise rate decay",
        "All train, each block more slowly than the one above it.",
        frozenset({"rate", "decay"}),
        _at_once(layer_decay.plan),
    ),
    Strategy(
        "lora",
        "LoRA",
        "Low-rank updates beside the layers train.",
        frozenset({"rate", "rank", "alpha", "dropout"}),
        _at_once(lora.plan),
        inserts=True,
        tunes=False,
    ),
    Strategy(
        "dora",
        "DoRA",
        "Low-rank updates with a magnitude of their own train.",
        frozenset({"rate", "rank", "alpha", "dropout"}),
        _at_once(lora.plan_dora),
        inserts=True,
        tunes=False,
    ),
    Strategy(
        "qlora",
        "QLoRA",
        "Low-rank updates beside linear layers kept in 4 bits train.",
        frozenset({"rate", "rank", "alpha", "dropout"}),
        _at_once(qlora.plan),
        inserts=True,
        tunes=False,
    ),
    Strategy(
        "adapters",
        "bottleneck adapters",
        "Small residual modules train: two in each transformer layer, else one after each block.",
        frozenset({"rate", "bottleneck", "dropout"}),
        _at_once(adapters.plan),
        inserts=True,
        tunes=False,
    ),
    Strategy(
        "bitfit",
        "BitFit",
        "Only the biases and the head train.",
        frozenset({"rate"}),
        _at_once(bitfit.plan),
        inserts=True,
    ),
    Strategy(
        "norm",
        "norm tuning",
        "Only the scale and shift of the norms and the head train.",
        frozenset({"rate"}),
        _at_once(norm_tuning.plan),
        inserts=True,
    ),
    Strategy(
        "visual-prompt",
        "visual prompt",
        "A frame of pixels around every image and the head train.",
        frozenset({"rate", "prompt"}),
        _at_once(visual_prompt.plan),
        kinds=frozenset({"image"}),
        inserts=True,
        tunes=False,
    ),
    Strategy(
        "prefix",
        "prefix tuning",
        "Virtual keys and values in every layer and the head train.",
        frozenset({"rate", "prompt"}),
        _at_once(prefix.plan),
        kinds=frozenset({"text"}),
        inserts=True,
        tunes=False,
    ),
    Strategy(
        "prompt",
        "prompt tuning",
        "Virtual tokens in front of every text and the head train.",
        frozenset({"rate", "prompt"}),
        _at_once(prompt.plan),
        kinds=frozenset({"text"}),
        inserts=True,
        tunes=False,
    ),
    Strategy(
        "scratch",
        "training from scratch",
        "The same network from random weights: the reference of every gain.",
        frozenset({"rate"}),
        _at_once(scratch.plan),
        scratch=True,
        tunes=False,
    ),
)
STRATEGIES: dict[str, Strategy] = {row.name: row for row in ROWS}


def find(name: str) -> Strategy:
    """The strategy called `name`.

    Raises:
        InputError: There is none.
    """
    if name not in STRATEGIES:
        raise InputError(
            f"no method is called {name!r}.{did_you_mean(name, STRATEGIES)} Known: {', '.join(STRATEGIES)}."
        )
    return STRATEGIES[name]


def methods_for(kind: Kind) -> list[str]:
    """Names of the strategies for data of that kind."""
    return [row.name for row in ROWS if kind in row.kinds]
