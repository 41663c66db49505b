"""Rank sources on a target: one forward pass each, all at once or in rounds, and an order with its uncertainty."""

from headstart.ranking.entry import rank
from headstart.ranking.history import Calibrated, calibrate
from headstart.ranking.methods import All, Halving, Race
from headstart.ranking.sample_size import Plan, plan
from headstart.ranking.uncertainty import estimate

__all__ = ["All", "Calibrated", "Halving", "Plan", "Race", "calibrate", "estimate", "plan", "rank"]
