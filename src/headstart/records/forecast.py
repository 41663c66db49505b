"""What a transfer is expected to reach, before it is made."""

from dataclasses import dataclass

from headstart.wording import plural


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

    def __str__(self) -> str:
        return (
            f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}) {self.metric.replace('_', ' ')} by {self.method} "
            f"with {plural(self.examples, 'example')}"
        )
