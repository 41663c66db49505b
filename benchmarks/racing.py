"""Racing and successive halving: how often they find the winner of a full search, at what share of its passes.

    python benchmarks/racing.py                      # 200 simulated worlds; --state FILE goes on where a run stopped
    python benchmarks/racing.py --quick              # a few small worlds, to see that it runs; nothing is written
    python benchmarks/racing.py --real demo/fashion_mnist_1000.zip --models zoo

A world is a target and 20 sources. Priors, numbers of classes, noise and sharpness are drawn at random; part of the
noise is common to all sources (some examples are hard for everybody), and sources have 8 to 800 classes, so that they
need unequally many examples. In every third world one to three rivals are made as good as the best one, to within 1 %
of its noise. The sources are ranked by calibrated LEEP through the search's own driver, on logits in memory: no network
runs, and passes are counted, not timed.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from _results import write_section

import headstart as hs
from headstart.data import open_target
from headstart.data.order import stratified_order
from headstart.ranking.attempt import Course, from_arrays
from headstart.ranking.budget import Deadline
from headstart.ranking.inputs import rows_of
from headstart.ranking.methods import All, Halving, Race
from headstart.ranking.order import choose_sort
from headstart.ranking.rounds import Found, Rounds
from headstart.records import Extraction
from headstart.runner.progress import silent
from headstart.stats import jackknife_groups

SCORE = "leep_calibrated"
NEAR = 0.01  # nats
FIFTH = "all, on a fifth"  # of the examples: what the same passes buy without a search
METHODS: dict[str, Race | Halving] = {"race": Race(), "halving": Halving()}


@dataclass(frozen=True)
class Result:
    """One search in one world, judged by the full search."""

    world: int
    method: str
    gap: float  # nats between the first two of the full search
    same: bool  # the winner is that of the full search
    loss: float  # nats by which the winner falls short of it, on all examples
    share: float  # of the passes
    lost: bool  # the winner of the full search was dropped
    sure: bool  # the ranking names one best source at its level


def world(seed: int, n: int, sources: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels (n,) and the logits (n, z) of each source."""
    rng = np.random.default_rng(seed)
    classes = int(rng.choice([4, 8, 16]))
    labels = rng.choice(classes, n, p=rng.dirichlet(np.full(classes, 8.0)))
    labels = np.unique(labels, return_inverse=True)[1]
    classes = int(labels.max()) + 1
    noise = rng.uniform(0.35, 1.6, sources)
    widths = np.exp(rng.uniform(np.log(8), np.log(800), sources)).astype(int)
    sharpness = np.exp(rng.normal(1.0, 0.5, sources))
    if seed % 3 == 0:
        best = int(np.argmin(noise))
        rivals = rng.choice(np.delete(np.arange(sources), best), int(rng.integers(1, 4)), replace=False)
        noise[rivals] = noise[best] * (1 + rng.uniform(0, 0.01, len(rivals)))
        widths[rivals], sharpness[rivals] = widths[best], sharpness[best]
    common, together = rng.standard_normal((n, classes)), rng.uniform(0.2, 0.8)
    logits = []
    for s in range(sources):
        own = rng.standard_normal((n, classes))
        seen = np.eye(classes)[labels] + noise[s] * (np.sqrt(together) * common + np.sqrt(1 - together) * own)
        view = rng.standard_normal((classes, widths[s]))
        logits.append((sharpness[s] * seen @ view + 0.3 * rng.standard_normal((n, widths[s]))).astype(np.float32))
    return labels, logits


def search(method: All | Race | Halving, target: hs.Target, extractions: Sequence[Extraction], seed: int) -> Found:
    """The search of `hs.rank`, without the record around it."""
    course = Course(
        target=target,
        groups=jackknife_groups(len(target.labels), seed=seed),
        scores=(SCORE,),
        seed=seed,
        device="cpu",
        batch_size=None,
        cache=None,
        max_bad=0.0,
        trust_pickle=False,
    )
    choose = partial(choose_sort, (SCORE,), sort=None, asked=True)
    return Rounds(from_arrays(extractions), method, course, choose, silent, Deadline.after(None)).search()


def values_of(found: Found) -> dict[str, float]:
    return {one.source: one.evaluations[SCORE].value for one in found.measurements}


