"""Rules against negative transfer, on pairs of data sets that none of them was tuned on.

    python benchmarks/negative_pictures.py DATA_DIR    # a section of benchmarks/RESULTS.md

Small networks of grey pictures are trained on four data sets, and two more on planted harm: one on permuted labels, one
on noise. Each is a source for six targets, by a head, the last block with a frozen rest, fine-tuning and `residual`,
with the seeds of a training from scratch beside them. DATA_DIR holds `mnist-notmnist`, `usps`, `cifar10-jpeg`,
`sign-digits` and `trashnet`. What is finished is kept below `--out`. Expect 15 minutes on a core.
"""

import argparse
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _adaptation_networks import SmallNet, grey
from _results import write_section
from negative import CLEAR, DRAWS, alarmed, share
from PIL import Image

import headstart as hs
from headstart.evaluation import gain, judge
from headstart.evaluation.causes import causes, stop_behind
from headstart.extract import extract
from headstart.records import Outcome
from headstart.sources import from_module
from headstart.sources.source import Source
from headstart.transfers import Run
from headstart.transfers.methods import FineTune, Head, Partial, Residual, Scratch
from headstart.transfers.parts import Parts, split_target

SEEDS, EXAMPLES, TESTED, RATE = 3, 400, 800, 0.003
HOW = {"epochs": 12, "batch_size": 25, "progress": False}
METHODS = (Head(), Partial(rate=RATE, ratio=1.0, top=1), FineTune(rate=RATE, ratio=1.0), Residual(rate=RATE))
TARGETS = ("MNIST", "waste", "CIFAR-10", "hands", "USPS", "letters")
Found = dict[str, Any]
Pictures = tuple[np.ndarray, np.ndarray]  # (n, 16, 16) uint8, labels (n,)


def pictures(data: Path) -> dict[str, Pictures]:
    """The data sets in a random order, grey and 16 px wide."""
    mnist, usps = np.load(data / "mnist-notmnist/mnist_13k.npz"), np.load(data / "usps/usps.npz")
    letters = np.load(data / "mnist-notmnist/notmnist_10k.npz")
    photos = pd.read_parquet(data / "cifar10-jpeg/cifar10_jpeg.parquet").iloc[:5000]
    found = {
        "MNIST": (list(mnist["train_image"]), mnist["train_label"]),
        "USPS": (list(usps["x_train"]), usps["y_train"]),
        "letters": (list(letters["image"]), letters["label"]),
        "CIFAR-10": ([Image.open(io.BytesIO(one)) for one in photos["image"]], photos["label"].to_numpy()),
        "hands": zipped(data / "sign-digits/sign_digits_96.zip"),
        "waste": zipped(data / "trashnet/trashnet_128.zip"),
    }
    rng, made = np.random.default_rng(0), {}
    for name, (images, labels) in found.items():
        rows = rng.permutation(len(images))[:4200]
        made[name] = np.stack([small(images[i]) for i in rows]), np.asarray(labels)[rows].astype(str)
    return made


def small(image: object) -> np.ndarray:
    """As 16 by 16 grey values."""
    opened = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
    return np.asarray(opened.convert("L").resize((16, 16), Image.Resampling.BILINEAR))


def zipped(path: Path) -> tuple[list[Image.Image], np.ndarray]:
    """Pictures of an archive of PART/LABEL/NAME.jpg."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        return [Image.open(io.BytesIO(archive.read(name))) for name in names], np.array(
            [n.split("/")[1] for n in names]
        )


def given(pair: Pictures, rows: slice) -> tuple[list[Image.Image], list[str]]:
    """Some rows as `headstart` reads them."""
    return [Image.fromarray(one) for one in pair[0][rows]], [str(one) for one in pair[1][rows]]


def sources(sets: dict[str, Pictures], place: Path) -> Iterator[tuple[str, Run]]:
    """Four networks that learnt something, and two that learnt nothing of use."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, sets["MNIST"][0].shape, dtype=np.uint8)
    known = {name: sets[name] for name in ("MNIST", "USPS", "letters", "CIFAR-10")}
    known["permuted labels"] = sets["MNIST"][0], rng.permutation(sets["MNIST"][1])
    known["noise"] = noise, rng.permutation(sets["MNIST"][1])
    for name, pair in known.items():
        torch.manual_seed(0)
        fresh = from_module(SmallNet(10), head="classifier", prepare=grey, name="module/small")
        made = hs.transfer(
            given(pair, slice(1200, 4200)), fresh, method=Scratch(rate=RATE), epochs=4, batch_size=50, progress=False,
            out=place / name.replace(" ", "-"),
        )  # fmt: skip
        yield name, made


