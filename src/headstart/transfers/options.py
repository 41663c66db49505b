"""Every option of every strategy, checked once; `None` leaves a value to the strategy."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import inf
from typing import Any, Literal

from headstart.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Options:
    """What a strategy can be told, beside the settings of the training.

    Args:
        rate: Peak rate of the head and of other new parts.
        ratio: How many times smaller the rate of pretrained parts is.
        top: How many of the top blocks train (1 or more), or which share of the blocks (below 1).
        decay: Factor by which the rate falls from each block to the one below it, in (0, 1].
        layer: Block whose output the head reads, by name; the features that the source's own head reads by default.
        solver: "lbfgs" solves the head to its optimum; "sgd" trains it as in the LEEP paper.
        penalty: L2 penalty of the solved head; chosen by leave-one-out by default.
        warm_start: Start the head's SGD from the expected empirical predictor.
        rank: Rank of LoRA's updates.
        alpha: LoRA's scale; the update counts alpha / rank.
        dropout: On the input of LoRA's updates and of adapters.
        bottleneck: Width of adapters.
        prompt: Width of a visual prompt in pixels, or number of virtual tokens.
    """

    rate: float | None = None
    ratio: float | None = None
    top: float | None = None
    decay: float | None = None
    layer: str | None = None
    solver: Literal["lbfgs", "sgd"] | None = None
    penalty: float | None = None
    warm_start: bool | None = None
    rank: int | None = None
    alpha: float | None = None
    dropout: float | None = None
    bottleneck: int | None = None
    prompt: int | None = None

    def __post_init__(self) -> None:
        """Raises InputError where an option is out of its range."""
        for name in ("rate", "ratio", "top", "penalty", "alpha"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise InputError(f"`{name}` must be greater than 0, and finite; got {value}.")
        for name in ("rank", "bottleneck", "prompt"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"`{name}` must be at least 1; got {value}.")
        if self.decay is not None and not 0 < self.decay <= 1:
            raise InputError(f"`decay` must lie in (0, 1]; got {self.decay}.")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise InputError(f"`dropout` must lie in [0, 1); got {self.dropout}.")
        if self.solver not in (None, "lbfgs", "sgd"):
            raise InputError(f"`solver` must be lbfgs or sgd; got {self.solver!r}.")


NAMES = tuple(field.name for field in fields(Options))
DECIDES = {"warmup": "schedule", "momentum": "optimizer"}  # setting -> the one by whose value it may be of no use


def refuse_unused(given: Iterable[str], used: Iterable[str], method: str) -> None:
    """An option that would change nothing is an error, not a silence.

    Raises:
        InputError: An option is not one that `method` takes.
    """
    allowed = sorted(used)
    for name in given:
        if name not in allowed:
            so = f" with this `{DECIDES[name]}`" if DECIDES.get(name) in allowed else ""
            raise InputError(
                f"`{name}` changes nothing{so} for method {method}, which takes {', '.join(allowed) or 'no options'}."
                f"{did_you_mean(name, allowed)}"
            )


def described(options: Options) -> dict[str, Any]:
    """The options that were given, for the record."""
    return {name: getattr(options, name) for name in NAMES if getattr(options, name) is not None}
