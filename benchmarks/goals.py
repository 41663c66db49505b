"""The goals of speed that are not about one score: each measured beside what it is judged against, in one run.

    python benchmarks/goals.py listing warm cold --photos 1000   # commands, rankings from the cache, and from networks
    python benchmarks/goals.py texts --texts trec.csv            # a table with columns `text` and `label`
    python benchmarks/goals.py large store ranks                 # 200,000 rows; the cache's writes; 1,826 sources
    python benchmarks/goals.py ... --dry                         # prints only

Every piece runs in a process of its own, imports included. Processor seconds, the least of the runs.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from _results import write_section

NETWORKS = ["zoo/efficientnet_lite0", "zoo/efficientnet_lite1", "zoo/tiny_letters"]
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
import sys, pandas as pd
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
table = pd.read_csv(sys.argv[1])
model = SentenceTransformer(sys.argv[2])
print(cross_val_score(LogisticRegression(max_iter=1000), model.encode(list(table.text)), table.label).mean())
"""
RANKER = """
import sys, pandas as pd
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


def listing(chosen: argparse.Namespace, folder: Path) -> list[str]:
    empty, _, _ = spent("import numpy, typer", runs=5)
    whole, _, _ = spent("headstart", "scores", runs=5, module=True)
    return [f"`headstart scores`: {whole:.2f} s, of which numpy and typer alone take {empty:.2f} s (goal: 0.5)."]


def photos(count: int, folder: Path) -> Path:
    from extraction import make_photos

    if not (folder / "photos").exists():
        make_photos(folder / "photos", count, 256)
    return folder / "photos"


def warm(chosen: argparse.Namespace, folder: Path) -> list[str]:
    where, cache = photos(chosen.photos, folder), folder / "cache"
    first, _, _ = spent(RANK, where, cache, *NETWORKS)
    again, _, _ = spent(RANK, where, cache, *NETWORKS, runs=3)
    return [f"Ranking {len(NETWORKS)} sources on {chosen.photos:,} images again, all rows cached: {again:.2f} s (goal: "
            f"2.5; the first time {first:.1f} s)."]  # fmt: skip


def cold(chosen: argparse.Namespace, folder: Path) -> list[str]:
    where = photos(chosen.photos, folder)
    bare, _, _ = spent(FORWARD, where, "-", *NETWORKS)
    ours, _, _ = spent(RANK, where, folder / "cold", *NETWORKS)
    return [f"Ranking {len(NETWORKS)} networks on {chosen.photos:,} images from nothing: {ours:.1f} s; their bare loop "
            f"over the same images {bare:.1f} s: {ours / bare:.2f} times (goal: 1.15)."]  # fmt: skip


def texts(chosen: argparse.Namespace, folder: Path) -> list[str]:
    ours, _, _ = spent(RANK, chosen.texts, folder / "texts", ENCODER)
    lines = [f"1,000 texts by MiniLM: headstart {ours:.1f} s from nothing"]
    for name, code in (("sentence-transformers with scikit-learn", ENCODE), ("transformer-ranker", RANKER)):
        theirs, _, said = spent(code, chosen.texts, chosen.encoder)
        lines.append(f"{name} {theirs:.1f} s ({theirs / ours:.2f} times ours)")
        print(said, flush=True)
    return ["; ".join(lines) + "."]


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
    return [f"Default scores of 200,000 x 128 features with 50 logits, with intervals: {seconds:.0f} s (goal: 60), "
            f"{megabytes:,.0f} MB at the most (goal: 1,500)."]  # fmt: skip


def store(chosen: argparse.Namespace, folder: Path) -> list[str]:
    return [f"Rows written to the cache: {spent(STORE, folder / 'store')[2]} (goal: 500)."]


def ranks(chosen: argparse.Namespace, folder: Path) -> list[str]:
    seconds, megabytes, _ = spent(RANKS)
    return [f"Rank intervals of 1,826 sources: {seconds:.1f} s, {megabytes:,.0f} MB (goal: 10 s)."]


PARTS = {part.__name__: part for part in (listing, warm, cold, texts, large, store, ranks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=list(PARTS))
    parser.add_argument("--photos", type=int, default=1_000, help="images of 256 pixels that are made")
    parser.add_argument("--texts", type=Path, help="table of texts with columns text and label")
    parser.add_argument("--encoder", default="sentence-transformers/all-MiniLM-L6-v2", help="as the others call it")
    parser.add_argument("--dry", action="store_true", help="nothing is written")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen.parts:
            lines = PARTS[part](chosen, Path(folder))
            print(*lines, sep="\n", flush=True)
            if not chosen.dry:
                write_section(f"Goals of speed: {part}", lines)


if __name__ == "__main__":
    main()
