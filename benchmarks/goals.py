"""The goals of speed, one part each, measured beside what each is judged against, in one run.

    python benchmarks/goals.py --texts trec.csv        # all parts; a table with columns `text` and `label`
    python benchmarks/goals.py warm cold --dry         # these parts, printed only
    python benchmarks/goals.py intervals overhead      # scores with their intervals; our training loop
    python benchmarks/goals.py ... --photos 200        # fewer images than the goal is stated for

Every part prints what is asked, what was measured, and whether that is met; with `--dry` nothing is written. Every
piece runs in a process of its own, imports included. Processor seconds, the least of the runs, unless said.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from _results import write_section

NETWORKS = ["zoo/tiny_letters", "zoo/tiny_digits", "zoo/tiny_emoji"]  # small: what is not the pass weighs most
ENCODER = "st/all-MiniLM-L6-v2"

RANK = """
import sys, headstart as hs
hs.rank(sys.argv[1], models=sys.argv[3:], cache=None if sys.argv[2] == "-" else sys.argv[2], progress=False)
"""
FORWARD = """
import sys, torch
from headstart.data import open_target
from headstart.sources import candidates
target = open_target(sys.argv[1])
for candidate in candidates(sys.argv[3:]):
    source = candidate.load(False)
    with torch.inference_mode():
        for at in range(0, len(target), 32):
            items = [source.prepare(target.examples.load(i)) for i in range(at, min(at + 32, len(target)))]
            source.network(source.collate(items))
"""
ENCODE = """
import sys, headstart.torchvision_ops, pandas as pd
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
table = pd.read_csv(sys.argv[1])
model = SentenceTransformer(sys.argv[2])
print(cross_val_score(LogisticRegression(max_iter=1000), model.encode(list(table.text)), table.label).mean())
"""
RANKER = """
import sys, headstart.torchvision_ops, pandas as pd
from datasets import Dataset, DatasetDict
from transformer_ranker import TransformerRanker
table = pd.read_csv(sys.argv[1])
ranker = TransformerRanker(DatasetDict(train=Dataset.from_pandas(table)), dataset_downsample=1.0, text_column="text",
                           label_column="label", task_category="text-classification")
print(ranker.run([sys.argv[2]], batch_size=32, device="cpu"))
"""
LARGE = """
import sys, numpy as np, headstart as hs
ranking = hs.rank(sys.argv[1], progress=lambda event: None, cache=None)
print(ranking)
"""
STORE = """
import sys, time, pathlib, numpy as np
from headstart.store import RowStore, RowWriter
rows = np.random.default_rng(0).standard_normal((512, 1280)).astype(np.float32)
started = time.process_time()
with RowWriter(RowStore(pathlib.Path(sys.argv[1]), "0123abcd")) as writer:
    for batch in range(100):
        writer.add([f"{batch:08}{row:08}".encode() for row in range(512)], {"features": rows})
print(f"{100 * rows.nbytes / 1e6 / (time.process_time() - started):.0f} MB a processor second")
"""
RANKS = """
import numpy as np
from headstart.stats import paired_ranks
rng = np.random.default_rng(0)
values = rng.normal(size=1826)
paired_ranks(values, values[:, None] + 0.1 * rng.standard_normal((1826, 20)))
"""


INTERVALS = """
import sys; sys.path.insert(0, sys.argv[1])
from intervals import SIZES, World, compare
from headstart.scores import SCORES
suits = [n for n, s in SCORES.items() if s.needs in ("probs", "logits", "features") and s.suits("classification")]
names = suits if sys.argv[3] == "all" else [n for n in suits if SCORES[n].default]
alone, both = compare(World(*SIZES[int(sys.argv[2])]), names, 1)
print(both / alone - 1)
"""
ARRAYS = """
import sys, pathlib, numpy as np, headstart as hs
rng = np.random.default_rng(0)
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
labels = rng.integers(5, size=300)
for one in range(3):
    features = rng.standard_normal((300, 64)) + 2 * np.eye(5, 64)[labels]
    np.savez(folder / f"{one}.npz", features=features, logits=features[:, :10], labels=labels)
