"""One command from data to proof: rank, forecast, transfer, test, and a model that predicts."""

from headstart.project.whole import run

__all__ = ["run"]
