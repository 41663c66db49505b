"""What adapting to a new domain gains, method by method, and what a choice without labels loses.

    python benchmarks/adaptation.py DATA_DIR   # writes benchmarks/adaptation.md; --help lists options

DATA_DIR holds `usps`, `mnist-notmnist`, `cifar10-jpeg`, `cifar10-resnets`, `emoji-multilingual` and
`multilingual-sentiment`; DIR of `--emoji` the npm packages emoji-datasource-google and -twitter as .tgz files. What is
finished is kept below `--out`, so a killed run goes on, and the page is written after every experiment.
"""

import argparse
import io
import itertools
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageEnhance, ImageFilter
from safetensors.torch import load_file
from torch import Tensor, nn

import headstart as hs
from headstart.adaptation import across, adapt
from headstart.records.across import Across
from headstart.records.adaptation import ADAPTATION, AdaptationRecord, AdaptedRow
from headstart.sources import from_module
from headstart.sources.source import Source
from headstart_paper.architectures import CifarResNet

PAGE = Path(__file__).with_suffix(".md")
SEEDS, GOAL, NEAR, LIMIT = 3, 0.10, 0.01, 250
FEATURES = "none,importance,kmm,coral,subspace,ot,label-shift"
DEEP = "none-deep,adabn,entropy,deep-coral,mmd,dann,adda,self-training"
Labelled = tuple[list[Image.Image], list[str]]


@dataclass(frozen=True)
class Experiment:
    """Two domains, the source that is adapted, and how."""

    name: str
    old: Labelled
    new: Labelled  # its labels train the oracle only
    test: Labelled  # of the new domain
    source: Source | str
    methods: str
    options: Mapping[str, object]


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


def cifar(data: Path, place: Path) -> Iterator[Experiment]:
    """CIFAR-10 to blurred, noisy and dimmed copies, from a ResNet20 that was trained on the originals."""
    table = pd.read_parquet(data / "cifar10-jpeg/cifar10_jpeg.parquet")
    rows = table[table["split"] == "test"].iloc[:2400]
    images = [Image.open(io.BytesIO(one)).convert("RGB") for one in rows["image"]]
    labels = [str(one) for one in rows["label"]]
    network = CifarResNet(3, 10)
    network.load_state_dict(load_file(next((data / "cifar10-resnets").glob("*resnet20*.safetensors"))))
    source = from_module(network.eval(), head="linear", prepare=colour, name="module/resnet20")
    rng = np.random.default_rng(0)
    changes: dict[str, Callable[[Image.Image], Image.Image]] = {
        "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.0)),
        "noisy": lambda image: noisy(image, rng),
        "dimmed": lambda image: ImageEnhance.Brightness(image).enhance(0.25),
    }
    options = {"epochs": 10, "batch_size": 25, "rate": 0.003, "ratio": 10.0}
    for name, change in changes.items():
        changed = [change(image) for image in images]
        yield Experiment(
            f"CIFAR-10 to {name}", (images[:400], labels[:400]), (changed[600:1200], labels[600:1200]),
            (changed[1400:], labels[1400:]), source, "none,coral,none-deep,adabn,entropy", options,
        )  # fmt: skip


def colour(image: object) -> Tensor:
    """A picture as the CIFAR networks take it."""
    assert isinstance(image, Image.Image)
    pixels = torch.from_numpy(np.asarray(image.resize((32, 32)), dtype=np.float32).copy()).permute(2, 0, 1) / 255
    mean, spread = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    normalised: Tensor = (pixels - mean) / spread
    return normalised


def noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """With Gaussian noise of a standard deviation of 30 of 255."""
    pixels = np.asarray(image, dtype=np.float64)
    return Image.fromarray((pixels + rng.normal(0, 30, pixels.shape)).clip(0, 255).astype(np.uint8))


