"""Search: rank every source on one target, one forward pass each, or race them on growing parts of it."""

from headstart.search.methods import All, Halving, Race
from headstart.search.progress import Event, Progress
from headstart.search.run import rank

__all__ = ["All", "Event", "Halving", "Progress", "Race", "rank"]
