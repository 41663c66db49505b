"""Train the small networks that headstart ships: `zoo/tiny_letters`, `zoo/tiny_emoji`, `zoo/tiny_digits`.

They differ from the ImageNet models in training DATA, which is what a ranking of sources is about. Each takes a few
minutes on one core, is seeded, and is judged on held-out fonts, emoji or digits through the very files and the very
preprocessing that ship. The data come with ordinary packages:

    letters   Debian packages of free fonts, unpacked into a folder (their names are in the README beside the weights)
    emoji     npm package emoji-datasource-google (pictures: Google's Noto, Apache-2.0), unpacked into a folder
    digits    scikit-learn's `load_digits`

    python scripts/train_zoo.py letters --data FONTS_FOLDER
    python scripts/train_zoo.py emoji --data UNPACKED_NPM_PACKAGE
    python scripts/train_zoo.py digits
"""

import argparse
import json
import string
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file
from torch import Tensor, nn

from headstart.sources.preparation import timm_preparation
from headstart.sources.tiny_resnet import TinyResNet

WEIGHTS = Path(__file__).parents[1] / "src/headstart/sources/zoo_weights"
SIDE = 32
PREPROCESSING = {
    "input_size": [3, SIDE, SIDE],
    "interpolation": "bicubic",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "crop_pct": 1.0,
    "crop_mode": "center",
}
# as EMNIST's balanced set: small letters that look like their capitals share the capital's class
CHARACTERS = string.digits + string.ascii_uppercase + "abdefghnqrt"


@dataclass(frozen=True)
class Task:
    """What one network learns: pictures in [0, 1] with an alpha channel (n, 4, s, s), and how they are varied."""

    name: str
    train: tuple[Tensor, Tensor]
    held_out: tuple[list[Image.Image], np.ndarray]
    classes: tuple[str, ...]
    augment: Callable[[Tensor, torch.Generator], Tensor]  # (b, 4, s, s) -> (b, 3, 32, 32) in [0, 1]
    widths: tuple[int, ...]
    steps: int
    trained_on: str
    license: str