def runs(parts: Parts, source: Source, method: object) -> list[Run]:
    """One run per seed."""
    how = {"progress": False} if isinstance(method, Head) else HOW
    return [hs.transfer(parts, source, method=method, seed=seed, cache=False, **how) for seed in range(SEEDS)]  # type: ignore[arg-type]  # options by name


def against_scratch(mine: list[Run], scratch: list[Run]) -> Found:
    """What is kept of a method on a pair."""
    one, other = ([run.predictions for run in group if run.predictions is not None] for group in (mine, scratch))
    found = gain(one, other, metric="accuracy")
    plain = [run.outcome for run in scratch]
    stops = []
    for run, beside in zip(mine, plain, strict=True):
        rule = stop_behind(beside.curve, beside.n_valid, int(str(HOW["epochs"])))
        curve = run.outcome.curve
        stops.append(next((i for i in range(1, len(curve)) if rule(curve[:i])), None))
    return {
        "accuracy": [run.outcome.metrics["accuracy"] for run in mine],
        "scratch": [run.metrics["accuracy"] for run in plain],
        "gain": [found.value, found.low, found.high], "verdict": judge(found)[0], "stops": stops,
        "outcomes": [json.loads(run.outcome.to_json()) for run in mine],
    }  # fmt: skip


def measured(sets: dict[str, Pictures], place: Path, targets: tuple[str, ...] = TARGETS) -> Iterator[Found]:
    """Every pair with its methods, kept on disk."""
    made = dict(sources(sets, place))
    for target in targets:
        pair = sets[target]
        scratch: list[Run] = []
        parts = split_target(given(pair, slice(EXAMPLES)), test=given(pair, slice(EXAMPLES, EXAMPLES + TESTED)))
        for name, run in made.items():
            source = run.as_source(name)
            file = place / f"{target} {name}.json"
            if not file.exists():
                scratch = scratch or runs(parts, source, Scratch(rate=RATE))
                seen = extract(parts.together, source, cache=place / "rows")
                features, head = np.asarray(seen.features), run.network.head
                logits = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
                rng = np.random.default_rng(list(f"{target} {name}".encode()))
                drawn = [rng.permutation(seen.labels) for _ in range(DRAWS)]
                found = {
                    "target": target, "source": name,
                    "guess": float(np.bincount(seen.labels).max() / len(seen.labels)),
                    "alarm": alarmed(features, logits, seen.labels),
                    "permuted": [alarmed(features, logits, labels) for labels in drawn],
                    "methods": {one.name: against_scratch(runs(parts, source, one), scratch) for one in METHODS},
                }  # fmt: skip
                file.write_text(json.dumps(found))
            yield json.loads(file.read_text())


def summary(found: list[Found]) -> list[str]:
    """The counts of every rule."""
    return [
        f"{len(found)} pairs of {EXAMPLES} labelled and {TESTED} test pictures, 16 px and grey. Targets: "
        f"{', '.join(dict.fromkeys(one['target'] for one in found))}; 4 trained "
        f"sources and 2 planted ones (permuted labels, noise); {SEEDS} seeds, {HOW['epochs']} epochs. No rule was "
        "tuned on them.", "", *before(found), "", *during(found), "", *frozen(found), "", *avoided(found),
    ]  # fmt: skip


