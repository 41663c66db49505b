"""Which criterion chooses the source of clusters well, judged by labels that were held back.

    python benchmarks/clusters.py NAME=DATA [NAME=DATA ...]   # labelled data sets; writes its section of RESULTS.md

Each source's clusters are compared with the labels by the adjusted Rand index. The regret of a criterion is how far
the source that it chooses lies below the best one. No timings.
"""

import sys

import numpy as np
from _results import write_section

import headstart as hs
from headstart.records import ClusteredSource

MODELS = ["zoo/tiny_digits", "zoo/tiny_letters", "zoo/tiny_emoji", "zoo/efficientnet_lite0"]
CRITERIA = {
    "stability above chance": lambda row: row.above_chance,
    "plain stability": lambda row: row.stability,
    "agreement with the other sources": lambda row: row.agreement,
    "silhouette": lambda row: row.silhouette,
}


def main(named: list[str]) -> None:
    lines = ["| data | " + " | ".join(CRITERIA) + " | best | worst |", "| --- |" + " ---: |" * (len(CRITERIA) + 2)]
    regrets = []
    for name, data in (each.split("=", 1) for each in named):
        rows = hs.cluster(data, MODELS, limit=400).rows
        reached = np.array([rand(row) for row in rows])
        lost = [reached.max() - rand(max(rows, key=criterion)) for criterion in CRITERIA.values()]
        regrets.append(lost)
        lines.append(f"| {name} | " + " | ".join(f"{x:.2f}" for x in (*lost, reached.max(), reached.min())) + " |")
    lines.append("| mean | " + " | ".join(f"{x:.3f}" for x in np.mean(regrets, axis=0)) + " | | |")
    text = (
        "Regret in adjusted Rand index of the source that each criterion chooses (400 examples, number of clusters "
        f"chosen for each source; sources: {', '.join(MODELS)}).\n\n" + "\n".join(lines)
    )
    print(text)
    write_section("Clusters without labels", text.splitlines())


def rand(row: ClusteredSource) -> float:
    """Agreement of a source's clusters with the labels."""
    return row.rand.value if row.rand else 0.0


if __name__ == "__main__":
    main(sys.argv[1:])
