"""What a transfer gained over training from scratch, how fast, and how well a score predicted it."""

from headstart.evaluation.bounds import bounds
from headstart.evaluation.compare import evaluate
from headstart.evaluation.convergence import convergence
from headstart.evaluation.forecast import Correlation, Forecast, forecast, regret, weighted_kendall
from headstart.evaluation.gain import Gain, gain, judge
from headstart.evaluation.metrics import metrics
from headstart.tasks.classification import accuracy, macro_f1

__all__ = [
    "Correlation",
    "Forecast",
    "Gain",
    "accuracy",
    "bounds",
    "convergence",
    "evaluate",
    "forecast",
    "gain",
    "judge",
    "macro_f1",
    "metrics",
    "regret",
    "weighted_kendall",
]