def try_world(seed: int, n: int, sources: int) -> list[Result]:
    """Both searches, and the plain alternative, against the full search."""
    labels, logits = world(seed, n, sources)
    target = open_target((np.zeros((n, 1)), labels), task="classification")
    extractions = [Extraction(f"source {s}", labels, target.ids, logits=held) for s, held in enumerate(logits)]
    truth = values_of(search(All(), target, extractions, seed))
    ordered = sorted(truth.values(), reverse=True)
    best = max(truth, key=truth.__getitem__)

    def judged(method: str, winner: str, share: float, dropped: Sequence[str] = (), sure: bool = False) -> Result:
        loss = ordered[0] - truth[winner]
        return Result(seed, method, ordered[0] - ordered[1], winner == best, loss, share, best in dropped, sure)

    results = []
    for name, method in METHODS.items():
        found = search(method, target, extractions, seed)
        assert found.staged is not None
        last = found.staged.rounds[-1]
        winner = max((source for source in last if source not in found.staged.dropped), key=lambda s: last[s].value)
        alone = len([source for source in truth if source not in found.staged.dropped]) == 1
        results.append(judged(name, winner, found.search.share, tuple(found.staged.dropped), alone))
    kept = np.sort(stratified_order(labels, seed)[: n // 5])
    part = values_of(search(All(), target.subset(kept), [rows_of(one, kept) for one in extractions], seed))
    return [*results, judged(FIFTH, max(part, key=part.__getitem__), len(kept) / n)]


def table(results: Sequence[Result]) -> list[str]:
    """One line per method and kind of world."""
    lines = [
        "| worlds | search | same winner | or within 0.01 nats | largest loss, nats | winner dropped | passes, mean | "
        "median | largest |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    kinds = (("all", lambda one: True), ("first two within 0.05 nats", lambda one: one.gap <= 0.05))
    for kind, belongs in kinds:
        for method in (*METHODS, FIFTH):
            held = [one for one in results if one.method == method and belongs(one)]
            if not held:
                continue
            same, near = (np.mean([one.same for one in held]), np.mean([one.same or one.loss <= NEAR for one in held]))
            shares = [one.share for one in held]
            lines.append(
                f"| {kind} ({len(held)}) | {method} | {100 * same:.1f} % | {100 * near:.1f} % | "
                f"{max(one.loss for one in held):.3f} | {sum(one.lost for one in held)} | "
                f"{100 * np.mean(shares):.1f} % | {100 * np.median(shares):.1f} % | {100 * max(shares):.1f} % |"
            )
    return lines


def simulated(worlds: int, n: int, sources: int, state: Path | None) -> list[str]:
    """All worlds; with `state`, each is kept there as it is done."""
    done = [Result(**json.loads(line)) for line in state.read_text().splitlines()] if state and state.exists() else []
    finished = {one.world for one in done}
    for seed in range(worlds):
        if seed in finished:
            continue
        results = try_world(seed, n, sources)
        done += results
        print(f"world {seed}: " + "; ".join(f"{one.method} {one.loss:.3f} at {one.share:.2f}" for one in results))
        if state:
            with state.open("a") as file:
                file.writelines(json.dumps(asdict(one)) + "\n" for one in results)
    done = [one for one in done if one.world < worlds]
    return [
        f"{worlds} simulated worlds of {sources} sources and {n:,} examples; counts, no times. Every third world has "
        "rivals within 1 % of the best source's noise. Race: 5 % error, margin 0.01 nats. Halving: a fifth of the "
        "passes.",
        "",
        *table(done),
        "",
        f"Target: the same winner, or one within 0.01 nats, in at least 97 % of the worlds at no more than 20 % of the "
        f"passes. {verdict(done)}",
    ]


def verdict(results: Sequence[Result]) -> str:
    parts = []
    for method in METHODS:
        held = [one for one in results if one.method == method]
        right = np.mean([one.same or one.loss <= NEAR for one in held])
        spent = np.mean([one.share for one in held])
        met = right >= 0.97 and spent <= 0.2 + 1e-9
        parts.append(f"{method}: {'met' if met else 'not met'}")
    return "; ".join(parts).capitalize() + "."


def real(data: str, models: Sequence[str], score: str) -> list[str]:
    """Real sources, from a cache of their own: the full search comes last, and finds the rows of the others there."""
    lines = [
        f"Real sources: {', '.join(models)} on {Path(data).name}, sorted by {score}.",
        "",
        "| search | winner | passes | rounds | what it says |",
        "|---|---|---:|---|---|",
    ]
    for method in (*METHODS, "all"):
        ranking = hs.rank(data, list(models), scores=score, search=method)
        assert ranking.search is not None
        rounds = ", ".join(f"{one.sources} on {one.examples:,}" for one in ranking.search.rounds)
        share = 100 * ranking.search.share
        lines.append(f"| {method} | {ranking.best} | {share:.0f} % | {rounds} | {ranking.sureness} |")
        print(lines[-1])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--state", type=Path, help="keep finished worlds in this file, and go on from it")
    parser.add_argument("--quick", action="store_true", help="six small worlds; writes nothing")
    parser.add_argument("--real", metavar="DATA", help="real sources on this data set beside the simulated ones")
    parser.add_argument("--models", nargs="+", default=["zoo"])
    parser.add_argument("--scores", default=SCORE)
    options = parser.parse_args()
    if options.quick:
        print("\n".join(simulated(6, 400, 8, None)))
        return
    lines = simulated(options.worlds, 2000, 20, options.state)
    if options.real:
        lines += ["", *real(options.real, options.models, options.score)]
    print("\n".join(lines))
    write_section("Racing", lines)


if __name__ == "__main__":
    main()
