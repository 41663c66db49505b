"""`hf/ID`: image and text classifiers of transformers, with their own image processor or tokenizer."""

import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import Any

from headstart.data.media import MEDIA
from headstart.errors import MissingExtra, ModelError
from headstart.records import Kind, ModelCard
from headstart.sources import hub
from headstart.sources.build import Head, Preparation, build, stack
from headstart.sources.candidate import Candidate
from headstart.sources.checkpoint import refuse_code
from headstart.sources.fingerprint import canonical
from headstart.sources.preparation import Texts, plain_text, tokenizer_description
from headstart.sources.source import Source
from headstart.sources.texts import check_padding, check_tokenizer

PREFIX = "hf/"
NO_CODE: dict[str, Any] = {"trust_remote_code": False}  # None would ask on the terminal
LONGEST = 512  # tokens, where neither the tokenizer nor the model says how many it takes


def find(name: str, kind: Kind | None = None) -> list[Candidate]:
    """The candidate for one repository of the hub. `kind` is believed until its configuration is here.

    Raises:
        MissingExtra: transformers is not installed.
    """
    require_library()
    repo = name.removeprefix(PREFIX)
    config = hub.cached_file(repo, ("config.json",))
    believed = kind_of_config(_config(str(config.parent), local=True)) if config else kind or "image"
    card = ModelCard(
        name=name, kind=believed or "image", local=config is not None, url=f"https://huggingface.co/{repo}"
    )
    return [Candidate(card, partial(load, repo, card))]


def local_candidate(name: str, folder: Path) -> Candidate:
    """A folder that transformers wrote, as a candidate.

    Raises:
        ModelError: It holds neither an image nor a text classifier.
    """
    require_library()
    card = ModelCard(name=name, kind=_kind(_config(str(folder), local=True), name))
    return Candidate(card, partial(_load_folder, folder, card))


def _load_folder(folder: Path, card: ModelCard, trust_pickle: bool) -> Source:
    refuse_code(folder, card.name, trust_pickle=trust_pickle)
    try:
        return _load(str(folder), card, local=True, trust_pickle=trust_pickle)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{card.name}: transformers cannot load it: {error}") from error


def load(repo: str, card: ModelCard, trust_pickle: bool = False) -> Source:
    """Load from the local cache, else from the hub.

    Raises:
        OfflineError: It is not on this machine and there is no network.
        ModelError: It does not exist, cannot be loaded, or has no classifier of the target's kind.
    """
    try:
        return _load(repo, card, local=True, trust_pickle=trust_pickle)
    except (OSError, ValueError):  # not in the cache, or not all of it
        hub.require_network(card.name)
    try:
        return _load(repo, card, local=False, trust_pickle=trust_pickle)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{card.name}: it cannot be loaded from the hub: {error}") from error


def kind_of_config(config: Any) -> Kind | None:
    """What the model reads: told by the class it was saved from, else by what its type can be; None if neither."""
    from transformers.models.auto import modeling_auto

    saved = " ".join(config.architectures or ())
    if "ForImageClassification" in saved:
        return "image"
    if "ForSequenceClassification" in saved:
        return "text"
    if config.model_type in modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        return "image"
    return "text" if config.model_type in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES else None


def require_library() -> None:
    """Raises MissingExtra, with the line to run, if transformers is not installed."""
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtra("models of the hub need transformers. Run: pip install 'headstart[text]'")


