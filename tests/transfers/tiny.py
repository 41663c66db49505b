"""Tiny sources and targets: ordinary modules and arrays, small enough for a few steps a test."""

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from headstart.data import open_target
from headstart.data.target import Target
from headstart.runner.progress import silent
from headstart.sources import from_module
from headstart.sources.source import Source
from headstart.train.groups import Group
from headstart.train.training import Training
from headstart.transfers import METHODS
from headstart.transfers.network import Transferable, transferable
from headstart.transfers.parts import split_target
from headstart.transfers.run import Run
from headstart.transfers.setting import Setting

SIZE = 8
ELSEWHERE = ("qlora", "distill", "zero-shot")  # wider layers, a teacher, an image-text pair: tests of their own
ON_IMAGES = [name for name, row in METHODS.items() if "image" in row.kinds and name not in ELSEWHERE]
ON_TEXTS = [name for name, row in METHODS.items() if "text" in row.kinds and name not in ELSEWHERE]
P = ParamSpec("P")
WORDS = ("red", "green", "blue", "one", "two", "three", "four", "five")


class Net(nn.Module):
    """A stem, two residual blocks with batch norm and dropout, a depthwise convolution and a classifier."""

    def __init__(self, width: int = 8, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.stages = nn.ModuleList(Residual(width) for _ in range(2))
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.classifier(self.depthwise(x).mean(dim=(2, 3)))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)
        self.norm, self.dropout = nn.BatchNorm2d(width), nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.norm(self.second(torch.relu(self.first(x)))))


def prepare(image: Image.Image) -> Tensor:
    pixels = np.asarray(image.resize((SIZE, SIZE)), dtype=np.float32)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 127.5 - 1


def network(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    net = Net()
    with torch.no_grad():  # statistics that a training has left
        for _ in range(3):
            net(torch.rand(16, 3, SIZE, SIZE) * 2 - 1)
    return net.eval()


def made_once(make: Callable[P, Source]) -> Callable[P, Source]:
    """The same source for the same arguments; torch's random state is left as making it leaves it (decorator)."""

    @cache
    def made(*args: P.args, **kwargs: P.kwargs) -> tuple[Source, Tensor]:
        return make(*args, **kwargs), torch.get_rng_state()

    @wraps(make)
    def found(*args: P.args, **kwargs: P.kwargs) -> Source:
        one, state = made(*args, **kwargs)
        torch.set_rng_state(state)
        return one

    return found


@made_once
def source(seed: int = 0) -> Source:
    return from_module(network(seed), head="classifier", prepare=prepare, name="module/tiny")


def images(n: int = 60, classes: int = 3, seed: int = 0) -> tuple[list[Image.Image], list[str]]:
    """One colour a class, with noise, in odd sizes."""
    rng = np.random.default_rng(seed)
    pictures, labels = [], []
    for i in range(n):
        pixels = rng.normal(90, 40, (SIZE + i % 5, SIZE + i % 3, 3))
        pixels[..., i % classes] += 60
        pictures.append(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
        labels.append(f"class {i % classes}")
    return pictures, labels


def target(n: int = 60, classes: int = 3, seed: int = 0) -> Target:
    return open_target(images(n, classes, seed))


def planned(name: str, of: Source, epochs: int = 6, **options: object) -> tuple[Transferable, tuple[Group, ...]]:
    """A method's network of three classes and what of it trains."""
    method, training = METHODS[name](**options), Training(epochs=epochs)
    model, parts = transferable(of, 3, seed=0, scratch=method.scratch), split_target(target(12))
    method.insert(model)
    setting = Setting(parts, of, method, training, 0, torch.device("cpu"), None, None, "", silent)
    return model, method.build(model, setting).groups


def trained(groups: tuple[Group, ...]) -> set[str]:
    """Names of the parameters that train."""
    return {name for group in groups if group.rate > 0 for name in group.parameters}


def same(a: Run, b: Run) -> bool:
    """Whether two runs left the same weights."""
    values = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in values)


def folder(path: Path, **parts: list[str]) -> Path:
    """A folder of pictures in `part/label/NUMBER.png`."""
    pictures, _ = images(60)
    for part, labels in parts.items():
        for i, label in enumerate(labels):
            place = path / part / label
            place.mkdir(parents=True, exist_ok=True)
            pictures[i].save(place / f"{i}.png")
    return path


def texts(n: int = 60, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [("a", "b")[i % 2] for i in range(n)]
    filler = [" ".join(rng.choice(WORDS[3:], 2 + i % 4)) for i in range(n)]
    return [f"{WORDS[i % 2]} {rest}" for i, rest in enumerate(filler)], labels


@made_once
def text_source(width: int = 16) -> Source:
    """A two-layer BERT over eight words."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS) + 1,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=16,
        num_labels=3,
    )
    return text_source_of(BertForSequenceClassification(config), "classifier", "module/bert")


def text_source_of(module: nn.Module, head: str, name: str) -> Source:
    """Any model of transformers that reads the codes of the eight words."""
    return from_module(module.eval(), head=head, prepare=_codes, collate=_padded, kind="text", name=name)


def _codes(text: object) -> list[int]:
    return [1 + WORDS.index(word) if word in WORDS else 1 for word in str(text).split()][:16]


def _padded(rows: list) -> dict[str, Tensor]:
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}
