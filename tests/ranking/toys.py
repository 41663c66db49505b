"""Small real parts: images whose class is their colour, and modules that see it more or less clearly."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from headstart.sources import Source, from_module

COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (210, 50, 40)}
SIDE = 8


def pixels(n: int = 60, *, noise: float = 25.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 8, 8, 3) uint8 and the names of their colours."""
    rng = np.random.default_rng(seed)
    names = np.array(list(COLOURS))[np.arange(n) % len(COLOURS)]
    flat = np.array([COLOURS[name] for name in names], dtype=float)[:, None, None, :]
    images = flat + noise * rng.standard_normal((n, SIDE, SIDE, 3)) + 2 * noise * rng.standard_normal((n, 1, 1, 3))
    return images.clip(0, 255).astype(np.uint8), names


def folder_of_classes(root: Path, n: int = 60) -> Path:
    """The same images as PNG files in class folders."""
    images, names = pixels(n)
    for index, (image, name) in enumerate(zip(images, names, strict=True)):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / f"{index:03}.png").write_bytes(png(image))
    return root


def png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()


def to_tensor(image: object) -> torch.Tensor:
    """A preprocessing that any picture fits."""
    return torch.from_numpy(np.array(image.resize((SIDE, SIDE)))).permute(2, 0, 1).float() / 255  # type: ignore[attr-defined]


class Eye(nn.Module):
    """Mean colour plus a noise that depends on the picture, then a random head over five classes."""

    def __init__(self, blur: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(3, 6))
        self.fc = nn.Linear(6, 5)
        self.blur = blur
        with torch.no_grad():
            self.fc.weight.mul_(20)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        colour = self.pool(x)
        dazzle = torch.sin(1e4 * x[:, :, :1, :1])  # deterministic, but without meaning
        return self.fc(self.body(colour + self.blur * dazzle))


class Broken(Eye):
    """Runs on the two probes with which it is built, and on no real batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\n  (deep inside)")
        return super().forward(x)


class Blind(Eye):
    """Gives nan for every picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * float("nan")


def source(module: nn.Module, name: str) -> Source:
    return from_module(module, head="fc", prepare=to_tensor, name=name)


def clear() -> Source:
    return source(Eye(), "clear")


def dazzled() -> Source:
    return source(Eye(blur=1.0), "dazzled")
