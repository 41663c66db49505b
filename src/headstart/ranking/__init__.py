"""From one source's arrays to its evaluations, and from all evaluations to a `Ranking`. No torch, no files."""

from headstart.ranking.auto import AUTO, auto_scores, auto_sort
from headstart.ranking.build import build
from headstart.ranking.heads import head_view
from headstart.ranking.interval import estimate
from headstart.ranking.measure import Measurement, measure
from headstart.ranking.order import PREFERENCE, check_name, choose_scores, choose_sort, examples_each
from headstart.ranking.plan import Plan, plan
from headstart.ranking.staged import Staged
from headstart.ranking.verdicts import verdict

__all__ = [
    "AUTO",
    "PREFERENCE",
    "Measurement",
    "Plan",
    "Staged",
    "auto_scores",
    "auto_sort",
    "build",
    "check_name",
    "choose_scores",
    "choose_sort",
    "estimate",
    "examples_each",
    "head_view",
    "measure",
    "plan",
    "verdict",
]