def letters(folder: Path, rng: np.random.Generator) -> Task:
    """Characters of many fonts, recoloured and bent; whole font families are held out."""
    fonts = sorted([*folder.rglob("*.ttf"), *folder.rglob("*.otf")])
    families = sorted({font.parent.name + font.stem.split("-")[0] for font in fonts})
    held = set(rng.choice(families, size=len(families) // 6, replace=False))
    parts: dict[bool, tuple[list[Tensor], list[int]]] = {True: ([], []), False: ([], [])}
    for font in fonts:
        masks, labels = parts[font.parent.name + font.stem.split("-")[0] in held]
        for text, label in characters():
            mask = glyph(font, text)
            if mask is not None:
                masks.append(mask)
                labels.append(label)
    train, test = (torch.stack(parts[key][0]) for key in (False, True))
    pictures = [Image.fromarray(((1 - m) * 255).byte().numpy()).convert("RGB") for m in test]  # black on white
    rgba = torch.stack([torch.ones_like(train)] * 3 + [train], dim=1)
    return Task(
        name="tiny_letters",
        train=(rgba, torch.tensor(parts[False][1])),
        held_out=(pictures, np.array(parts[True][1])),
        classes=tuple(CHARACTERS),
        augment=vary_letters,
        widths=(24, 48, 96, 96),
        steps=1300,
        trained_on=f"digits and letters of {len(families) - len(held)} free font families, recoloured and bent",
        license="Apache-2.0 (network); the fonts are under OFL-1.1, Apache-2.0 and other free licences",
    )


def characters() -> list[tuple[str, int]]:
    """All characters drawn, with their class."""
    drawn = [(c, CHARACTERS.index(c)) for c in CHARACTERS]
    return drawn + [(c, CHARACTERS.index(c.upper())) for c in string.ascii_lowercase if c not in CHARACTERS]


def glyph(font: Path, text: str, side: int = 40) -> Tensor | None:
    """One character as a mask (side, side) in [0, 1], 28 px high and wide at most; None if the font lacks it."""
    face = ImageFont.truetype(str(font), 64)
    box = face.getbbox(text)
    width, height = int(box[2] - box[0]), int(box[3] - box[1])
    missing = face.getmask(text).getbbox() is None or bytes(face.getmask(text)) == bytes(face.getmask("\U0010fffd"))
    if missing or min(width, height) < 2:
        return None
    picture = Image.new("L", (width, height), 0)
    ImageDraw.Draw(picture).text((-box[0], -box[1]), text, font=face, fill=255)
    scale = 28 / max(width, height)
    small = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS)
    canvas = Image.new("L", (side, side), 0)
    canvas.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return torch.from_numpy(np.array(canvas)).float() / 255


def emoji(folder: Path, rng: np.random.Generator) -> Task:
    """Emoji pictures by the kind of thing they show; a sixth of the emoji of each kind is held out."""
    entries = [e for e in json.loads((folder / "emoji.json").read_text()) if e["has_img_google"]]
    kinds = emoji_kinds(entries)
    entries = [e for e in entries if kinds[e["subcategory"]]]
    names = [kind for e in entries if (kind := kinds[e["subcategory"]])]
    classes = tuple(sorted(set(names)))
    labels = np.array([classes.index(name) for name in names])
    pictures = [Image.open(folder / "img/google/64" / e["image"]).convert("RGBA") for e in entries]
    held = np.zeros(len(entries), bool)
    for label in range(len(classes)):
        members = np.flatnonzero(labels == label)
        held[rng.choice(members, size=len(members) // 6, replace=False)] = True
    arrays = np.stack([np.array(p.resize((64, 64))) for p in pictures])
    rgba = torch.from_numpy(arrays).permute(0, 3, 1, 2).float() / 255
    on_white = [Image.alpha_composite(Image.new("RGBA", p.size, "white"), p).convert("RGB") for p in pictures]
    return Task(
        name="tiny_emoji",
        train=(rgba[~held], torch.from_numpy(labels[~held])),
        held_out=([on_white[i] for i in np.flatnonzero(held)], labels[held]),
        classes=classes,
        augment=vary_emoji,
        widths=(24, 48, 96, 96),
        steps=1300,
        trained_on=f"{int((~held).sum())} emoji pictures (Google Noto) in {len(classes)} kinds, recoloured and bent",
        license="Apache-2.0 (network and pictures)",
    )


def emoji_kinds(entries: list[dict[str, str]]) -> dict[str, str | None]:
    """Subcategory -> class: itself with 12 pictures or more, else its first word, else (still fewer) nothing."""
    counts = Counter(e["subcategory"] for e in entries)
    first = {name: name.split("-")[0] for name in counts}
    small = Counter(first[e["subcategory"]] for e in entries if counts[e["subcategory"]] < 12)
    merged = {name: first[name] if small[first[name]] >= 12 else None for name in counts}
    return {name: name if count >= 12 else merged[name] for name, count in counts.items()}


def digits(folder: Path | None, rng: np.random.Generator) -> Task:
    """scikit-learn's handwritten digits, 8 x 8 pixels, white on black; a fifth is held out."""
    from sklearn.datasets import load_digits

    data = load_digits()
    masks = torch.from_numpy(data.images).float() / 16
    order = rng.permutation(len(masks))
    test, train = order[: len(order) // 5], order[len(order) // 5 :]
    pictures = [Image.fromarray((masks[i] * 255).byte().numpy()).convert("RGB") for i in test]
    large = F.interpolate(masks[train, None], size=(SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 1)
    rgba = torch.cat([large, large, large, torch.ones_like(large)], dim=1)
    return Task(
        name="tiny_digits",
        train=(rgba, torch.from_numpy(data.target[train])),
        held_out=(pictures, data.target[test]),
        classes=tuple(string.digits),
        augment=vary_digits,
        widths=(16, 32, 64),
        steps=600,
        trained_on=f"{len(train)} handwritten digits (UCI optical recognition, by way of scikit-learn)",
        license="Apache-2.0 (network); the digits are CC BY 4.0",
    )


def bend(pictures: Tensor, rng: torch.Generator, *, turn: float, shear: float, scale: tuple[float, float]) -> Tensor:
    """A random affine map each, to (b, c, 32, 32): `turn` and `shear` in radians, `scale` of the picture."""
    n = len(pictures)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=rng) * (high - low) + low

    angle, slant, size = uniform(-turn, turn), uniform(-shear, shear), 1 / uniform(*scale)
    stretch = uniform(0.85, 1.18)
    top = torch.stack([angle.cos() * size * stretch, (slant - angle.sin()) * size, uniform(-0.15, 0.15)], dim=1)
    low = torch.stack([angle.sin() * size, angle.cos() * size / stretch, uniform(-0.15, 0.15)], dim=1)
    grid = F.affine_grid(torch.stack([top, low], dim=1), [n, pictures.shape[1], SIDE, SIDE], align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False)


def vary_letters(rgba: Tensor, rng: torch.Generator) -> Tensor:
    """Bend, then draw in a random colour on a random ground that differs from it, with noise; half of it in grey."""
    mask = bend(rgba, rng, turn=0.35, shear=0.25, scale=(0.8, 1.25))[:, 3:]
    n = len(mask)
    ground = torch.rand(n, 3, 1, 1, generator=rng)
    ink = torch.rand(n, 3, 1, 1, generator=rng)
    plain = torch.randint(0, 2, (n, 1, 1, 1), generator=rng).float()
    ground, ink = torch.where(torch.rand(n, 1, 1, 1, generator=rng) < 0.5, plain, ground), ink
    ink = torch.where((ink - ground).abs().mean(dim=1, keepdim=True) < 0.3, 1 - ground.round(), ink)
    noise = 0.15 * torch.rand(n, 1, 1, 1, generator=rng) * torch.randn(n, 3, SIDE, SIDE, generator=rng)
    return (ground + (ink - ground) * mask + noise).clamp(0, 1)


def vary_emoji(rgba: Tensor, rng: torch.Generator) -> Tensor:
    """Bend, mirror, brighten or darken, and lay on a random ground (a third of them on white)."""
    flip = torch.rand(len(rgba), generator=rng) < 0.5
    rgba = torch.where(flip[:, None, None, None], rgba.flip(3), rgba)
    soft = bend(F.avg_pool2d(rgba, 2), rng, turn=0.3, shear=0.15, scale=(0.75, 1.2))
    n = len(soft)
    ground = torch.rand(n, 3, 1, 1, generator=rng)
    ground = torch.where(torch.rand(n, 1, 1, 1, generator=rng) < 0.33, torch.ones(()), ground)
    gain = 0.7 + 0.6 * torch.rand(n, 3, 1, 1, generator=rng)
    grey = soft[:, :3].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    colour = torch.where(torch.rand(n, 1, 1, 1, generator=rng) < 0.15, grey, soft[:, :3] * gain)
    noise = 0.05 * torch.randn(n, 3, SIDE, SIDE, generator=rng)
    return (colour * soft[:, 3:] + ground * (1 - soft[:, 3:]) + noise).clamp(0, 1)


def vary_digits(rgba: Tensor, rng: torch.Generator) -> Tensor:
    """Bend a little; some are shown black on white."""
    soft = bend(rgba, rng, turn=0.2, shear=0.15, scale=(0.85, 1.15))[:, :3]
    inverted = torch.rand(len(soft), 1, 1, 1, generator=rng) < 0.3
    noise = 0.05 * torch.randn(soft.shape, generator=rng)
    return (torch.where(inverted, 1 - soft, soft) + noise).clamp(0, 1)


def train(task: Task, seed: int, batch: int = 64) -> TinyResNet:
    """AdamW with a one-cycle rate on pictures varied anew in every batch."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    pictures, labels = task.train
    model = TinyResNet(task.widths, len(task.classes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=task.steps)
    weights = 1 / torch.bincount(labels).float().sqrt()[labels]  # rare classes are drawn a little more often
    started = time.monotonic()
    for step in range(task.steps):
        chosen = torch.multinomial(weights, batch, replacement=True, generator=rng)
        x = (task.augment(pictures[chosen], rng) - 0.5) / 0.5
        loss = F.cross_entropy(model(x), labels[chosen])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            print(f"{task.name} step {step} loss {loss.item():.3f} {time.monotonic() - started:.0f} s", flush=True)
    return model.eval()


def held_out_accuracy(model: nn.Module, task: Task) -> float:
    """Top-1 on the held-out pictures through the preprocessing that ships."""
    preparation = timm_preparation(PREPROCESSING)
    pictures, labels = task.held_out
    with torch.inference_mode():
        batches = [pictures[i : i + 256] for i in range(0, len(pictures), 256)]
        logits = [model(preparation.collate([preparation.prepare(p) for p in part])) for part in batches]
    return float((torch.cat(logits).argmax(dim=1).numpy() == labels).mean())


def ship(model: TinyResNet, task: Task, seconds: float) -> None:
    """Write float16 weights and the description, judged as they will be loaded."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    accuracy = held_out_accuracy(model, task)
    save_file(state, WEIGHTS / f"{task.name}.safetensors")
    description = {
        "widths": task.widths,
        "preprocessing": PREPROCESSING,
        "classes": task.classes,
        "trained_on": task.trained_on,
        "license": task.license,
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out": {"pictures": len(task.held_out[1]), "top1": round(accuracy, 4)},
        "trained": {"pictures": len(task.train[1]), "steps": task.steps, "seconds": round(seconds)},
    }
    (WEIGHTS / f"{task.name}.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    print(f"{task.name}: top-1 {accuracy:.4f} on {len(task.held_out[1])} held-out pictures, {seconds:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["letters", "emoji", "digits"])
    parser.add_argument("--data", type=Path, help="folder of fonts, or the unpacked npm package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    make = {"letters": letters, "emoji": emoji, "digits": digits}[options.task]
    task = make(options.data, np.random.default_rng(options.seed))
    print(f"{task.name}: {len(task.train[1])} pictures, {len(task.classes)} classes", flush=True)
    started = time.monotonic()
    model = train(task, options.seed)
    ship(model, task, time.monotonic() - started)


if __name__ == "__main__":
    main()
