"""Image and text encoders that share one space: CLIP and its kind, from transformers, open_clip or the zoo."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.errors import ModelError, ModelNameError, about, require
from headstart.records import ModelCard
from headstart.sources import Source, candidates
from headstart.sources.build import Preparation, build_source, stack
from headstart.sources.fingerprint import canonical

Embed = Callable[[Sequence[str]], Tensor]
PREFIXES = ("zoo/tiny_clip", "hf/ID", "local-dir:PATH", "open_clip/NAME or open_clip/NAME:PRETRAINED")
BATCH = 64  # texts encoded together


@dataclass(frozen=True, eq=False)
class Pair:
    """An image source whose features are embeddings, and the text encoder that belongs to it."""

    image: Source
    embed: Embed  # texts to embeddings (m, e)
    scale: float  # of the cosine between both, before the softmax over classes
    name: str

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit embeddings (m, e) of texts."""
        with torch.inference_mode():
            parts = [self.embed(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        return nn.functional.normalize(torch.cat(parts).float(), dim=1)


def text_head(pair: Pair, names: Sequence[str], templates: Sequence[str]) -> nn.Linear:
    """A linear head over unit image embeddings whose weights are the classes' texts.

    The weight of a class is the mean of the unit embeddings of its name in every template, made of unit length again,
    times the pair's scale.

    Args:
        pair: From `open_pair`.
        names: A name for each class.
        templates: Sentences with `{}` for the name.

    Reference: Radford et al., Learning transferable visual models from natural language supervision, ICML 2021.
    """
    rows = [pair.texts([template.replace("{}", name) for template in templates]).mean(dim=0) for name in names]
    weights = nn.functional.normalize(torch.stack(rows), dim=1) * pair.scale
    head = nn.Linear(weights.shape[1], len(names), bias=False)
    head.weight = nn.Parameter(weights)
    return head.requires_grad_(False)


def open_pair(name: str, *, trust_pickle: bool = False) -> Pair:
    """An image-text pair by name.

    Args:
        name: `zoo/tiny_clip`; `hf/ID` or `local-dir:PATH` for CLIP, SigLIP and their kind in transformers;
            `open_clip/NAME:PRETRAINED` (extra `clip`).
        trust_pickle: Load checkpoints that can run code.

    Raises:
        ModelError: The model cannot be loaded, or has no text encoder beside its image encoder.
        ModelNameError: No such name exists.
    """
    if name == "zoo/tiny_clip":
        return _tiny(name)
    with about(name):
        if name.startswith("open_clip/"):
            return _open_clip(name, trust_pickle)
        if name.startswith(("hf/", "local-dir:")):
            return _transformers(name, trust_pickle)
    raise ModelNameError(f"`{name}` is no image-text pair. Zero-shot needs one of {', '.join(PREFIXES)}.")


def _tiny(name: str) -> Pair:
    """The shipped image encoder and the sentence encoder it was trained beside."""
    from headstart.sources.adapters.zoo import pair_of

    told_by, scale = pair_of(name)
    encoder = cache(lambda: candidates(told_by)[0].load(False))

    def embed(texts: Sequence[str]) -> Tensor:
        text = encoder()
        found: Tensor = text.network(text.collate([text.prepare(one) for one in texts]))[0]
        return found

    return Pair(candidates(name)[0].load(False), embed, scale, name)


class _ImageTower(nn.Module):
    """The image side of a model of transformers: pixels to embeddings."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return _rows(self.model.get_image_features(pixel_values=pixels))


def _rows(output: Any) -> Tensor:
    """Embeddings (b, e), which versions of transformers return bare or inside an output object."""
    found: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return found


def _transformers(name: str, trust_pickle: bool) -> Pair:
    import transformers

    from headstart.sources import hub
    from headstart.sources.adapters.hf import NO_CODE, pretrained
    from headstart.sources.checkpoint import refuse_adapter, refuse_code

    local = name.startswith("local-dir:")
    where, revision = name.removeprefix("local-dir:"), None
    if local:
        if not Path(where).is_dir():
            raise ModelNameError("there is no such folder.")
        refuse_adapter(Path(where))
        refuse_code(Path(where), trust_pickle=trust_pickle)
    else:
        where, revision = hub.parted(name.removeprefix("hf/"))

    def load() -> tuple[Any, Any, Any]:
        same: dict[str, Any] = {"local_files_only": True, "revision": revision or "main", **NO_CODE}
        config = transformers.AutoConfig.from_pretrained(where, **same)
        model, missing = pretrained(transformers.AutoModel, where, config, trust_pickle, revision)
        if missing:
            raise ModelError(
                f"its checkpoint lacks {len(missing)} tensors of a {config.model_type} model, which would stay "
                f"random: {', '.join(sorted(missing)[:5])}. It may hold one of the two encoders only.",
            )
        pixels = transformers.AutoImageProcessor.from_pretrained(where, **same)
        return model, pixels, transformers.AutoTokenizer.from_pretrained(where, **same)

    try:
        model, pixels, tokenizer = load() if local else hub.local_first(load, where, revision)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"transformers cannot load it as an image-text pair: {error}") from error
    if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
        raise ModelError(
            f"it is a {model.config.model_type} model without a text encoder beside its images; zero-shot needs "
            "CLIP or its kind, such as hf/openai/clip-vit-base-patch32.",
        )

    def prepare(image: object) -> Tensor:
        found: Tensor = pixels(images=image, return_tensors="pt")["pixel_values"][0]
        return found

    def embed(texts: Sequence[str]) -> Tensor:
        batch: Mapping[str, Tensor] = tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=_longest(model, tokenizer),
            return_tensors="pt",
        )
        kept = {key: batch[key] for key in ("input_ids", "attention_mask") if key in batch}
        return _rows(model.get_text_features(**kept))

    preparation = Preparation(prepare, stack, canonical(pixels.to_dict()))
    image = build_source(_ImageTower(model), ModelCard(name, "image"), preparation, head=None)
    return Pair(image, embed, float(model.logit_scale.detach().exp()), name)


def _longest(model: Any, tokenizer: Any) -> int:
    positions = getattr(getattr(model.config, "text_config", model.config), "max_position_embeddings", 77)
    return int(min(positions, tokenizer.model_max_length))


def _open_clip(name: str, trust_pickle: bool) -> Pair:
    from headstart.sources.adapters.open_clip import image_source, open_clip_model

    model, transform = open_clip_model(name, trust_pickle)
    tokenizer = require("open_clip", f"`{name}`", "clip").get_tokenizer(
        name.removeprefix("open_clip/").partition(":")[0]
    )
    return Pair(
        image_source(model, transform, ModelCard(name, "image")),
        lambda texts: model.encode_text(tokenizer(list(texts))),
        float(model.logit_scale.detach().exp()),
        name,
    )


def unit(rows: Float[np.ndarray, "n e"]) -> Tensor:
    """Image embeddings as unit vectors."""
    return nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)
