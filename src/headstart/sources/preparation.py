"""Preprocessing of images and texts as the model's own library does it, with a description fit for a hash."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from headstart.sources.build import Preparation, stack
from headstart.sources.fingerprint import canonical

LETTERS = 1000  # of a text are read for each token that the model takes


STRIP = 32  # length of an image in widths, beyond which its ends are cut before it is resized


@dataclass(frozen=True)
class ImageTransform:
    """A library's image transform behind the colour mode its model expects."""

    transform: Callable[[Image.Image], Tensor]
    mode: str = "RGB"

    @cached_property
    def crops(self) -> bool:
        """Whether the shorter side is resized and the middle cut out, so that the ends of a strip are lost."""
        from torchvision import transforms

        steps = getattr(self.transform, "transforms", ())
        sizes = [step.size for step in steps if isinstance(step, transforms.Resize)]
        one_side = any(isinstance(size, int) or len(size) == 1 for size in sizes)
        cut = any(isinstance(step, transforms.CenterCrop) for step in steps)
        return (one_side and cut) or hasattr(self.transform, "crop_size")  # as torchvision's own presets have

    def __call__(self, image: object) -> Tensor:
        """A PIL image to a float tensor (c, h, w)."""
        assert isinstance(image, Image.Image), "image sources are given PIL images"
        image = middle_of(image) if self.crops else image
        return self.transform(image if image.mode == self.mode else image.convert(self.mode))


def middle_of(image: Image.Image) -> Image.Image:
    """The middle of a strip, `STRIP` times as long as it is wide; any other image as it is.

    Resizing 3 x 6000 pixels to a shorter side of 256 would make an image of 256 x 512,000 of which 256 are kept.
    """
    width, height = image.size
    most = STRIP * min(width, height)
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return image.crop((left, top, width - left, height - top)) if left or top else image


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


class Tokens(dict[str, Tensor]):
    """A batch of texts, each tensor (b, tokens); `counts` (b, 3) says what was lost of them (see `lost_tokens`)."""

    counts: np.ndarray


@dataclass(frozen=True)
class Texts:
    """Turns a list of texts into a batch of tensors.

    Args:
        tokenize: Texts to a batch of tensors, cut at `longest` tokens.
        tokenizer: The tokenizer inside, to count what is lost.

    Fast tokenizers may not be used from two threads at once, so a lock keeps them apart.
    """

    tokenize: Callable[[list[Any]], Mapping[str, Any]]
    tokenizer: Any
    longest: int | None
    prompt: str = ""
    lock: Any = field(default_factory=threading.Lock, compare=False)

    def __call__(self, texts: list[Any]) -> Tokens:
        """A batch: input ids, attention mask and what else the model takes."""
        most = None if self.longest is None else LETTERS * self.longest  # a text of 80 MB need not be tokenized whole
        shortened = [tuple(side[:most] for side in text) if isinstance(text, tuple) else text[:most] for text in texts]
        with self.lock:
            made = self.tokenize(shortened)
            batch = Tokens((key, value) for key, value in made.items() if isinstance(value, torch.Tensor))
            batch.counts = self._counts(shortened, batch)
        return batch

    def _counts(self, texts: list[Any], batch: Tokens) -> np.ndarray:
        """For each text: whether it is cut, its unknown tokens, its tokens; zeros for a tokenizer of another kind."""
        counts = np.zeros((len(texts), 3), np.float32)
        if "attention_mask" not in batch or not callable(self.tokenizer):
            return counts
        real = batch["attention_mask"].bool()
        counts[:, 2] = real.sum(dim=1)
        if (unknown := self.tokenizer.unk_token_id) is not None:
            counts[:, 1] = (real & (batch["input_ids"] == unknown)).sum(dim=1)
        full = np.flatnonzero(counts[:, 2] >= (self.longest or np.inf)).tolist()
        if full:
            first, *second = sides([texts[i] for i in full])
            first = [self.prompt + text for text in first]
            whole = self.tokenizer(first, *second, truncation=False, verbose=False)["input_ids"]
            counts[full, 0] = [len(ids) > counts[i, 2] for i, ids in zip(full, whole, strict=True)]
        return counts

    def __deepcopy__(self, memo: dict[int, object]) -> "Texts":
        return self  # a lock cannot be copied, and sharing it is what it is for


def plain_text(example: object) -> str | tuple[str, str]:
    """A text or a pair of texts as it is; tokenizing waits for the batch, where padding is known."""
    assert isinstance(example, str | tuple), "text sources are given strings"
    return example


def sides(texts: list[Any]) -> tuple[list[str], ...]:
    """Texts as one list; pairs of texts as two, which a tokenizer joins.

    Example:
        >>> sides(["a", "b"]), sides([("a", "b"), ("c", "d")])
        ((['a', 'b'],), (['a', 'c'], ['b', 'd']))
    """
    return tuple(map(list, zip(*texts, strict=True))) if isinstance(texts[0], tuple) else (texts,)


def tokenizer_description(tokenizer: Any, longest: int | None) -> str:
    """A tokenizer in words that hold its whole vocabulary and rules, but not what it was last asked to do."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        rules = json.loads(backend.to_str())
        rules = {key: value for key, value in rules.items() if key not in ("truncation", "padding")}
    else:
        rules = {"class": type(tokenizer).__name__, "vocabulary": tokenizer.get_vocab()}
    side = getattr(tokenizer, "padding_side", None)
    return canonical({"rules": rules, "longest": longest, "side": side, "rows": "with counts"})
