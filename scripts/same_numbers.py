"""Numbers that users see, before and after a change, all taken through the command line.

    python scripts/same_numbers.py record before.json
    python scripts/same_numbers.py compare before.json    # exit code 1 if a number changed in its sixth digit
    python scripts/same_numbers.py compare before.json tiny transfer    # these parts only

Covers the demo's ranking, every default score of three tiny networks, one short transfer per method, the benchmark's
table and two rows of the reproduction. Takes about four minutes on two cores; the settings are small on purpose.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo" / "fashion_mnist_1000.zip"
TINY = ("zoo/tiny_letters", "zoo/tiny_digits", "zoo/tiny_emoji")
IMAGE_METHODS = (
    "head", "fine-tune", "partial", "probe-fine-tune", "gradual", "layer-decay", "lora", "dora", "adapters", "bitfit",
    "norm", "visual-prompt", "scratch",
)  # fmt: skip
TEXT_METHODS = ("head", "lora", "qlora", "prefix", "prompt")
ROWS = "fashion-mnist/imagenet/[sl]*/head"
SHORT = ("--pool", "40", "--each", "6", "--test-each", "4", "--epochs", "2", "--tasks", "3")
WORDS = {
    "negative": ("bad", "awful", "poor", "sad", "dull"),
    "positive": ("good", "great", "fine", "happy", "bright"),
    "neutral": ("plain", "usual", "grey", "normal", "even"),
}
RELATIVE = 5e-7  # the sixth significant digit


def headstart(place: Path, *arguments: object) -> str:
    """Standard output of one command, on one thread and with a cache of its own."""
    environment = os.environ | {"HEADSTART_CACHE": str(place / "cache"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "headstart", *map(str, arguments)]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"$ headstart {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def sentences(place: Path) -> Path:
    """A small table of texts in three classes."""
    pairs = [(a, b, label) for label, words in WORDS.items() for a in words for b in words if a != b]
    path = place / "texts.csv"
    path.write_text("text,label\n" + "".join(f"the film was {a} and {b},{label}\n" for a, b, label in pairs))
    return path


def of_ranking(title: str, place: Path, *arguments: object) -> Iterator[tuple[str, float]]:
    for row in json.loads(headstart(place, "rank", DEMO, *arguments, "--json", "-"))["rows"]:
        for name, score in row["scores"].items():
            for part in ("value", "standard_error", "low", "high"):
                if score[part] is not None:
                    yield f"{title} {row['source']} {name} {part}", score[part]


def of_transfer(place: Path, target: Path, model: str, method: str) -> Iterator[tuple[str, float]]:
    training = () if method == "head" else ("--epochs", 2)
    limit = ("--limit", 150) if target == DEMO else ()
    options = ("--model", model, "--method", method, *limit, *training, "--no-cache", "--json", "-")
    outcome = json.loads(headstart(place, "transfer", target, *options))["outcomes"][0]
    title = f"transfer {method} {target.name}"
    yield from ((f"{title} {name}", value) for name, value in outcome["metrics"].items())
    for point in outcome["curve"]:
        yield f"{title} epoch {point['epoch']} train_loss", point["train_loss"]
    for bound in outcome["bounds"]:
        yield from ((f"{title} {bound['name']} {end}", bound[end]) for end in ("low", "high"))


def of_benchmark(place: Path) -> Iterator[tuple[str, float]]:
    outcome = ""
    for line in headstart(place, "benchmark", "--scores", "leep,nce,logme,knn").splitlines():
        if line.startswith("Outcome: "):
            outcome = line.split()[1]
        numbers = re.findall(r"(?<![\w.])-?\d+\.\d+", line)
        row = line.split("  ")[0]
        yield from ((f"benchmark {outcome} {row} {at}", float(number)) for at, number in enumerate(numbers))


def of_reproduction(place: Path) -> Iterator[tuple[str, float]]:
    out = place / "rows.jsonl"
    data = ("--models", "imagenet=zoo/tiny_letters", "--data", f"fashion-mnist={DEMO}", "--rows", ROWS)
    headstart(place, "reproduce", "table1", *data, "--out", out, *SHORT)
    for row in map(json.loads, out.read_text().splitlines()[1:]):
        yield f"reproduction {row['key']} accuracy", row["accuracy"]
        for name, value in row["scores"].items():
            if value is not None:
                yield f"reproduction {row['key']} {name}", value


def of_transfers(place: Path) -> Iterator[tuple[str, float]]:
    for method in IMAGE_METHODS:
        yield from of_transfer(place, DEMO, "zoo/tiny_letters", method)
    texts = sentences(place)
    for method in TEXT_METHODS:
        yield from of_transfer(place, texts, "st/all-MiniLM-L6-v2", method)


PARTS: dict[str, Callable[[Path], Iterator[tuple[str, float]]]] = {
    "demo": lambda place: of_ranking("demo", place, "--models", "zoo"),
    "tiny": lambda place: of_ranking("tiny", place, "--models", *TINY, "--limit", 300, "--sort", "leep_calibrated"),
    "transfer": of_transfers,
    "benchmark": of_benchmark,
    "reproduction": of_reproduction,
}


def main(what: str, path: Path, parts: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        now = {name: value for part in parts for name, value in PARTS[part](Path(folder))}
    if what == "record":
        path.write_text(json.dumps(now, indent=0) + "\n")
        print(f"{len(now)} numbers in {path}")
        return 0
    before = {name: value for name, value in json.loads(path.read_text()).items() if name.split()[0] in parts}
    moved = {
        name: (value, now.get(name))
        for name, value in before.items()
        if name not in now or not math.isclose(value, now[name], rel_tol=RELATIVE, abs_tol=1e-9)
    }
    for name, (old, new) in moved.items():
        print(f"{name}: {old!r} before, {new!r} now")
    print(f"{len(moved)} of {len(before)} numbers changed; {len(now.keys() - before.keys())} are new")
    return 1 if moved else 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("record", "compare") or not set(sys.argv[3:]) <= PARTS.keys():
        raise SystemExit(__doc__)
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:] or list(PARTS)))
