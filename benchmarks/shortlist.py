"""Shortlists by metadata: how often the best model of all is kept, at what share of the forward passes.

    python benchmarks/shortlist.py                                     # the benchmark that headstart ships, seconds
    python benchmarks/shortlist.py --real FOLDER... --models zoo X...  # data sets, and a pool of real models, minutes

On the shipped benchmark 18 sources share one architecture, so that families say nothing: merit is the accuracy on a
source's own data plus how near the names of the two data sets are. Best is the highest accuracy of a real transfer. On
real data the best is the first of a full ranking; the shortlist runs as `rank(..., shortlist=N)` does, and the loss is
how much lower the forecast of its winner is.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from headstart.evaluation.benchmark.stored import read_stored
from headstart.ranking import rank
from headstart.ranking.shortlist import merit
from headstart.records import ModelCard
from headstart.sources.names import rank_by_names

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


def real(folders: Sequence[str], models: Sequence[str], limit: int) -> None:
    """Full rankings and shortlisted ones of a pool of real models."""
    for folder in folders:
        whole = rank(folder, list(models), limit=limit, scores="leep_pooled")
        forecasts = {row.source: row.forecast.value if row.forecast else 0.0 for row in whole.rows}
        for size in (max(2, len(whole.rows) // 3), max(3, len(whole.rows) // 2)):
            found = rank(folder, list(models), limit=limit, scores="leep_pooled", shortlist=size)
            kept = "kept" if found.best == whole.best else f"lost to {found.best}"
            print(
                f"{folder}: {len(found.rows)} of {len(whole.rows)} models: the best, {whole.best}, is {kept}; "
                f"forecast {forecasts[found.best]:.3f} of {forecasts[whole.best]:.3f}",
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
