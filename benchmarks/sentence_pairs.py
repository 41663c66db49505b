"""SetFit against a head on frozen features, and against the authors' package, from 8 examples of each class.

    python benchmarks/sentence_pairs.py trec.csv --package [--seeds 10] [--shots 8] [--rounds 20]

`--package` also trains with the package `setfit` (to be installed aside) on the same examples, under the same seeds and
with as many pairs. Writes its section of RESULTS.md: accuracies on the test part, no timings. A seed takes about four
CPU-minutes with 20 rounds; `--keep FILE` holds what is done, so that a run that was stopped goes on from there.
"""

import argparse
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from _results import write_section
from scipy import stats

import headstart as hs
from headstart.sources import candidates

MODEL = "st/all-MiniLM-L6-v2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="CSV with text, label and split (train or test)")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20, help="pairs of one class and of two for each example")
    parser.add_argument("--package", action="store_true")
    parser.add_argument("--keep", type=Path, default=Path("sentence_pairs.json"))
    options = parser.parse_args()
    done = json.loads(options.keep.read_text()) if options.keep.exists() else {}
    table = pd.read_csv(options.data)
    train, test = (table[table["split"] == name] for name in ("train", "test"))
    methods = ["head", "setfit", *(["package"] if options.package else [])]
    for seed in range(options.seeds):
        few = train.groupby("label").sample(options.shots, random_state=seed)
        for method in methods:
            key = f"{options.data.stem} {options.shots} shots {options.rounds} rounds seed {seed} {method}"
            if key not in done:
                done[key] = accuracy(method, few, test, seed, options.rounds)
                options.keep.write_text(json.dumps(done, indent=0))
            print(key, round(done[key], 3), flush=True)
    start = f"{options.data.stem} {options.shots} shots {options.rounds} rounds seed"
    reached = {name: [done[f"{start} {seed} {name}"] for seed in range(options.seeds)] for name in methods}
    write(reached, options.data.stem, options.shots, options.rounds)


def accuracy(method: str, few: "pd.DataFrame", test: "pd.DataFrame", seed: int, rounds: int) -> float:
    """Accuracy on the test part after training on a few examples."""
    if method == "package":
        return by_package(few, test, seed, rounds)
    epochs = 2 * rounds if method == "setfit" else None
    run = hs.transfer(as_lists(few), MODEL, method=method, seed=seed, test=as_lists(test), epochs=epochs)
    return run.outcome.metrics["accuracy"]


def as_lists(rows: "pd.DataFrame") -> tuple[list[str], list[str]]:
    return rows["text"].tolist(), rows["label"].tolist()


def by_package(few: "pd.DataFrame", test: "pd.DataFrame", seed: int, rounds: int) -> float:
    """Accuracy of the authors' package; all but the number of pairs are its defaults."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments  # type: ignore[import-not-found]  # installed aside

    logging.disable(logging.WARNING)
    files = (candidates(MODEL)[0].files or tuple)()
    weights = next(path.parent for path in files if path.name == "modules.json")
    names = sorted(set(test["label"]))
    parts = [
        Dataset.from_dict({"text": t, "label": [names.index(one) for one in y]}) for t, y in map(as_lists, (few, test))
    ]
    with TemporaryDirectory() as folder:
        model = SetFitModel.from_pretrained(str(weights))
        arguments = TrainingArguments(
            output_dir=folder, seed=seed, batch_size=16, num_epochs=1, num_iterations=rounds,
            report_to="none", show_progress_bar=False,
        )  # fmt: skip
        trainer = Trainer(model=model, args=arguments, train_dataset=parts[0])
        trainer.train()
        found = np.asarray(model.predict(parts[1]["text"], show_progress_bar=False))
    return float((found == np.array(parts[1]["label"])).mean())


def write(reached: dict[str, list[float]], data: str, shots: int, rounds: int) -> None:
    rows = [f"| {name} | {np.mean(values):.3f} | {np.std(values, ddof=1):.3f} |" for name, values in reached.items()]
    lines = [
        f"{data}, {shots} examples of each class, {MODEL}, {len(reached['head'])} seeds, {rounds} rounds of pairs; "
        "test accuracy. Intervals are over seeds, of paired differences.", "",
        "| method | mean | sd over seeds |", "| --- | ---: | ---: |", *rows, "",
        f"setfit minus head: {interval(reached['setfit'], reached['head'])}.",
    ]  # fmt: skip
    if "package" in reached:
        lines += ["", f"setfit minus the package `setfit`: {interval(reached['setfit'], reached['package'])}."]
    write_section(f"SetFit with {rounds} rounds of pairs", lines)


def interval(one: list[float], other: list[float]) -> str:
    """The mean of paired differences with its 95 % interval over seeds."""
    gaps = np.subtract(one, other)
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
    return f"{gaps.mean():+.3f} ({gaps.mean() - half:+.3f} to {gaps.mean() + half:+.3f})"


if __name__ == "__main__":
    main()
