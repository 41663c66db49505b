"""How well the names of classes alone predict what a transfer reaches, beside the other scores of the benchmark.

    python benchmarks/class_names.py

Writes its section of RESULTS.md. No image is read and no network runs: names are compared by a sentence encoder.
"""

from _results import write_section

import headstart as hs
from headstart.evaluation.benchmark.stored import Pair
from headstart.records import ModelCard
from headstart.zeroshot import rank_by_names
from headstart_paper.benchmark.classes import NAMES
from headstart_paper.benchmark.recipes import SOURCES, TARGETS, UNTRAINED, Recipe

TURNS = ("not turned", "turned left", "turned upside down", "turned right")
BESIDE = ("leep_calibrated", "h_score", "logme", "leep", "nce")
OUTCOMES = {"head": "heads", "fine-tune": "fine-tuning"}


def names_of(recipe: Recipe) -> tuple[str, ...]:
    return TURNS if recipe.lesson == "turns" else recipe.classes or NAMES[recipe.data]


def main() -> None:
    near: dict[tuple[str, str], float] = {}
    sources = [(ModelCard(one.name, "image"), names_of(one)) for one in SOURCES]
    for target in TARGETS:
        near |= {(target.name, one.source): one.value for one in rank_by_names(names_of(target), sources)}

    def class_names(pair: Pair) -> float:
        """The untrained network, which has no classes, comes last."""
        return -1.0 if pair.source == UNTRAINED else near[pair.target, pair.source]

    found = [hs.benchmark({"class names": class_names}), hs.benchmark(",".join(BESIDE))]
    lines = [
        f"{len(SOURCES) + 1} sources, {len(TARGETS)} targets of `headstart benchmark`; means over the targets.",
        "",
        "| order by | " + " | ".join(f"weighted tau, {name} | regret, {name}" for name in OUTCOMES.values()) + " |",
        "| --- |" + " ---: |" * 2 * len(OUTCOMES),
    ]
    cells: dict[str, dict[str, str]] = {}
    for outcome in OUTCOMES:
        for row in {row.score: row for part in found for row in part.of(outcome)}.values():
            tau, regret = row.weighted_tau.value, row.regret.value
            cells.setdefault(row.score, {})[outcome] = " | ".join(
                "" if value is None else f"{value:.3f}" for value in (tau, regret)
            )
    lines += [
        f"| {name} | " + " | ".join(row.get(one, " | ") for one in OUTCOMES) + " |" for name, row in cells.items()
    ]
    write_section("Class names alone", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
