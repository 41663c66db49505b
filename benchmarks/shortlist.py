"""Shortlists by metadata: how often the best model of all is kept, at what share of the forward passes.

    python benchmarks/shortlist.py                                   # the benchmark that headstart ships, seconds
    python benchmarks/shortlist.py --real DATA... --models zoo X...  # data sets, and a pool of real models, minutes

On the shipped benchmark 18 sources share one architecture, so that families say nothing: merit is the accuracy on a
source's own data plus how near the names of the two data sets are. Best is the highest accuracy of a real transfer.

DATA is what `headstart rank` reads, or DATA=COLUMN for the column of its labels; X is a model's name, or a file of
weights as `headstart reproduce` takes it, whose family and training data are filled in here. The best is the first of
a full ranking. The shortlist is that of `rank(..., shortlist=N)`, whose races need no second pass: their order is that
of the full ranking. The loss is how much lower the forecast of its winner is.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from headstart import open_target
from headstart.data.reading import Reading
from headstart.evaluation.benchmark.stored import read_stored
from headstart.ranking import rank
from headstart.ranking.shortlist import Wishes, merit, shortlisted
from headstart.records import ModelCard
from headstart.sources import Candidate
from headstart.sources.names import rank_by_names
from headstart_paper.networks import candidates

SIZES = (4, 6, 9)


def shipped() -> None:
    """One line per outcome, size and kind of metadata."""
    stored = read_stored()
    cards = [
        ModelCard(name, "image", imagenet_top1=accuracy, trained_on=name.replace("-", " "))
        for name, accuracy in zip(stored.sources, stored.source_accuracy, strict=True)
    ]
    plain = [ModelCard(card.name, "image", trained_on=card.trained_on) for card in cards]
    near = [
        {one.source: one.value for one in rank_by_names([name], [(card, ()) for card in cards])}
        for name in stored.targets
    ]
    kinds = {
        "accuracy": [merit(cards, {})] * len(near),
        "names": [merit(plain, one) for one in near],
        "both, as shipped": [merit(cards, one) for one in near],
    }
    for outcome, runs in stored.outcomes.items():
        reached = np.array(runs).mean(axis=0)  # (targets, sources)
        for size in SIZES:
            for kind, merits in kinds.items():
                kept, loss = [], []
                for row, merits_ in zip(reached, merits, strict=True):
                    order = np.argsort([-merits_[name] for name in stored.sources], kind="stable")[:size]
                    kept.append(row.argmax() in order)
                    loss.append(row.max() - row[order].max())
                count = len(stored.sources)
                print(
                    f"{outcome}, {size} of {count} ({size / count:.0%} of the passes), by {kind}: best kept for "
                    f"{sum(kept)} of {len(kept)} targets (chance {size / count:.0%}), mean loss {np.mean(loss):.3f}"
                )


DATA = {10: "CIFAR-10", 1000: "ImageNet-1k", 965: "birds of iNaturalist"}  # by the number of classes
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def described(spec: str) -> list[Candidate]:
    """Candidates; a file of weights gets what its publisher says: family, training data, and names of its classes."""
    if not Path(spec).is_file():
        return [one for one in candidates([spec]) if one.card.reads("image")]
    (one,) = candidates([spec])
    card, count = one.card, one.card.num_classes or 0
    lists = [file.read_text(encoding="utf-8").splitlines() for file in Path(spec).parent.glob("*labels.txt")]
    classes = next((tuple(names) for names in lists if len(names) == count), CIFAR)
    family = "resnet" if "resnet" in card.name else card.name.split("_")[0]
    card = replace(card, family=family, trained_on=DATA[count])
    return [replace(one, card=card, classes=lambda: classes)]


def real(folders: Sequence[str], models: Sequence[str], limit: int) -> None:
    """The shortlists of a pool of real models on each data set, beside a full ranking."""
    found = [one for spec in models for one in described(spec)]
    for place in folders:
        folder, _, column = place.partition("=")
        target = open_target(folder, reading=Reading(label_column=column or None))
        whole = rank(target, found, limit=limit, scores="leep_pooled")
        order = [row.source for row in whole.rows]
        forecasts = {row.source: row.forecast.value if row.forecast else 0.0 for row in whole.rows}
        said = [f"{name} {forecasts[name]:.3f}" for name in order]
        print(f"{folder}: {', '.join(said)}", flush=True)
        for size in (len(order) // 4, 3 * len(order) // 8, len(order) // 2):
            cut = shortlisted(found, target, Wishes(shortlist=size), automatic=False)
            first = [name for name in order if name in {one.name for one in cut.first}]
            kept = {*first, *(one.name for one in cut.relatives(first))}
            best = next(name for name in order if name in kept)
            print(
                f"  {len(kept)} of {len(order)} ({len(kept) / len(order):.0%} of the passes): "
                f"{'kept' if best == order[0] else f'lost to {best}'}; "
                f"forecast {forecasts[best]:.3f} of {forecasts[order[0]]:.3f}; first {', '.join(first)}",
                flush=True,
            )


def main() -> None:
    """The shipped benchmark, or real data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", nargs="+", default=[])
    parser.add_argument("--models", nargs="+", default=["zoo"])
    parser.add_argument("--limit", type=int, default=200)
    given = parser.parse_args()
    if given.real:
        real(given.real, given.models, given.limit)
    else:
        shipped()


if __name__ == "__main__":
    main()
