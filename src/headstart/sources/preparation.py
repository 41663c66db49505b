"""Preprocessing of images and texts as the model's own library does it, with a description fit for a hash."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from headstart.sources.build import Preparation, stack
from headstart.sources.fingerprint import canonical


@dataclass(frozen=True)
class ImageTransform:
    """A library's image transform behind the colour mode its model expects."""

    transform: Callable[[Image.Image], Tensor]
    mode: str = "RGB"

    def __call__(self, image: object) -> Tensor:
        """A PIL image to a float tensor (c, h, w)."""
        assert isinstance(image, Image.Image), "image sources are given PIL images"
        return self.transform(image if image.mode == self.mode else image.convert(self.mode))


def timm_preparation(config: dict[str, Any]) -> Preparation:
    """The evaluation transform of a timm data config (input size, interpolation, mean, std, crop)."""
    from timm.data import create_transform

    transform = create_transform(**config, is_training=False)
    mode = "L" if config["input_size"][0] == 1 else "RGB"
    return Preparation(ImageTransform(transform, mode), stack, canonical({**config, "mode": mode}))


def module_preparation(module: nn.Module) -> Preparation | None:
    """The preprocessing that a module carries with it, as timm's do; None if it carries none."""
    if not getattr(module, "pretrained_cfg", None):
        return None
    from timm.data import resolve_model_data_config

    return timm_preparation(resolve_model_data_config(module))


@dataclass(frozen=True)
class Texts:
    """Turns a list of texts into a batch of tensors.

    Fast tokenizers may not be used from two threads at once, so a lock keeps them apart.
    """

    tokenize: Callable[[list[str]], dict[str, Any]]
    lock: Any = field(default_factory=threading.Lock, compare=False)

    def __call__(self, texts: list[Any]) -> dict[str, Tensor]:
        """A batch: input ids, attention mask and what else the model takes, each (b, tokens)."""
        with self.lock:
            batch = self.tokenize([str(text) for text in texts])
        return {key: value for key, value in batch.items() if isinstance(value, torch.Tensor)}

    def __deepcopy__(self, memo: dict[int, object]) -> "Texts":
        return self  # a lock cannot be copied, and sharing it is what it is for


def plain_text(example: object) -> str:
    """A text as it is; tokenizing waits for the batch, where padding is known."""
    assert isinstance(example, str), "text sources are given strings"
    return example


def tokenizer_description(tokenizer: Any, longest: int | None) -> str:
    """A tokenizer in words that hold its whole vocabulary and rules, but not what it was last asked to do."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        rules = json.loads(backend.to_str())
        rules = {key: value for key, value in rules.items() if key not in ("truncation", "padding")}
    else:
        rules = {"class": type(tokenizer).__name__, "vocabulary": tokenizer.get_vocab()}
    return canonical({"rules": rules, "longest": longest, "side": getattr(tokenizer, "padding_side", None)})
