"""What a transfer is expected to reach, before it is made."""

import math
from dataclasses import dataclass, replace

from headstart.wording import duration, plural

Z_90 = 1.6448536269514722  # normal quantile of a two-sided interval of 90 %


@dataclass(frozen=True)
class Probe:
    """What a linear probe's predictions of examples that it was not fitted to say: the basis of a forecast."""

    examples: int
    classes: int
    hits: float  # share of right classes
    confidence: float  # mean probability of the class that is chosen
    half: float | None  # the same on halves of the examples


@dataclass(frozen=True)
class Cost:
    """What a transfer of one source takes on the machine that ranked it, from a few steps that were measured."""

    method: str  # "head" or "fine-tune"
    seconds: float
    memory: int  # bytes
    examples: int  # labelled examples that the transfer has
    epochs: int = 0

    def __str__(self) -> str:
        return f"{duration(self.seconds)}, {self.memory / 1e9:.2g} GB"


@dataclass(frozen=True)
class Forecast:
    """The result that a transfer of one source will reach on fresh data, with its interval."""

    method: str  # "head": a new linear head on frozen features; "fine-tune": the whole network
    metric: str  # "accuracy", "balanced_accuracy", "macro_f1", "r2"
    value: float
    low: float  # interval at `level`, for the result on a test part of `tested` fresh examples
    high: float
    examples: int  # labelled examples that the transfer has
    tested: int = 400
    level: float = 0.9
    basis: str = ""  # what the interval rests on

    def holds(self, reached: float) -> bool:
        """Whether a result lies in the interval."""
        return self.low <= reached <= self.high

    def on(self, tested: int) -> "Forecast":
        """The same for a test part of another size: on few examples a result varies more."""
        inside = min(max(self.value, 0.0), 1.0)
        change = Z_90**2 * inside * (1 - inside) * (1 / max(tested, 1) - 1 / self.tested)
        low, high = (math.sqrt(max((self.value - end) ** 2 + change, 0.0)) for end in (self.low, self.high))
        floor = min(self.low, 0.0)
        return replace(self, low=max(floor, self.value - low), high=min(1.0, self.value + high), tested=tested)

    def __str__(self) -> str:
        return (
            f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}) {self.metric.replace('_', ' ')} by {self.method} "
            f"with {plural(self.examples, 'example')}"
        )
