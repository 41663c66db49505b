"""Few-shot learning: how well a source's features tell classes apart from one to ten examples of each."""

from headstart.fewshot.entry import few_shot

__all__ = ["few_shot"]
