"""Classes that have names but no examples: image-text pairs, descriptions, and sources ranked by class names alone."""

from headstart.sources.names import Nearness, names_of, rank_by_names
from headstart.zeroshot.descriptions import Descriptions, learn_descriptions
from headstart.zeroshot.entry import zero_shot
from headstart.zeroshot.pairs import Pair, open_pair, text_head
from headstart.zeroshot.unseen import Unseen, predict_unseen

__all__ = [
    "Descriptions",
    "Nearness",
    "Pair",
    "Unseen",
    "learn_descriptions",
    "names_of",
    "open_pair",
    "predict_unseen",
    "rank_by_names",
    "text_head",
    "zero_shot",
]
