"""The pairs of domains of `adaptation.py`: digits, emoji of two vendors, changed photos, and languages."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _adaptation_networks import SmallNet, colour, grey
from PIL import Image, ImageEnhance, ImageFilter
from safetensors.torch import load_file

import headstart as hs
from headstart.sources import from_module
from headstart.sources.source import Source
from headstart_paper.architectures import CifarResNet

FEATURES = "none,importance,kmm,coral,subspace,ot,label-shift"
DEEP = "none-deep,adabn,entropy,deep-coral,mmd,dann,adda,self-training"
TONGUES = (
    ("emoji names", "emoji-multilingual/emoji_texts.csv", "group", "en", 400, 27),
    ("sentiment", "multilingual-sentiment/test_small.csv", "label", "english", 200, 11),
)  # name, file, column of the classes, where training starts, examples of each part, languages that are adapted to
Labelled = tuple[list[object], list[str]]


@dataclass(frozen=True)
class Experiment:
    """Two domains, the source that is adapted, and how."""

    name: str
    old: Labelled
    new: Labelled  # its labels train the oracle only
    test: Labelled  # of the new domain
    source: Source | str
    methods: str
    options: Mapping[str, object] = field(default_factory=dict)
    group: str = ""  # experiments that share one table


def some(images: np.ndarray, labels: np.ndarray, count: int, seed: int = 0) -> Labelled:
    """So many pictures, drawn at random."""
    rows = np.random.default_rng(seed).permutation(len(images))[:count]
    return [Image.fromarray(images[i]) for i in rows], [str(labels[i]) for i in rows]


def digits(data: Path, place: Path) -> Iterator[Experiment]:
    """MNIST to USPS and back, from a small network that was trained on letters."""
    mnist, usps = np.load(data / "mnist-notmnist/mnist_13k.npz"), np.load(data / "usps/usps.npz")
    letters = np.load(data / "mnist-notmnist/notmnist_10k.npz")
    torch.manual_seed(0)
    fresh = from_module(SmallNet(10), head="classifier", prepare=grey, name="module/small")
    trained = hs.transfer(
        some(letters["image"], letters["label"], 3000), fresh, method="scratch", rate=0.003, epochs=4, batch_size=50,
        out=place / "letters", seed=0,
    )  # fmt: skip
    source = trained.as_source("letters")
    sets = {
        "MNIST": (mnist["train_image"], mnist["train_label"], mnist["test_image"], mnist["test_label"]),
        "USPS": (usps["x_train"], usps["y_train"], usps["x_test"], usps["y_test"]),
    }
    options = {"epochs": 10, "batch_size": 50, "rate": 0.003, "ratio": 1.0}
    for old, new in (("MNIST", "USPS"), ("USPS", "MNIST")):
        first, second = sets[old], sets[new]
        yield Experiment(
            f"{old} to {new}", some(first[0], first[1], 1000), some(second[0], second[1], 1000),
            some(second[2], second[3], 2000), source, f"{FEATURES},{DEEP}", options,
        )  # fmt: skip


def resnet20(data: Path) -> Source:
    """The network that was trained on the originals of CIFAR-10."""
    network = CifarResNet(3, 10)
    network.load_state_dict(load_file(next((data / "cifar10-resnets").glob("*resnet20*.safetensors"))))
    return from_module(network.eval(), head="linear", prepare=colour, name="module/resnet20")


def cifar(data: Path, place: Path) -> Iterator[Experiment]:
    """CIFAR-10 to blurred, noisy and dimmed copies of other pictures, from a ResNet20 trained on the originals."""
    table = pd.read_parquet(data / "cifar10-jpeg/cifar10_jpeg.parquet")
    rows = table[table["split"] == "test"].iloc[:1600]
    images = [Image.open(io.BytesIO(one)).convert("RGB") for one in rows["image"]]
    labels = [str(one) for one in rows["label"]]
    source, rng = resnet20(data), np.random.default_rng(0)
    changes: dict[str, Callable[[Image.Image], Image.Image]] = {
        "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.0)),
        "noisy": lambda image: noisy(image, rng),
        "dimmed": lambda image: ImageEnhance.Brightness(image).enhance(0.25),
    }
    options = {"epochs": 3, "batch_size": 25, "rate": 0.001, "ratio": 10.0}
    for name, change in changes.items():
        changed = [change(image) for image in images]
        yield Experiment(
            f"CIFAR-10 to {name}", (list(images[:400]), labels[:400]), (list(changed[400:800]), labels[400:800]),
            (list(changed[800:]), labels[800:]), source, f"{FEATURES},none-deep,adabn,entropy", options,
        )  # fmt: skip


def noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """With Gaussian noise of a standard deviation of 30 of 255."""
    pixels = np.asarray(image, dtype=np.float64)
    return Image.fromarray((pixels + rng.normal(0, 30, pixels.shape)).clip(0, 255).astype(np.uint8))


def emoji(data: Path, folder: Path) -> Iterator[Experiment]:
    """One vendor's pictures to another's, of other emoji: heads on EfficientNet-Lite0, and ResNet20 trained."""
    vendors = {name: pictures(next(folder.glob(f"emoji-datasource-{name}-*.tgz"))) for name in ("google", "twitter")}
    shared = sorted(vendors["google"].keys() & vendors["twitter"].keys())
    order = [shared[i] for i in np.random.default_rng(0).permutation(len(shared))]
    options = {"epochs": 5, "batch_size": 25, "rate": 0.003, "ratio": 1.0}
    trained = "none,none-deep,adabn,entropy,mmd,self-training"
    for old, new in (("google", "twitter"), ("twitter", "google")):
        places = ((old, slice(350)), (new, slice(350, 700)), (new, slice(700, 1200)))
        parts = [[vendors[vendor][one] for one in order[some]] for vendor, some in places]
        sets = [(list[object](image for image, _ in part), [label for _, label in part]) for part in parts]
        name = f"emoji, {old} to {new}"
        yield Experiment(name, sets[0], sets[1], sets[2], "zoo/efficientnet_lite0", FEATURES)
        yield Experiment(f"{name}, trained", sets[0], sets[1], sets[2], resnet20(data), trained, options)


def pictures(package: Path) -> dict[str, tuple[Image.Image, str]]:
    """Picture and category of every emoji of a vendor, by code."""
    found = {}
    with tarfile.open(package) as archive:
        listed = archive.extractfile("package/emoji.json")
        assert listed is not None, "every package has the list"
        vendor = package.name.split("-")[2]
        for one in json.load(listed):
            if one["category"] != "Component" and one[f"has_img_{vendor}"]:
                raw = archive.extractfile(f"package/img/{vendor}/64/{one['image']}")
                assert raw is not None, "the list says that there is one"
                with Image.open(io.BytesIO(raw.read())) as image:
                    plain = Image.new("RGBA", image.size, "white")
                    plain.alpha_composite(image.convert("RGBA"))
                    found[one["unified"]] = (plain.convert("RGB"), one["category"])
    return found


def languages(data: Path, place: Path) -> Iterator[Experiment]:
    """English to every other language by methods on features: other examples than those of the English part."""
    for name, file, label, start, most, count in TONGUES:
        parts = {str(key): rows for key, rows in pd.read_csv(data / file).groupby("language")}
        for tongue in [key for key in parts if key != start][:count]:
            sets = [divided(parts[key], label, part, most) for key, part in ((start, 0), (tongue, 1), (tongue, 2))]
            yield Experiment(
                f"{name}, {start} to {tongue}", sets[0], sets[1], sets[2], "zoo/e5_small", FEATURES, group=name
            )


def divided(rows: pd.DataFrame, label: str, part: int, most: int) -> Labelled:
    """A third of a language's rows: the same emoji in every language, as all are listed alike."""
    order = np.random.default_rng(0).permutation(len(rows))[part::3][:most]
    chosen = rows.iloc[order]
    return list(chosen["text"]), [str(one) for one in chosen[label]]