@contextmanager
def no_bar() -> Iterator[None]:
    """Without the bar that transformers draws while it reads weights; the caller's setting is put back."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def quiet_import() -> Iterator[None]:
    """Without the line that bitsandbytes logs where it finds no faster kernel to download; it needs none."""
    logger = getLogger("bitsandbytes.backends.cpu.ops")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _config(where: str, *, local: bool) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(where, local_files_only=local, **NO_CODE)


def _kind(config: Any, name: str) -> Kind:
    kind = kind_of_config(config)
    if kind is None:
        raise ModelError(
            f"{name} is a {config.model_type} model; image and text classifiers are what `hf/` takes. "
            "For an encoder of texts use `st/`, for another module `headstart.from_module` in Python."
        )
    return kind


def _load(where: str, card: ModelCard, *, local: bool, trust_pickle: bool) -> Source:
    import transformers

    kind = _kind(_config(where, local=local), card.name)
    if kind != card.kind:
        raise ModelError(f"{card.name} reads {kind} data, but the target holds {card.kind} data.")
    image = MEDIA[kind].pictures
    auto = transformers.AutoModelForImageClassification if image else transformers.AutoModelForSequenceClassification
    options: dict[str, Any] = {"dtype": "float32", **NO_CODE}  # not the width of the file: half is for graphics cards
    options |= {"weights_only": False} if trust_pickle else {}
    with no_bar():
        module, info = auto.from_pretrained(where, local_files_only=local, output_loading_info=True, **options)
    preparation = _image_preparation(where, local) if image else _text_preparation(where, local, module)
    head, classifies = _head_and_use(module, set(info["missing_keys"]), card.name)
    single = getattr(module.config, "problem_type", None) == "regression"
    classes = class_names(module.config)
    source = build(module.eval(), card, preparation, head=head, classes=classes, classifies=classifies and not single)
    if not image:
        check_padding(source)
    return source


def class_names(config: Any) -> tuple[str, ...] | None:
    """The names in `id2label`, in order; None where they are the placeholders LABEL_0, LABEL_1, ..."""
    labels = {int(key): str(value) for key, value in (config.id2label or {}).items()}
    if sorted(labels) != list(range(len(labels))) or all(re.fullmatch(r"LABEL_\d+", text) for text in labels.values()):
        return None
    return tuple(labels[i] for i in range(len(labels)))


def _head_and_use(module: Any, missing: set[str], name: str) -> tuple[Head, bool]:
    """ "auto" for a trained classifier; a head that the checkpoint lacks is random, so only its input is used.

    Raises:
        ModelError: More than one layer is missing: the features themselves would be random.
    """
    layers = sorted({key.rpartition(".")[0] for key in missing})
    if not layers:
        return "auto", True
    if len(layers) > 1:
        raise ModelError(
            f"{name}: its checkpoint lacks {', '.join(layers)}, which would stay random. "
            "It is an encoder without a classifier; use it through `st/` if it reads texts."
        )
    return layers[0], False


def _image_preparation(where: str, local: bool) -> Preparation:
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(where, local_files_only=local, **NO_CODE)

    def prepare(image: object) -> Any:
        return processor(images=image, return_tensors="pt")["pixel_values"][0]

    described = {key: value for key, value in processor.to_dict().items() if not key.startswith("_name")}
    return Preparation(prepare, stack, canonical(described))


def _text_preparation(where: str, local: bool, module: Any) -> Preparation:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=local, **NO_CODE)
    if tokenizer.pad_token is None:  # decoders have none; any token will do behind the mask
        tokenizer.pad_token = tokenizer.eos_token
    check_tokenizer(tokenizer, module.get_input_embeddings().num_embeddings, where)
    padding = tokenizer.pad_token_id  # by it a decoder finds the last token of a text
    repaired = f" pad {padding}" if module.config.pad_token_id not in (None, padding) else ""
    module.config.pad_token_id = padding
    longest = longest_input(tokenizer, module.config)
    tokenize = _tokenize(tokenizer, longest)
    return Preparation(plain_text, Texts(tokenize), tokenizer_description(tokenizer, longest) + repaired)


def longest_input(tokenizer: Any, config: Any) -> int:
    """Tokens the model takes: the tokenizer's limit, unless it has none; then the model's positions, else 512."""
    if tokenizer.model_max_length < 1_000_000:
        return int(tokenizer.model_max_length)
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return min(int(positions), LONGEST) if positions else LONGEST


def _tokenize(tokenizer: Any, longest: int) -> Callable[[list[str]], dict[str, Any]]:
    def tokenize(texts: list[str]) -> Any:
        return tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")

    return tokenize
