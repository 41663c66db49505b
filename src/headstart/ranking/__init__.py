"""Rank sources on a target: one forward pass each, all at once or racing, and an order with its uncertainty."""

from headstart.ranking.interval import estimate
from headstart.ranking.methods import All, Halving, Race
from headstart.ranking.run import rank
from headstart.ranking.sample_size import Plan, plan

__all__ = ["All", "Halving", "Plan", "Race", "estimate", "plan", "rank"]
