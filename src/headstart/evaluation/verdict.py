"""A verdict on a gain, and what to try next."""

from headstart.evaluation.gain import ROUNDING
from headstart.records import Verdict


def judge(value: float, low: float | None, high: float | None, *, margin: float = 0.01) -> tuple[Verdict, str]:
    """Whether a transfer helped, and a plain sentence on what to do.

    "neutral": the whole interval lies within `margin` of no difference. "positive" and "negative": it lies wholly on
    one side of 0. Otherwise "inconclusive".

    Args:
        margin: The smallest difference that matters, in the unit of the metric.

    Example:
        >>> judge(0.1, 0.02, 0.18)[0], judge(-0.1, -0.2, -0.02)[0], judge(0.0, -0.004, 0.005)[0]
        ('positive', 'negative', 'neutral')
    """
    if low is None or high is None:
        return "inconclusive", "There are too few test examples for an interval: collect more, or use cross-validation."
    if -margin <= low and high <= margin:
        return "neutral", (
            "The transfer is no better than training from scratch: use the cheaper of the two, or a source closer to "
            "the target (`headstart rank`)."
        )
    if low > 0:
        return "positive", "The transfer helps; keep it."
    if high < 0:
        return "negative", (
            "Negative transfer: the source hurts. Try a source closer to the target (`headstart rank`), earlier layers "
            "(`--method head --layer`), a smaller rate, or train from scratch."
        )
    if abs(value) <= ROUNDING:
        found = "No gain shows, but chance could hide one"
    else:
        found = f"The gain leans {'up' if value > 0 else 'down'}, but chance could do it"
    return "inconclusive", f"{found}: add seeds (`--seeds`) or test examples."
