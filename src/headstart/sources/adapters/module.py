"""Python objects as models: a torch module, or a source that was made before."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from headstart.errors import InputError
from headstart.records import Kind, ModelCard
from headstart.sources.adapters import Adapter, Candidate, adapter

if TYPE_CHECKING:
    from headstart.sources.source import Source


@adapter
class Modules(Adapter):
    """Torch modules and sources. What is wrong with a module is raised when it is loaded, and harms no other."""

    name = "module"
    about = "in Python: a torch module, or what `headstart.from_module` made of one"
    example = "headstart.from_module(module, prepare=transform)"
    media = ("image", "text")
    typed = False

    def serves(self, model: object) -> bool:
        """Whether it is a module or a source; torch is not imported to find out."""
        torch, source = sys.modules.get("torch"), sys.modules.get("headstart.sources.source")
        return bool(
            (torch and isinstance(model, torch.nn.Module))
            or (source and isinstance(model, source.Source))
            or super().serves(model)
        )

    def find(self, model: Any, kind: Kind | None) -> list[Candidate]:
        """The one candidate; its weights are in memory already."""
        from headstart.sources.module import is_sentence_encoder
        from headstart.sources.source import Source

        if isinstance(model, str):
            return super().find(model, kind)
        if isinstance(model, Source):
            return [Candidate(model.card, partial(_given, model))]
        reads: Kind = "text" if is_sentence_encoder(model) else "image"
        card = ModelCard(name=f"{self.prefix}{type(model).__name__}", kind=reads)
        return [Candidate(card, partial(_made, model, card.name))]

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Refuse a module that was named and not given."""
        raise InputError(f"`{card.name}`: pass the module itself, as in `headstart.rank(target, models=[module])`.")


def _given(source: "Source", trust_pickle: bool) -> "Source":
    return source


def _made(module: Any, name: str, trust_pickle: bool) -> "Source":
    from headstart.sources.module import from_module

    return from_module(module, name=name)
