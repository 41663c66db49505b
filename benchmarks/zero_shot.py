"""Classes without examples: ESZSL on 20 unseen classes of a labelled data set, several draws of classes.

    python benchmarks/zero_shot.py DATA [--model zoo/efficientnet_lite0] [--limit 2000] [--label-column label_name]

Writes its section of RESULTS.md. Accuracies, no timings.
"""

import argparse

import numpy as np
from _results import write_section

import headstart as hs
from headstart.data import limit
from headstart.store import folder_of
from headstart.zeroshot import predict_unseen

DRAWS, UNSEEN = 5, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--model", default="zoo/efficientnet_lite0")
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--label-column")
    options = parser.parse_args()
    target = hs.open_target(options.data, label_column=options.label_column)
    target = limit(target, options.limit, 0)
    rows = []
    for draw in range(DRAWS):
        unseen = np.random.default_rng(draw).permutation(target.classes)[:UNSEEN].tolist()
        found = predict_unseen(target, options.model, unseen, cache=folder_of(True), seed=draw)
        print(found, flush=True)
        rows.append([found.among_unseen.value, found.seen.value, found.unseen_of_all.value, found.harmonic])
    table = [f"| {draw} | " + " | ".join(f"{value:.3f}" for value in row) + " |" for draw, row in enumerate(rows)]
    write_section(
        "Classes without examples",
        [
            f"ESZSL on {target.name} ({len(target)} examples, {len(target.classes)} classes), {options.model} and "
            f"names by st/all-MiniLM-L6-v2: {UNSEEN} classes unseen, chance among them {1 / UNSEEN:.2f}.",
            "",
            "| draw of classes | among the unseen | seen, of all | unseen, of all | harmonic mean |",
            "| ---: | ---: | ---: | ---: | ---: |",
            *table,
            "| mean | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |",
        ],
    )


if __name__ == "__main__":
    main()
