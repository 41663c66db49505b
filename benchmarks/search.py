"""What a search costs and what it loses: regret against cost, replayed on the outcomes that headstart ships.

    python benchmarks/search.py

18 sources on 12 targets of 200 examples; nothing is trained here. Fine-tuning: the first k sources by `transferability`
are fine-tuned in full, as `--search fine-tune` begins with eight. Each is judged by one recorded training, with the
sampling noise of the quarter of the examples that the search holds out, and the choice by the mean of the other two
seeds. `--search fine-tune` stops the worse half after 2, 5 and 10 of 20 epochs, so it takes about a quarter of the cost
given here for k = 8, times the two ratios that it tries; early stops are not replayed, since no curves are recorded.
Forward passes: the race and halving on the shipped arrays, judged by the recorded heads. One minute on one core.
"""

import tempfile
from pathlib import Path

import numpy as np
from _results import write_section
from transferability import pooled

import headstart as hs
from headstart.evaluation import regret
from headstart.evaluation.benchmark.stored import Stored, read_pairs, read_stored
from headstart.evaluation.forecast import weighted_kendall
from headstart.ranking import Halving, Race
from headstart.ranking.fine_tuned import ERRORS

BEGIN = (1, 2, 3, 4, 6, 8, 12, 18)
DRAWS, HELD = 2000, 50  # draws of the noise; examples that a search by fine-tuning judges on
ORDERED, MORE = 20, (50, 200, 400, 1000)  # draws for whole orders; held-out examples of larger targets
SEARCHES: dict[str, Race | Halving] = {"race": Race(), "halving": Halving()}


def main() -> None:
    stored = read_stored()
    lines = [
        "`python benchmarks/search.py`. "
        "18 sources, 12 targets of 200 examples, recorded outcomes. Regret: accuracy of the best source minus that of "
        "the source chosen. By fine-tuning: the first k of an order train in full, and the best on 50 held-out "
        "examples is kept, or the first in the order of those within two standard errors of it, as "
        "`--search fine-tune` does. Weighted tau: of the whole order after that, with fine-tuned accuracy (0.708 where "
        "the order is that of the same trainings with another seed, judged on the test part).",
        "",
        "| order | sources trained | share of all trainings | mean regret of the best | ties keep the order | tau |",
        "|---|---:|---:|---:|---:|---:|",
        *by_training(stored),
        "",
        "What more held-out examples would bring, all 18 sources trained, ties in the order by `transferability`:",
        "",
        "| held-out examples | mean regret | weighted tau |",
        "|---:|---:|---:|",
        *by_held_out(stored),
        "",
        "By forward passes (`leep_pooled`), judged by heads:",
        "",
        "| search | share of all passes | mean regret | worst target |",
        "|---|---:|---:|---:|",
        *by_passes(stored),
    ]
    write_section("Search", lines)


def by_training(stored: Stored) -> list[str]:
    """Regret of fine-tuning the first k sources of an order and keeping the best on what was held out."""
    runs, rng = np.array(stored.outcomes["fine-tune"]), np.random.default_rng(0)
    orders = _orders(stored) | {"at random": rng.standard_normal(runs.shape[1:])}
    lines = []
    for name, order in orders.items():
        for begin in BEGIN:
            lost = _mean(order, runs, begin, rng)
            share = f"{begin / runs.shape[2]:.0%}"
            lines.append(f"| {name} | {begin} | {share} | {' | '.join(f'{value:.3f}' for value in lost)} |")
    return lines


def by_held_out(stored: Stored) -> list[str]:
    """The same for all sources, by the number of examples that they are judged on."""
    runs, rng = np.array(stored.outcomes["fine-tune"]), np.random.default_rng(0)
    order, lines = _orders(stored)["transferability"], []
    for held in MORE:
        _, kept, tau = _mean(order, runs, runs.shape[2], rng, held)
        lines.append(f"| {held:,} | {kept:.3f} | {tau:.3f} |")
    return lines


def _orders(stored: Stored) -> dict[str, np.ndarray]:
    scores = {name: np.array(stored.scores[name].values) for name in ("leep_pooled", "leep_gaussian", "logme")}
    whole = pooled(scores, np.array(stored.target_classes)[:, None])
    return {"transferability": whole, "leep_pooled": scores["leep_pooled"]}


def _mean(order: np.ndarray, runs: np.ndarray, begin: int, rng: np.random.Generator, held: int = HELD) -> np.ndarray:
    lost = [_lost(order[t], runs[:, t], begin, rng, held) for t in range(runs.shape[1])]
    return np.asarray(np.mean(lost, axis=0))


def _lost(order: np.ndarray, runs: np.ndarray, begin: int, rng: np.random.Generator, count: int) -> list[float]:
    """Regret of the best on held-out examples, and with ties in order, whose tau follows: means over the trainings."""
    ranked, lost = np.argsort(-order), []
    first = ranked[:begin]
    for seed, run in enumerate(runs):
        truth = np.delete(runs, seed, axis=0).mean(axis=0)
        held = rng.binomial(count, np.clip(run[first], 0, 1), size=(DRAWS, begin)) / count
        held += 1e-6 * rng.random((DRAWS, begin))
        top = held.max(axis=1, keepdims=True)
        error = np.sqrt(2 * np.maximum(top * (1 - top), 1 / count) / count)
        tied = held >= top - ERRORS * error
        taus = []
        for quality, near in zip(held[:ORDERED], tied[:ORDERED], strict=True):
            placed = np.empty(len(order))
            after = first[np.lexsort((-np.where(near, 0.0, quality), ~near))]  # stable: ties keep the order
            placed[[*after, *ranked[begin:]]] = -np.arange(len(order))
            taus.append(weighted_kendall(placed, truth))
        kept = (held.argmax(axis=1), tied.argmax(axis=1))
        lost.append([*(truth.max() - truth[first[one]].mean() for one in kept), np.mean(taus)])
    return [float(np.mean(column)) for column in zip(*lost, strict=True)]


def by_passes(stored: Stored) -> list[str]:
    """Each search on the arrays of every target."""
    heads, pairs = np.array(stored.outcomes["head"]).mean(axis=0), list(read_pairs(stored))
    scores = np.array(stored.scores["leep_pooled"].values)
    whole = [regret(score, head) for score, head in zip(scores, heads, strict=True)]
    rows = {name: list[tuple[float, float]]() for name in SEARCHES}
    for t in range(len(stored.targets)):
        with tempfile.TemporaryDirectory() as folder:
            for pair in pairs[t * len(stored.sources) : (t + 1) * len(stored.sources)]:
                arrays = {"features": pair.features, "logits": pair.logits, "labels": pair.labels}
                np.savez(Path(folder) / f"{pair.source}.npz", allow_pickle=False, **arrays)
            for name, search in SEARCHES.items():
                ranking = hs.rank(folder, scores="leep_pooled", search=search, progress=False)
                passes = sum(row.examples or 0 for row in ranking.rows) / (stored.train * len(stored.sources))
                rows[name].append((passes, heads[t].max() - heads[t, stored.sources.index(ranking.best)]))
    lines = [f"| all | 100% | {np.mean(whole):.3f} | {np.max(whole):.3f} |"]
    for name, found in rows.items():
        passes, lost = np.array(found).T
        lines.append(f"| {name} | {passes.mean():.0%} | {lost.mean():.3f} | {lost.max():.3f} |")
    return lines


if __name__ == "__main__":
    main()
