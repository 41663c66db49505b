"""`hf/ID`: image classifiers and text models of transformers, with their own image processor or tokenizer."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError
from headstart.records import Kind, ModelCard
from headstart.sources.adapters import Adapter, Candidate, adapter

if TYPE_CHECKING:
    from headstart.sources.build import Preparation
    from headstart.sources.source import Source

NO_CODE: dict[str, Any] = {"trust_remote_code": False}  # None would ask on the terminal
LONGEST = 512  # tokens, where neither the tokenizer nor the model says how many it takes


@adapter
class HuggingFace(Adapter):
    """Models of the Hugging Face hub."""

    name = "hf"
    placeholder = "ID"
    about = "image classifiers and text models of transformers on the Hugging Face hub"
    example = "hf/google/vit-base-patch16-224"
    library = "transformers"
    extra = "text"
    network = True
    media = ("image", "text")

    def find(self, model: str, kind: Kind | None) -> list[Candidate]:
        """The candidate for one repository. It is taken to read `kind` until its configuration is on this machine."""
        from headstart.sources import hub

        self.check_installed()
        repo, _ = hub.parted(model.removeprefix(self.prefix))
        place = self.folder(model)
        config = config_in(str(place)) if place else None
        known = kind_of_config(config) if config else kind
        family = config.model_type if config else None
        url = f"https://huggingface.co/{repo}"
        card = ModelCard(name=model, kind=known or "image", local=place is not None, url=url, family=family)
        return [self.candidate_of(card)]

    def folder(self, name: str) -> Path | None:
        """Its snapshot in the hub's cache."""
        from headstart.sources import hub

        repo, revision = hub.parted(name.removeprefix(self.prefix))
        file = hub.cached_file(repo, ("config.json",), revision)
        return file.parent if file else None

    def classes(self, card: ModelCard) -> tuple[str, ...]:
        """Those of its configuration, if that is on this machine."""
        place = self.folder(card.name)
        return (class_names(config_in(str(place))) or ()) if place else ()

    def fetch(self, card: ModelCard) -> None:
        """Configuration, tokenizer and weights."""
        from headstart.sources import hub

        hub.fetch(*hub.parted(card.name.removeprefix(self.prefix)))

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Load from the local cache, else from the hub."""
        from headstart.sources import hub

        repo, revision = hub.parted(card.name.removeprefix(self.prefix))

        def load() -> "Source":
            place = self.folder(card.name)
            if place is None:
                raise FileNotFoundError(repo)
            known = replace(card, revision=hub.commit_of(repo, ("config.json",), revision))
            return load_from(str(place), known, trust_pickle)

        return hub.local_first(load, repo, revision)


def folder_kind(folder: Path) -> Kind:
    """What the model in a folder that transformers wrote reads.

    Raises:
        ModelError: It reads neither images nor texts.
    """
    return _kind(config_in(str(folder)))


def load_folder(folder: Path, card: ModelCard, trust_pickle: bool) -> "Source":
    """Load a folder that transformers wrote; the network is not used.

    Raises:
        ModelError: It cannot be loaded.
    """
    try:
        return load_from(str(folder), card, trust_pickle)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"transformers cannot load it: {error}") from error


def kind_of_config(config: Any) -> Kind | None:
    """What the model reads, by the class it was saved from, else by what its type can be; None if neither tells."""
    from transformers.models.auto import modeling_auto as known

    saved = " ".join(config.architectures or ())
    if "ForImageClassification" in saved:
        return "image"
    if "ForSequenceClassification" in saved:
        return "text"
    if config.model_type in known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        return "image"
    reading = (known.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES, known.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES)
    return "text" if any(config.model_type in names for names in reading) else None


def config_in(where: str) -> Any:
    """The configuration of a model in a folder; ModelError if it needs code of its own."""
    from transformers import CONFIG_MAPPING, AutoConfig, PretrainedConfig

    import headstart.torchvision_ops  # noqa: F401  first: some configurations import torchvision

    written, _ = PretrainedConfig.get_config_dict(where, local_files_only=True)
    if written.get("auto_map") and written.get("model_type") not in CONFIG_MAPPING:
        raise ModelError(
            "it needs code of its own, which its config.json names in `auto_map` and headstart does not run. If you "
            "trust it, load it in Python and pass the module: `headstart.from_module(module, prepare=...)`."
        )
    return AutoConfig.from_pretrained(where, local_files_only=True, **NO_CODE)


def _kind(config: Any) -> Kind:
    kind = kind_of_config(config)
    if kind is None:
        raise ModelError(
            f"it is a {config.model_type} model, but `hf/` loads image classifiers and text models only. "
            "Use `headstart.from_module` in Python for another module.",
        )
    return kind


def load_from(where: str, card: ModelCard, trust_pickle: bool) -> "Source":
    """Load a folder: as a classifier if it is one, else as features.

    Raises:
        ModelError: It holds no model for the kind of data that the card names, or one without trained weights.
    """
    import transformers
    from transformers.models.auto import modeling_auto

    from headstart.data.media import MEDIA
    from headstart.sources.build import build_source
    from headstart.sources.texts import check_padding

    config = config_in(where)
    kind = _kind(config)
    if not card.reads(kind):
        raise ModelError(f"it reads {kind} data, but the target holds {card.kind} data. Choose another model.")
    image = MEDIA[kind].pictures
    auto = transformers.AutoModelForImageClassification if image else transformers.AutoModelForSequenceClassification
    if not image and config.model_type not in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return _encoder(where, config, card, trust_pickle)
    module, missing = pretrained(auto, where, config, trust_pickle)
    layers = sorted({key.rpartition(".")[0] for key in missing})
    if len(layers) > 1 and not image:
        return _encoder(where, config, card, trust_pickle)
    if len(layers) > 1:
        raise ModelError(f"its checkpoint lacks {', '.join(layers)}, which would stay random.")
    preparation = _image_preparation(where) if image else _text_preparation(where, module)
    classifies = not layers and getattr(module.config, "problem_type", None) != "regression"
    head = layers[0] if layers else "auto"  # a head that the checkpoint lacks is random, so only its input is used
    classes = class_names(module.config)
    source = build_source(module, card, preparation, head=head, classes=classes, classifies=classifies)
    return source if image else check_padding(source)


def _encoder(where: str, config: Any, card: ModelCard, trust_pickle: bool) -> "Source":
    """A text model without a classifier, or the encoder of one that has a decoder too."""
    import transformers
    from transformers.models.auto import modeling_auto

    from headstart.sources.texts import from_text_encoder

    encodes = config.model_type in modeling_auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES
    auto = transformers.AutoModelForTextEncoding if encodes else transformers.AutoModel
    whole, keys = pretrained(auto, where, config, trust_pickle)
    missing = {id(parameter) for name, parameter in whole.named_parameters() if name in keys}
    module = whole.get_encoder() if config.is_encoder_decoder else whole
    return from_text_encoder(module, card, _text_preparation(where, module), missing)


def pretrained(
    auto: Any, where: str, config: Any, trust_pickle: bool, revision: str | None = None
) -> tuple[Any, set[str]]:
    """A model in eval mode, and the names of the weights that its checkpoint lacks."""
    from headstart.sources.checkpoint import check_size
    from headstart.sources.quiet import quiet_loading

    check_size(lambda: auto.from_config(config, **NO_CODE))
    options: dict[str, Any] = {"revision": revision or "main", **NO_CODE}
    options["dtype"] = "float32"  # not the width of the file: half is for graphics cards
    options["weights_only"] = not trust_pickle
    with quiet_loading():
        module, info = auto.from_pretrained(where, local_files_only=True, output_loading_info=True, **options)
    return module.eval(), set(info["missing_keys"])


def class_names(config: Any) -> tuple[str, ...] | None:
    """The names in `id2label`, in order; None where they are the placeholders LABEL_0, LABEL_1, ..."""
    labels = {int(key): str(value) for key, value in (config.id2label or {}).items()}
    if sorted(labels) != list(range(len(labels))) or all(re.fullmatch(r"LABEL_\d+", text) for text in labels.values()):
        return None
    return tuple(labels[i] for i in range(len(labels)))


def _image_preparation(where: str) -> "Preparation":
    from transformers import AutoImageProcessor

    from headstart.sources.build import Preparation, stack
    from headstart.sources.fingerprint import canonical
    from headstart.sources.preparation import middle_of

    processor = AutoImageProcessor.from_pretrained(where, local_files_only=True, **NO_CODE)

    def prepare(image: Any) -> Any:
        if getattr(processor, "do_center_crop", False):
            image = middle_of(image)
        return processor(images=image, return_tensors="pt")["pixel_values"][0]

    described = {key: value for key, value in processor.to_dict().items() if not key.startswith("_name")}
    return Preparation(prepare, stack, canonical(described))


def _text_preparation(where: str, module: Any) -> "Preparation":
    from transformers import AutoTokenizer

    from headstart.sources.build import Preparation
    from headstart.sources.preparation import Texts, plain_text, sides, tokenizer_description
    from headstart.sources.texts import check_tokenizer

    tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=True, **NO_CODE)
    if tokenizer.pad_token is None:  # decoders have none; any token will do behind the mask
        tokenizer.pad_token = tokenizer.eos_token
    check_tokenizer(tokenizer, module.get_input_embeddings().num_embeddings)
    tokenizer.padding_side = "right"  # absolute positions would move with padding on the left
    padding = tokenizer.pad_token_id  # by it a decoder finds the last token of a text
    repaired = f" pad {padding}" if module.config.pad_token_id not in (None, padding) else ""
    module.config.pad_token_id = padding
    longest = longest_input(tokenizer, module)

    def tokenize(texts: list[Any]) -> Any:
        return tokenizer(*sides(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")

    described = tokenizer_description(tokenizer, longest) + repaired
    return Preparation(plain_text, Texts(tokenize, tokenizer, longest), described)


def longest_input(tokenizer: Any, module: Any) -> int:
    """Tokens the model takes: the tokenizer's limit, at most the rows of a table of positions; 512 without both."""
    import torch

    config = module.config
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    limit = tokenizer.model_max_length if tokenizer.model_max_length < 1_000_000 else min(positions or LONGEST, LONGEST)
    words = module.get_input_embeddings()
    for part in module.modules():
        if isinstance(part, torch.nn.Embedding) and part is not words and part.num_embeddings == positions:
            taken = 0 if part.padding_idx is None else part.padding_idx + 1  # RoBERTa counts from behind its padding
            limit = min(limit, positions - taken)
    return int(limit)