ranking = hs.rank(folder, scores="all", progress=False)
print(len(ranking.rows), "sources", len(ranking.rows[0].scores), "scores")
"""


def spent(code: str, *words: object, runs: int = 1, module: bool = False) -> tuple[float, float, str]:
    """Processor seconds and peak megabytes of a process, the least of the runs, and what it printed last."""
    taken, said = [], ""
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = [sys.executable, *(["-m", code] if module else ["-c", code])]
        done = subprocess.run([*start, *map(str, words)], check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        said = (done.stdout.strip().splitlines() or [""])[-1]
    return min(taken), after.ru_maxrss / 1024, said


def judged(text: str, value: float, goal: float, most: bool = True) -> list[str]:
    """A line with the goal and whether it is met."""
    met = value <= goal if most else value >= goal
    return [f"{text} ({'at most' if most else 'at least'} {goal:g}: {'met' if met else 'MISSED'})"]


def listing(chosen: argparse.Namespace, folder: Path) -> list[str]:
    empty, _, _ = spent("import numpy, typer._adapters, rich.console", runs=5)
    whole, _, _ = spent("headstart", "scores", runs=5, module=True)
    return judged(f"`headstart scores`: {whole:.2f} s; numpy, typer and rich alone take {empty:.2f} s", whole, 0.5)


def intervals(chosen: argparse.Namespace, folder: Path) -> list[str]:
    lines = []
    for which, goal in (("default", 1.5), ("all", 3.0)):
        for size in range(2 if which == "all" else 3):  # all scores of 20,000 examples take minutes
            extra = float(spent(INTERVALS, Path(__file__).parent, size, which)[2])
            lines += judged(f"intervals of {which} scores, size {size + 1}: {extra:.1f} times the values", extra, goal)
    return lines


def overhead(chosen: argparse.Namespace, folder: Path) -> list[str]:
    import transfer

    return [line for line in transfer.overhead(9) if line]


def everything(chosen: argparse.Namespace, folder: Path) -> list[str]:
    seconds, _, said = spent(ARRAYS, folder / "arrays")
    return [f"`rank --score all` on three files of arrays: {said} in {seconds:.1f} s."]


def photos(count: int, folder: Path) -> Path:
    from extraction import make_photos

    if not (folder / "photos").exists():
        make_photos(folder / "photos", count, 256)
    return folder / "photos"


def warm(chosen: argparse.Namespace, folder: Path) -> list[str]:
    where, cache = photos(chosen.photos, folder), folder / "cache"
    first, _, _ = spent(RANK, where, cache, *NETWORKS)
    again, _, _ = spent(RANK, where, cache, *NETWORKS, runs=3)
    told = (
        f"ranking {len(NETWORKS)} sources on {chosen.photos:,} images, all cached: {again:.2f} s (first {first:.1f} s)"
    )
    return judged(told, again, 2.5)


def cold(chosen: argparse.Namespace, folder: Path) -> list[str]:
    where = photos(chosen.photos, folder)
    bare, _, _ = spent(FORWARD, where, "-", *NETWORKS)
    ours, _, _ = spent(RANK, where, folder / "cold", *NETWORKS)
    told = f"ranking {len(NETWORKS)} networks on {chosen.photos:,} images from nothing: {ours:.1f} s, bare {bare:.1f} s"
    return judged(f"{told}: {ours / bare:.2f} times", ours / bare, 1.15)


def texts(chosen: argparse.Namespace, folder: Path) -> list[str]:
    if chosen.texts is None:
        return ["texts: give `--texts TABLE.csv`."]
    import pandas as pd

    from headstart.sources.adapters.st import _packaged

    table, encoder = folder / "texts.csv", chosen.encoder or _packaged(ENCODER.removeprefix("st/"))
    pd.read_csv(chosen.texts).sample(1_000, random_state=0)[["text", "label"]].to_csv(table, index=False)
    ours, _, _ = spent(RANK, table, "-", ENCODER)
    lines = []
    for name, code in (("sentence-transformers with scikit-learn", ENCODE), ("transformer-ranker", RANKER)):
        try:
            theirs, _, _ = spent(code, table, encoder)
        except subprocess.CalledProcessError as error:
            lines.append(f"{name} did not run: {(error.stderr or '').strip().splitlines()[-1]}")
            continue
        told = f"1,000 texts by MiniLM from nothing: {ours:.1f} s, {name} {theirs:.1f} s: {ours / theirs:.2f} times"
        lines += judged(told, ours / theirs, 1.0)
    return lines


def large(chosen: argparse.Namespace, folder: Path) -> list[str]:
    import numpy as np

    rng = np.random.default_rng(0)
    labels = rng.integers(20, size=200_000)
    features = rng.standard_normal((200_000, 128), dtype=np.float32)
    logits = rng.standard_normal((200_000, 50), dtype=np.float32)
    features[:, :20] += 2 * np.eye(20, dtype=np.float32)[labels]
    logits[:, :20] += 2 * np.eye(20, dtype=np.float32)[labels]
    np.savez(folder / "large.npz", features=features, logits=logits, labels=labels)
    seconds, megabytes, _ = spent(LARGE, folder / "large.npz")
    told = "default scores of 200,000 x 128 features with 50 logits, with intervals"
    return judged(f"{told}: {seconds:.0f} s", seconds, 60) + judged(f"{told}: {megabytes:,.0f} MB", megabytes, 1_500)


def store(chosen: argparse.Namespace, folder: Path) -> list[str]:
    told = spent(STORE, folder / "store")[2]
    return judged(f"rows written to the cache: {told}", float(told.split()[0]), 500, most=False)


def ranks(chosen: argparse.Namespace, folder: Path) -> list[str]:
    seconds, megabytes, _ = spent(RANKS)
    return judged(f"rank intervals of 1,826 sources: {seconds:.1f} s, {megabytes:,.0f} MB", seconds, 10)


PARTS = {
    part.__name__: part for part in (listing, intervals, warm, cold, texts, overhead, store, ranks, everything, large)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument("--photos", type=int, default=1_000, help="images of 256 pixels that are made")
    parser.add_argument("--texts", type=Path, help="table of texts with columns text and label")
    parser.add_argument("--encoder", type=Path, help="the same encoder's folder; by default that of the package")
    parser.add_argument("--dry", action="store_true", help="nothing is written")
    chosen = parser.parse_args()
    if unknown := [part for part in chosen.parts if part not in PARTS]:
        parser.error(f"unknown: {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen.parts or PARTS:
            lines = PARTS[part](chosen, Path(folder))
            print(*lines, sep="\n", flush=True)
            if not chosen.dry:
                write_section(f"Goals of speed: {part}", lines)


if __name__ == "__main__":
    main()
