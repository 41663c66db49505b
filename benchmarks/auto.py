"""`--method auto` against every method it could have chosen, each tuned alike.

    python benchmarks/auto.py --data mnist=mnist.npz notmnist=notmnist.npz cifar10=... sign-digits=... usps=...

The sources are small residual networks for 16 px pictures, trained here on 2,000 pictures of MNIST, notMNIST, CIFAR-10
and sign digits; every other data set is a target for them. On 300 and 1,300 labelled examples: the head on each layer,
fine-tuning, training from scratch, partial and gradual fine-tuning and LoRA (or `--methods`), each with a rate chosen
by the same short trainings, all judged on one test part; beside them what `auto` measures before it chooses. `auto`
itself is its rule (`headstart.transfers.recommend.decide`) on those measurements, so another rule trains nothing.
Every result goes to `--out` at once: a killed run goes on, and `--minutes` ends one early. `--report-only` writes
the section "Method auto" of RESULTS.md from what is there.
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _results import write_section
from PIL import Image
from torch import Tensor

from headstart.data import stratified_order
from headstart.data.target import Target
from headstart.records import Trial
from headstart.scores import ridge_probe
from headstart.sources import Source, TinyResNet, from_module
from headstart.train.head import fit_head
from headstart.transfers import transfer
from headstart.transfers.parts import Parts, hold_out
from headstart.transfers.recommend import EXAMPLES, Advice, decide, doubt
from headstart.transfers.taps import layer_features
from headstart_paper.data_sets import open_data_set, parse_places
from headstart_paper.results import Results, Row

METHODS = ("fine-tune", "scratch", "partial", "gradual", "lora")
NEEDED = ("layers", "fine-tune", "scratch")  # what the rule reads
SOURCES = {"mnist": (8, 16, 32), "notmnist": (8, 16, 32), "cifar10": (8, 16, 32, 64), "sign-digits": (8, 16, 32, 64)}
SEEN = ("usps", "sign-digits", "mnist")  # targets whose pairs of 300 examples were looked at to find the rule
SIDE, LEARNT, TESTED, VALID = 16, 2000, 1000, 0.15


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    results = Results(Path(options.out), {"study": "auto", "version": 2})
    if not options.report_only:
        measure(results, parse_places(options.data), options)
    write_section("Method auto", report(results.rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME=PATH")
    parser.add_argument("--sizes", nargs="+", type=int, default=[300, 1300], help="labelled examples")
    parser.add_argument("--targets", nargs="+", metavar="NAME", help="of `--data`; all of them by default")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="what to compare with heads")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after this time")
    parser.add_argument("--out", default="auto.jsonl", help="results so far")
    parser.add_argument("--report-only", action="store_true", help="write the section from what is there")
    return parser.parse_args()


def measure(results: Results, places: dict[str, str], options: argparse.Namespace) -> None:
    """Everything that is missing, the small sizes first; networks of one shape share their training from scratch."""
    done = {row["key"]: row for row in results.rows}
    opened = cache(lambda data, n: parts_of(data, places, n))
    learnt = cache(lambda name: trained_source(name, places, results.path.parent / "sources" / name))
    end = time.monotonic() + 60 * options.minutes
    wanted = product(options.sizes, options.targets or places, SOURCES, ("layers", *options.methods))
    for n, data, name, what in wanted:
        key = f"{name} {data} {n} {what}"
        if key in done or name == data:
            continue
        if time.monotonic() > end:
            return
        alike = [f"{other} {data} {n} scratch" for other, shape in SOURCES.items() if shape == SOURCES[name]]
        same = next((done[other] for other in alike if other in done), None) if what == "scratch" else None
        started = time.monotonic()
        if same is not None:
            found = {field: same[field] for field in ("reached", "valid", "trials", "seconds")}
        else:
            source, parts = learnt(name), opened(data, n)
            found = layers(source, parts) if what == "layers" else trained(source, parts, what)
        took = time.monotonic() - started
        row = found | {"source": name, "data": data, "n": n, "what": what, "took": took}
        results.append(key, row)
        done[key] = row
        print(key, f"{took:.1f} s", flush=True)


def report(rows: Sequence[Row]) -> list[str]:
    """The regret of the rule and of always using one method, over the pairs whose methods were all tried so far."""
    runs: dict[tuple[str, str, int], dict[str, Row]] = {}
    for row in rows:
        runs.setdefault((row["source"], row["data"], row["n"]), {})[row["what"]] = row
    lines = [
        "`python benchmarks/auto.py --data NAME=PATH ...`. "
        "Pairs for which a head on every layer, fine-tuning and scratch were tried, and where a number stands partial "
        "and gradual fine-tuning and LoRA too, all tuned alike. Regret: accuracy of the best (on up to 1,000 "
        "test examples) minus that of the one chosen; of a method, in its column. The "
        "rule was chosen after a look at the pairs marked *.",
        "",
        f"| source | target | examples | chosen | reached | best | regret | last layer | {' | '.join(METHODS)} |",
        "|---|---|---:|---|---:|---|---:|---:|" + "---:|" * len(METHODS),
    ]
    lost: dict[bool, list[list[float]]] = {True: [], False: []}
    whole: list[list[float]] = []
    for (source, data, n), here in runs.items():
        if not here.keys() >= set(NEEDED):
            continue
        advice = advised(here, n)
        reached = {f"head {layer}": value for layer, value in here["layers"]["reached"].items()}
        reached |= {name: row["reached"] for name, row in here.items() if name != "layers"}
        chosen = f"head {advice.layer or ''}" if advice.method == "head" else advice.method
        best = max(reached, key=reached.__getitem__)
        names = (chosen, "head ", *METHODS)
        regrets = [reached[best] - reached[name] if name in reached else float("nan") for name in names]
        seen = n == 300 and data in SEEN
        lost[seen].append(regrets)
        whole += [regrets] if here.keys() >= set(METHODS) else []
        cells = " | ".join("" if np.isnan(value) else f"{value:.3f}" for value in regrets)
        ends = f"{chosen} | {reached[chosen]:.3f} | {best} {reached[best]:.3f}"
        lines.append(f"| {source} | {data}{'*' * seen} | {n:,} | {ends} | {cells} |")
    groups = {"not seen before": lost[False], "in all": lost[True] + lost[False], "with all methods": whole}
    for title, pairs in groups.items():
        if pairs:
            means = np.mean(pairs, axis=0)  # nan for a method that some pairs lack
            always = zip(("the head on the last layer", *METHODS), means[1:], strict=True)
            said = ", ".join(f"{name} {mean:.3f}" for name, mean in always if not np.isnan(mean))
            lines += ["", f"Mean regret over {len(pairs)} pairs {title}: {means[0]:.3f}; always {said}."]
    return lines


def advised(here: dict[str, Row], n: int) -> Advice:
    """What the rule makes of the measurements on one pair."""
    trials = {name: tuple(Trial(**one) for one in row.get("trials", ())) for name, row in here.items()}
    layers = here["layers"]["left_out"]
    slack = doubt(max(layers.values()), here["layers"]["valid"])
    return decide(layers, lambda name: trials.get(name, ()), n=round(n * (1 - VALID)), slack=slack)


def prepare(image: object) -> Tensor:
    """(3, 16, 16) in [-1, 1]."""
    assert isinstance(image, Image.Image)
    pixels = np.array(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1


def trained_source(name: str, places: dict[str, str], folder: Path) -> Source:
    """A small network that has learnt one data set; kept in the folder."""
    parts = parts_of(name, places, LEARNT)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = TinyResNet(SOURCES[name], len(parts.train.classes)).eval()
    new = from_module(network, head="classifier", prepare=prepare, name=name)
    run = transfer(parts, new, method="scratch", rate=4e-3, epochs=12, out=folder, cache=False, progress=False)
    print(name, run.outcome.metrics["accuracy"], flush=True)
    body, head = run.network.body.get_submodule("model").state_dict(), run.network.head.state_dict()
    whole = {name: body.get(name) for name in network.state_dict()} | {f"classifier.{k}": v for k, v in head.items()}
    network.load_state_dict(whole)
    return from_module(network, head="classifier", prepare=prepare, name=name)


def parts_of(data: str, places: dict[str, str], n: int) -> Parts:
    """n labelled examples, 15 % of them to validate on, and up to 1,000 others to test on."""
    whole = open_data_set(data, places=places)
    pool, test = _first(whole.train.held(), n), _first(whole.test.held(), TESTED)
    train, valid = hold_out(pool, VALID, 1)
    return Parts(train, valid, test, f"{data} {n}", ())


def _first(target: Target, n: int) -> Target:
    return target.subset(np.sort(np.asarray(stratified_order(target.labels, 0))[:n]))


def layers(source: Source, parts: Parts) -> dict[str, Any]:
    """For every layer, its leave-one-out accuracy on the training part and what a head on it reaches; and scores."""
    device = torch.device("cpu")
    assert parts.test is not None
    train, test = layer_features(source, parts.together, device), layer_features(source, parts.test, device)
    labels, seen = parts.together.labels, len(parts.train)
    few = np.asarray(stratified_order(parts.train.labels, 0))[:EXAMPLES]
    left_out, reached = {}, {}
    for name, features in train.items():
        x = features.astype(np.float64)
        left_out[name] = ridge_probe(x[:seen][few], labels[:seen][few])
        head = fit_head(x, labels, classes=len(parts.train.classes))
        reached[name] = float((head.outputs(test[name].astype(np.float64)).argmax(1) == parts.test.labels).mean())
    return {
        "left_out": left_out,
        "reached": reached,
        "valid": 0 if parts.valid is None else len(parts.valid),
        "classes": len(parts.train.classes),
        "tested": len(parts.test),
    }


def trained(source: Source, parts: Parts, method: str) -> dict[str, Any]:
    """What a method reaches, tuned, and its short trainings."""
    out = transfer(parts, source, method=method, cache=False, progress=False).outcome
    trials = [{"options": one.options, "loss": one.loss, "quality": one.quality} for one in out.trials]
    curve = [[point.valid_loss, point.valid_quality] for point in out.curve]
    return {"reached": out.metrics["accuracy"], "valid": curve, "trials": trials, "seconds": out.seconds}


if __name__ == "__main__":
    main()
