"""The networks of `adaptation.py`, apart from it: saved runs stay valid while the experiments and the page change."""

import itertools

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn


class SmallNet(nn.Module):
    """Three convolutions with batch norm and a layer of 64 features, for grey pictures of 16 px."""

    def __init__(self, classes: int, width: int = 12) -> None:
        super().__init__()
        channels = (1, width, 2 * width, 4 * width)
        self.blocks = nn.Sequential(*(_conv(a, b) for a, b in itertools.pairwise(channels)))
        self.neck = nn.Sequential(nn.Flatten(), nn.Linear(16 * width, 64), nn.BatchNorm1d(64), nn.ReLU())
        self.classifier = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(b, 1, 16, 16) to logits (b, classes)."""
        logits: Tensor = self.classifier(self.neck(self.blocks(x)))
        return logits


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2))


def grey(image: object) -> Tensor:
    """A picture as (1, 16, 16) from -1 to 1."""
    assert isinstance(image, Image.Image)
    pixels = np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BILINEAR), dtype=np.float32)
    return torch.from_numpy(pixels.copy())[None] / 127.5 - 1


def colour(image: object) -> Tensor:
    """A picture as the CIFAR networks take it."""
    assert isinstance(image, Image.Image)
    pixels = torch.from_numpy(np.asarray(image.resize((32, 32)), dtype=np.float32).copy()).permute(2, 0, 1) / 255
    mean, spread = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    normalised: Tensor = (pixels - mean) / spread
    return normalised
