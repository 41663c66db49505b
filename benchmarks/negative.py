"""Is a source that says nothing of the target noticed before any training, and is one that helps left alone?

    python benchmarks/negative.py    # a section of benchmarks/RESULTS.md

Every source-target pair of the shipped benchmark as it is, with the target's labels permuted, and with noise in place
of the source's features. The alarm is the ranking's: neither the source's classes nor a probe on its features are shown
to be better than guessing. It is false where the recorded heads beat guessing by 5 points or more.
"""

import numpy as np
from _results import write_section

from headstart.evaluation.benchmark import read_pairs, read_stored
from headstart.ranking.uncertainty import verdict
from headstart.scores import Inputs, evaluate, left_out_gains, left_out_probs
from headstart.tasks import softmax

HELPS = 0.05  # of accuracy above guessing


def alarmed(features: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the ranking would advise against a source with these outputs."""
    probs = softmax(logits)
    done, _ = evaluate(["leep_skill"], labels=labels, probs=probs)
    inputs = Inputs(labels, features=features.astype(np.float64))
    return verdict(done["leep_skill"], left_out_gains(inputs, left_out_probs(inputs)))[1]


def main() -> None:
    """Count the alarms and write the section."""
    rng = np.random.default_rng(0)
    counts = {"as it is": 0, "labels permuted": 0, "noise in place of the source": 0}
    pairs = helpful = false = 0
    stored = read_stored()
    heads = np.mean(stored.outcomes["head"], axis=0)  # (targets, sources)
    for pair in read_pairs(stored):
        noise = np.abs(rng.standard_normal(pair.features.shape))
        cases = (
            (pair.features, pair.logits, pair.labels),
            (pair.features, pair.logits, rng.permutation(pair.labels)),
            (noise, noise @ pair.weight.T + pair.bias, pair.labels),
        )
        found = [alarmed(*case) for case in cases]
        guess = np.bincount(pair.labels).max() / len(pair.labels)
        helps = heads[stored.targets.index(pair.target), stored.sources.index(pair.source)] >= guess + HELPS
        pairs, helpful, false = pairs + 1, helpful + helps, false + (helps and found[0])
        for name, alarm in zip(counts, found, strict=True):
            counts[name] += alarm
    lines = [f"{pairs} pairs of 200 examples.", "", "| source | alarms |", "|---|---|"]
    lines += [f"| {name} | {count} of {pairs} ({count / pairs:.1%}) |" for name, count in counts.items()]
    lines += ["", f"False alarms: {false} of the {helpful} pairs whose heads beat guessing ({false / helpful:.1%})."]
    print("\n".join(lines))
    write_section("Sources that say nothing, noticed before training", lines)


if __name__ == "__main__":
    main()