def before(found: list[Found]) -> list[str]:
    """The alarm of the ranking."""
    planted = [alarm for one in found for alarm in one["permuted"]]
    real = [one for one in found if one["source"] not in ("permuted labels", "noise")]
    helps = []
    for one in found:
        head, guess = np.mean(one["methods"]["head"]["accuracy"]), float(one["guess"])
        helps.append(head > guess + 1.645 * np.sqrt(guess * (1 - guess) / TESTED))
    false = sum(bool(one["alarm"]) for one, helped in zip(found, helps, strict=True) if helped)
    return [
        f"Before training: {share(sum(planted), len(planted))} of the targets with permuted labels alarmed; "
        f"{share(sum(bool(one['alarm']) for one in real), len(real))} of the pairs with a trained source; "
        f"{share(false, sum(helps))} of all pairs whose heads beat guessing on the test part (one-sided, 95 %)."
    ]


def during(found: list[Found]) -> list[str]:
    """Early stops, replayed on whole curves."""
    lines = ["| method | stopped | of them no worse than scratch at the end | behind at the end | of them stopped |",
             "|---|---|---|---|---|"]  # fmt: skip
    for method in ("partial", "fine-tune", "residual"):
        rows = [(stop, mine - theirs) for one in found for stop, mine, theirs in zip(
            *(one["methods"][method][key] for key in ("stops", "accuracy", "scratch")), strict=True)]  # fmt: skip
        ahead = [gap >= 0 for stop, gap in rows if stop]
        behind = [stop for stop, gap in rows if gap < -CLEAR]
        lines.append(
            f"| {method} | {share(len(ahead), len(rows))} | {share(sum(ahead), len(ahead))} | "
            f"{len(behind)} | {share(sum(stop is not None for stop in behind), len(behind))} |"
        )
    return ["During training, `--stop-behind` (behind in the end: by 5 points or more):", "", *lines]


def frozen(found: list[Found]) -> list[str]:
    """How often "frozen too much" is said of one seed where the others agree, and where they disagree."""
    lines = []
    for method in ("head", "partial"):
        hits = planted = false = fine = 0
        for one in found:
            mine, tuned = one["methods"][method], one["methods"]["fine-tune"]
            for seed in range(SEEDS):
                better = np.mean([tuned["accuracy"][i] - mine["accuracy"][i] for i in range(SEEDS) if i != seed])
                here, rival = (Outcome.from_json(json.dumps(each["outcomes"][seed])) for each in (mine, tuned))
                told = any("frozen too much" in text for text in causes([here], [], [rival]))
                planted, hits = planted + (better >= CLEAR), hits + (better >= CLEAR and told)
                fine, false = fine + (better <= 0), false + (better <= 0 and told)
        lines.append(
            f"Frozen too much, said of `{method}` from one seed: {share(hits, planted)} where fine-tuning gains 5 "
            f"points or more with the other seeds, {share(false, fine)} where it gains nothing."
        )
    return lines


def avoided(found: list[Found]) -> list[str]:
    """`residual` where the source helps and where it hurts."""
    lines = ["| pairs where the frozen source | pairs | partial, points | fine-tune | residual | residual negative |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for verdict in ("negative", "inconclusive", "neutral", "positive"):
        rows = [one["methods"] for one in found if one["methods"]["partial"]["verdict"] == verdict]
        if rows:
            means = [
                f"{100 * np.mean([row[name]['gain'][0] for row in rows]):+.1f}"
                for name in ("partial", "fine-tune", "residual")
            ]
            bad = sum(row["residual"]["verdict"] == "negative" for row in rows)
            lines.append(f"| is {verdict} | {len(rows)} | {' | '.join(means)} | {bad} |")
    return ["Gains over training from scratch, by the verdict on training the last block alone:", "", *lines]


def main() -> None:
    """Measure what is not measured yet and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/negative"))
    parser.add_argument("--targets", nargs="*", default=TARGETS, choices=TARGETS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lines = summary(list(measured(pictures(given.data), given.out, tuple(given.targets))))
    print("\n".join(lines))
    write_section("Negative transfer on other pairs", lines)


if __name__ == "__main__":
    main()