def emoji(folder: Path, place: Path) -> Iterator[Experiment]:
    """One vendor's pictures to another's, of other emoji, from EfficientNet-Lite0 of the zoo."""
    vendors = {name: pictures(next(folder.glob(f"emoji-datasource-{name}-*.tgz"))) for name in ("google", "twitter")}
    shared = sorted(vendors["google"].keys() & vendors["twitter"].keys())
    order = [shared[i] for i in np.random.default_rng(0).permutation(len(shared))]
    for old, new in (("google", "twitter"), ("twitter", "google")):
        parts = [[vendors[old][one] for one in order[:350]]]
        parts += [[vendors[new][one] for one in order[350 + 350 * i : 700 + 350 * i]] for i in range(2)]
        sets = [([picture for picture, _ in part], [label for _, label in part]) for part in parts]
        yield Experiment(f"emoji, {old} to {new}", sets[0], sets[1], sets[2], "zoo/efficientnet_lite0", FEATURES, {})


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


def carried_out(one: Experiment, place: Path, seeds: int = SEEDS) -> dict[str, AdaptationRecord]:
    """The records of the adaptation and of the oracle, which trains on labels of the new domain."""
    below = place / one.name.replace(" ", "-").replace(",", "")
    seeds = seeds if "none-deep" in one.methods else 1  # a solved head is the same for every seed
    shared: dict[str, object] = {"model": one.source, "test": one.test, "seeds": seeds, **one.options}
    oracle = "none,none-deep" if "none-deep" in one.methods else "none"

    def record(part: str, old: Labelled, new: Labelled, methods: str) -> AdaptationRecord:
        if (below / part / ADAPTATION).exists():  # finished, with as many seeds as the page says
            return AdaptationRecord.read(below / part / ADAPTATION, "this script")
        return adapt(old, new[0], method=methods, out=below / part, **shared).record  # type: ignore[arg-type]  # options by name

    return {
        "adapted": record("adapted", one.old, one.new, one.methods),
        "oracle": record("oracle", one.new, one.old, oracle),
    }


def languages(data: Path, place: Path) -> Iterator[tuple[str, Across]]:
    """Heads trained in English and tested in every language, of the same emoji and of sentiments."""
    for name, file, label in (
        ("emoji names", "emoji-multilingual/emoji_texts.csv", "group"),
        ("sentiments", "multilingual-sentiment/test_small.csv", "label"),
    ):
        kept = place / f"{name.replace(' ', '-')}.json"
        if not kept.exists():
            table = pd.read_csv(data / file)
            parts = {str(key): rows.iloc[::2] for key, rows in table.groupby("language")}  # the same emoji in each
            domains = {key: (list(rows["text"]), list(rows[label])) for key, rows in parts.items()}
            start = next(key for key in ("en", "english") if key in domains)
            kept.write_text(across(domains, "zoo/e5_small", sources=[start], limit=LIMIT).to_json())
        yield name, Across.from_json(kept.read_text())


def language_table(name: str, found: Across) -> list[str]:
    """One line per language: English and the language itself as starts."""
    start = found.crossings[0].trained_on
    lines = [
        f"## From {start} to other languages: {name}", "",
        f"A head on `{found.source}`, {LIMIT} examples of each language; the gap is to training in the language.", "",
        "| language | accuracy | gap, points |", "|---|---|---|",
    ]  # fmt: skip
    for one in sorted(found.crossings, key=lambda one: -one.accuracy):
        apart = one.gap is None or one.gap_low is None or one.gap_high is None
        gap = "" if apart else f"{100 * one.gap:+.1f} ({100 * one.gap_low:+.1f} to {100 * one.gap_high:+.1f})"  # type: ignore[operator]  # not None
        lines.append(f"| {one.tested_on} | {one.accuracy:.3f} ({one.low:.3f} to {one.high:.3f}) | {gap} |")
    return [*lines, ""]


def cell(row: AdaptedRow) -> list[str]:
    """Accuracy with its interval, gain with its interval, verdict."""
    gain = "" if row.gain is None else f"{100 * row.gain:+.1f}"
    if row.gain_low is not None and row.gain_high is not None:
        gain += f" ({100 * row.gain_low:+.1f} to {100 * row.gain_high:+.1f})"
    assert row.accuracy is not None, "every experiment has a test part"
    assert row.low is not None, "and so an interval"
    assert row.high is not None, "of two ends"
    reached = f"{row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f})"
    return [row.method, reached, gain, row.verdict or "", f"{row.kept:.3f}"]


