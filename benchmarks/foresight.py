"""Which score predicts outcomes best: variants of calibrated LEEP beside every other score.

    python benchmarks/foresight.py --data trashnet=trashnet.zip sign-digits=signs.zip --models zoo weights/*.safetensors

Every source's features and logits on every data set, the scores on sub-samples of 50 to 2,000 examples, and test
accuracies of heads on the whole pool; beside them the sources and targets that `headstart benchmark` ships (one small
architecture, eighteen kinds of training data), whose fine-tuning outcomes are known. Everything is kept in `--out`: a
killed run goes on, a second one only writes the section "Foresight" of RESULTS.md again. With seven data
sets and sixteen sources up to 260 pixels: about two hours on one core (`--stages 1`), of which extraction takes most.
"""

import argparse
import warnings
from pathlib import Path

import torch
from _results import write_section
from foresight_arrays import STAGES, extract_all, image_candidates
from foresight_benchmark import PREFIX, World, measure_benchmark, open_benchmark
from foresight_cases import cases
from foresight_measure import measure_all, measure_small_heads
from foresight_report import foresight_lines

from headstart.errors import InputError
from headstart.records import ModelCard
from headstart_paper.data_sets import open_data_set, parse_places
from headstart_paper.results import Results

SETTINGS = {"study": "foresight", "version": 1}


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    data, out = parse_places(options.data), Path(options.out)
    results = Results(out / "results.jsonl", SETTINGS)
    world = _benchmark(options.benchmark)
    cards = [one.card for one in image_candidates(options.models)]
    if not options.report_only:
        if world is not None:
            measure_benchmark(world, results)
        extract_all(out / "arrays", data, options.models, options.stages)
        measure_all(out / "arrays", results, list(data), cards)
        measure_small_heads(out / "arrays", results, list(data), cards)
    found = cases(results.rows, _heads(cards, world), _target_classes(data, world))
    write_section("Foresight", foresight_lines(found, results.rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, metavar="NAME=PATH")
    parser.add_argument("--models", nargs="+", required=True, metavar="PATH", help="safetensors, or names like zoo")
    parser.add_argument("--out", default="foresight-run", help="folder for arrays and results")
    parser.add_argument(
        "--stages", type=int, default=STAGES, help="1: pools of 600; 2: 1,000; 3: 2,000; 4: with test parts of 2,400"
    )
    parser.add_argument("--benchmark", metavar="DIR", help="a finished build; those shipped by default; none: `-`")
    parser.add_argument("--report-only", action="store_true", help="write the section from what is there")
    return parser.parse_args()


def _benchmark(place: str | None) -> World | None:
    if place == "-":
        return None
    try:
        return open_benchmark(None if place is None else Path(place))
    except InputError as error:
        warnings.warn(f"without the benchmark's pairs: {error}", stacklevel=2)
        return None


def _heads(cards: list[ModelCard], world: World | None) -> dict[str, int]:
    """Classes of each source's head."""
    return {card.name: card.num_classes or 0 for card in cards} | (world.heads if world else {})


def _target_classes(data: dict[str, str], world: World | None) -> dict[str, int]:
    counts = {name: len(open_data_set(name, places=data).classes) for name in data}
    return counts | ({PREFIX + name: c for name, c in world.target_classes.items()} if world else {})


if __name__ == "__main__":
    main()
