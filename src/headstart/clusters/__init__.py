"""Data without labels: groups of alike examples in a source's features, and which source to trust for them."""

from headstart.clusters.entry import cluster
from headstart.clusters.taught import SelfTaught, self_taught

__all__ = ["SelfTaught", "cluster", "self_taught"]