def section(name: str, records: dict[str, AdaptationRecord]) -> list[str]:
    """One experiment: a table of methods, and what each criterion would have chosen."""
    adapted, oracle = records["adapted"], records["oracle"]
    sizes = f"{adapted.n_labelled} labelled, {adapted.n_new} without labels, {adapted.n_test} to test."
    lines = [f"## {name}", "", f"{sizes} Source: {adapted.rows[0].source}. Seeds: {len(adapted.rows[0].seeds)}.", ""]
    lines += ["| method | accuracy | gain, points | verdict | old domain |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(cell(row))} |" for row in adapted.rows]
    for row in oracle.rows:
        lines += [f"| oracle ({row.method} with labels) | {cell(row)[1]} | | | |"]
    lines += [f"\n{one.source} failed: {one.reason}" for one in adapted.failures]
    return [*lines, ""]


def losses(records: dict[str, AdaptationRecord]) -> dict[str, float]:
    """What each criterion's choice lost against the best method, in accuracy."""
    adapted = records["adapted"]
    reached = {(row.source, row.method): row.accuracy or 0.0 for row in adapted.rows}
    return {name: max(reached.values()) - reached[tuple(chosen)] for name, chosen in adapted.choices.items()}  # type: ignore[index]  # a pair


def page(found: dict[str, dict[str, AdaptationRecord]], tongues: dict[str, Across]) -> str:
    """The whole page."""
    lines = [
        "# Adapting to a new domain", "",
        "Written by `python benchmarks/adaptation.py DATA_DIR`. Gains are over `none` (a head on fixed features) for "
        "methods on features and over `none-deep` (fine-tuning on the labelled domain) for methods that train; "
        "intervals are of 95 %, over seeds and test examples. The oracle trains on labels of the new domain.", "",
    ]  # fmt: skip
    for name, records in found.items():
        lines += section(name, records)
    lost = {name: losses(records) for name, records in found.items()}
    lines += ["## Choosing without labels", "", f"Accuracy that the choice lost against the best method, in points; "
              f"how often it was within {100 * NEAR:.0f} point.", ""]  # fmt: skip
    criteria = list(next(iter(lost.values())))
    lines += [f"| experiment | {' | '.join(criteria)} |", "|---|" + "---|" * len(criteria)]
    lines += [f"| {name} | {' | '.join(f'{100 * one[key]:.1f}' for key in criteria)} |" for name, one in lost.items()]
    near = [sum(one[key] <= NEAR + 1e-9 for one in lost.values()) for key in criteria]
    lines += [f"| within {100 * NEAR:.0f} point | {' | '.join(f'{count} of {len(lost)}' for count in near)} |", ""]
    goal = {
        name: [row.method for row in records["adapted"].rows if row.baseline == "none-deep" and (row.gain or 0) >= GOAL]
        for name, records in found.items() if "none-deep" in {row.method for row in records["adapted"].rows}
    }  # fmt: skip
    lines += [f"## Deep methods that gain {100 * GOAL:.0f} points or more", ""]
    lines += [f"- {name}: {', '.join(methods) or 'none'}" for name, methods in goal.items()]
    lines += [""]
    for name, one in tongues.items():
        lines += language_table(name, one)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Carry out what is not done yet and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--emoji", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/adaptation"))
    parser.add_argument("--only", default="", help="experiments whose name holds this")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    groups = [partial(digits, given.data), partial(cifar, given.data)]
    groups += [partial(emoji, given.emoji)] if given.emoji else []
    found: dict[str, dict[str, AdaptationRecord]] = {}
    tongues: dict[str, Across] = {}
    for group in groups:
        for one in group(given.out):
            if given.only in one.name:
                found[one.name] = carried_out(one, given.out, given.seeds)
                print(one.name, found[one.name]["adapted"], sep="\n", flush=True)
                PAGE.write_text(page(found, tongues), encoding="utf-8")
    for name, across_all in languages(given.data, given.out):
        tongues[name] = across_all
        PAGE.write_text(page(found, tongues), encoding="utf-8")


if __name__ == "__main__":
    main()
