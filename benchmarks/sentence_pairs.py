"""SetFit against a head on frozen features, and against the authors' package, from 8 examples of each class.

    python benchmarks/sentence_pairs.py trec.csv [--seeds 10] [--shots 8] [--package]

`--package` also trains with the package `setfit` (to be installed aside) on the same examples under the same seeds.
Writes its section of RESULTS.md. Accuracies on the test part, no timings.
"""

import argparse
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
    parser.add_argument("--package", action="store_true")
    options = parser.parse_args()
    table = pd.read_csv(options.data)
    train, test = (table[table["split"] == name] for name in ("train", "test"))
    files = (candidates(MODEL)[0].files or tuple)()
    weights = next(path.parent for path in files if path.name == "modules.json")
    reached: dict[str, list[float]] = {"head": [], "setfit": []}
    for seed in range(options.seeds):
        few = train.groupby("label").sample(options.shots, random_state=seed)
        for method in ("head", "setfit"):
            run = hs.transfer(as_lists(few), MODEL, method=method, seed=seed, test=as_lists(test))
            reached[method].append(run.outcome.metrics["accuracy"])
        if options.package:
            reached.setdefault("package", []).append(by_package(weights, few, test, seed))
        print(seed, {name: round(values[-1], 3) for name, values in reached.items()}, flush=True)
    write(reached, options.data.stem, options.shots)


def as_lists(rows: "pd.DataFrame") -> tuple[list[str], list[str]]:
    return rows["text"].tolist(), rows["label"].tolist()


def by_package(weights: Path, few: "pd.DataFrame", test: "pd.DataFrame", seed: int) -> float:
    """Accuracy of the authors' package with its defaults."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments  # type: ignore[import-not-found]  # installed aside

    logging.disable(logging.WARNING)
    names = sorted(set(test["label"]))
    parts = [
        Dataset.from_dict({"text": t, "label": [names.index(one) for one in y]}) for t, y in map(as_lists, (few, test))
    ]
    with TemporaryDirectory() as folder:
        model = SetFitModel.from_pretrained(str(weights))
        arguments = TrainingArguments(
            output_dir=folder, seed=seed, batch_size=16, num_epochs=1, report_to="none", show_progress_bar=False
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=parts[0])
        trainer.train()
        found = np.asarray(model.predict(parts[1]["text"], show_progress_bar=False))
    return float((found == np.array(parts[1]["label"])).mean())


def write(reached: dict[str, list[float]], data: str, shots: int) -> None:
    rows = [f"| {name} | {np.mean(values):.3f} | {np.std(values, ddof=1):.3f} |" for name, values in reached.items()]
    lines = [
        f"{data}, {shots} examples of each class, {MODEL}, {len(reached['head'])} seeds; test accuracy.", "",
        "| method | mean | sd over seeds |", "| --- | ---: | ---: |", *rows, "",
        f"setfit minus head: {interval(reached['setfit'], reached['head'])}.",
    ]  # fmt: skip
    if "package" in reached:
        lines += ["", f"setfit minus the package `setfit`: {interval(reached['setfit'], reached['package'])}."]
    write_section("SetFit", lines)


def interval(one: list[float], other: list[float]) -> str:
    """The mean of paired differences with its 95 % interval over seeds."""
    gaps = np.subtract(one, other)
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
    return f"{gaps.mean():+.3f} ({gaps.mean() - half:+.3f} to {gaps.mean() + half:+.3f})"


if __name__ == "__main__":
    main()
