"""Is a source that says nothing of the target noticed before any training, and is one that helps left alone?

    python benchmarks/negative.py    # a section of benchmarks/RESULTS.md

Every source-target pair of the shipped benchmark as it is, with the target's labels permuted, and with noise in place
of the source's features, each of these with several draws. The alarm is the ranking's: neither the source's classes nor
its features are shown to be better than guessing. Alarms on pairs as they are count as false, whatever their source is
worth. The recorded heads and fine-tunings tell how often `causes` says "frozen too much" and is right: the cause is
named from the outcomes of one seed and judged by those of the others.
"""

import numpy as np
from _results import write_section

from headstart.evaluation.benchmark import Stored, read_pairs, read_stored
from headstart.evaluation.causes import causes
from headstart.ranking.evidence import surely_gains
from headstart.ranking.uncertainty import verdict
from headstart.records import Outcome, Provenance
from headstart.scores import Inputs, association, evaluate_on, left_out_gains, left_out_probs
from headstart.stats import jackknife_groups
from headstart.tasks import softmax

DRAWS = 3  # of each planted case
CLEAR = 0.05  # of accuracy: a difference that other seeds show too


def alarmed(features: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the ranking would advise against a source with these outputs."""
    inputs = Inputs(
        labels,
        groups=jackknife_groups(len(labels), seed=0),
        probs=softmax(logits),
        features=features.astype(np.float64),
    )
    done, _ = evaluate_on(["leep_skill"], inputs)
    gains = left_out_gains(inputs, left_out_probs(inputs))
    return verdict(done.get("leep_skill"), gains, None if surely_gains(gains) else association(inputs))[1]


def share(count: int, whole: int) -> str:
    """A count as text, with its share."""
    return f"{count} of {whole}" + (f" ({count / whole:.1%})" if whole else "")


def outcome(method: str, accuracy: float, trained: int, tested: int) -> Outcome:
    """A run of which only the accuracy and the share that trained are known."""
    return Outcome(
        method=method, source="source", target="target", task="classification", seed=0, metric="accuracy",
        metrics={"accuracy": accuracy}, n_train=200, n_valid=0, n_test=tested, parameters=100, trained=trained,
        epochs=0, best_epoch=None, stopped="", seconds=0.0, curve=(), plan=(), classes=(), split="",
        provenance=Provenance("", 0, "", {}, ""),
    )  # fmt: skip


def frozen(stored: Stored) -> list[str]:
    """How often "frozen too much" is said where other seeds agree, and where they disagree."""
    heads, tuned = (np.array(stored.outcomes[kind]) for kind in ("head", "fine-tune"))  # (seeds, targets, sources)
    hits, planted, false, fine = 0, 0, 0, 0
    for seed in range(len(heads)):
        rest = np.arange(len(heads)) != seed
        better = (tuned[rest] - heads[rest]).mean(axis=0)
        for place in np.ndindex(*better.shape):
            kinds = (("head", heads, 1), ("fine-tune", tuned, 100))
            mine, other = (outcome(kind, found[seed][place], k, stored.test[place[0]]) for kind, found, k in kinds)
            told = any("frozen too much" in one for one in causes([mine], [], [other]))
            planted, hits = planted + (better[place] >= CLEAR), hits + (better[place] >= CLEAR and told)
            fine, false = fine + (better[place] <= -0.01), false + (better[place] <= -0.01 and told)
    return [
        "", f"Frozen too much, said of a head from one seed: {share(hits, planted)} where "
        f"fine-tuning gains {100 * CLEAR:.0f} points or more with the other seeds, "
        f"{share(false, fine)} where it loses one or more.",
    ]  # fmt: skip


def main() -> None:
    """Count the alarms and write the section."""
    rng = np.random.default_rng(0)
    counts = {"as it is": [0, 0], "labels permuted": [0, 0], "noise in place of the source": [0, 0]}
    stored = read_stored()
    heads = np.mean(stored.outcomes["head"], axis=0)  # (targets, sources)
    helpful = false = 0
    for pair in read_pairs(stored):
        noise = [np.abs(rng.standard_normal(pair.features.shape)) for _ in range(DRAWS)]
        cases = [("as it is", pair.features, pair.logits, pair.labels)]
        cases += [("labels permuted", pair.features, pair.logits, rng.permutation(pair.labels)) for _ in range(DRAWS)]
        cases += [("noise in place of the source", one, one @ pair.weight.T + pair.bias, pair.labels) for one in noise]
        found = [(name, alarmed(*case)) for name, *case in cases]
        for name, alarm in found:
            counts[name][0] += alarm
            counts[name][1] += 1
        where = stored.targets.index(pair.target)
        guess = np.bincount(pair.labels).max() / len(pair.labels)
        error = np.sqrt(guess * (1 - guess) / stored.test[where])
        helps = heads[where, stored.sources.index(pair.source)] > guess + 1.645 * error
        helpful, false = helpful + helps, false + (helps and found[0][1])
    lines = ["Pairs of 200 examples.", "", "| source | alarms |", "|---|---|"]
    lines += [f"| {name} | {share(alarms, all_)} |" for name, (alarms, all_) in counts.items()]
    lines += ["", f"Of the {helpful} pairs whose heads beat guessing on the test part (one-sided, 95 %), "
              f"{share(false, helpful)} were alarmed."]  # fmt: skip
    lines += frozen(stored)
    print("\n".join(lines))
    write_section("Sources that say nothing, noticed before training", lines)


if __name__ == "__main__":
    main()
