"""Which order predicts fine-tuned accuracy among sources of several architectures? Records the outcomes, and says.

    python benchmarks/fine_tuned.py --data usps=usps.npz trashnet=trashnet.zip --models zoo/tiny_* weights/*.safetensors

Every source is fine-tuned on 300 labelled pictures of every data set, a third of them to validate on, at three rates of
the pretrained part; the best on the validation part counts, judged on up to 1,000 test pictures, and trains again with
another seed for the ceiling. Pictures are at most 64 pixels wide, in the scores as in training. Every
result goes to `--out` at once: a killed run goes on, and `--minutes` ends one early. `--report-only` writes the section
"Fine-tuning, several architectures" of RESULTS.md from what is there.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from _results import write_section
from foresight_arrays import image_candidates
from scipy.special import logit
from scipy.stats import kendalltau, rankdata, t
from torch import Tensor
from torch.nn import functional

from headstart.data import stratified_order
from headstart.data.target import Target
from headstart.evaluation.forecast import FEWEST, regret, weighted_kendall
from headstart.extract import extract
from headstart.ranking.evidence import Evidence, evidence_of
from headstart.ranking.fine_tuned import ERRORS
from headstart.records import Extraction
from headstart.scores import Inputs, evaluate, ridge_probe
from headstart.sources import Candidate, Source
from headstart.stats import jackknife_groups
from headstart.train.head import fit_head
from headstart.transfers import transfer
from headstart.transfers.methods.fine_tune import FineTune
from headstart.transfers.parts import Parts, hold_out
from headstart.transfers.taps import layer_features
from headstart_paper.data_sets import open_data_set, parse_places
from headstart_paper.results import Results, Row

BODY, STEP = (5e-4, 2.5e-3), 5  # learning rates of the pretrained part; the third is beyond the better of them
USUAL = 1e-3  # the least that the head has
LABELLED, VALID, TESTED, CLASSES, SIDE = 300, 1 / 3, 1000, 20, 64
EPOCHS, BATCH = 10, 20
SCORES = ("leep_pooled", "leep_gaussian", "logme", "ridge_probe", "knn", "nearest_mean", "leep", "transferability")
HALF = ("resnet", "squeezenet", "zoo/tiny")  # whose passes are faster in bfloat16 on processors with AMX


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    results = Results(Path(options.out), {"study": "fine-tuned", "version": 1})
    if not options.report_only:
        measure(results, options)
    write_section("Fine-tuning, several architectures", report(pairs_of(results.rows)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME=PATH")
    parser.add_argument("--models", nargs="+", default=[], metavar="PATH", help="safetensors, or names like zoo")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after this time")
    parser.add_argument("--seeds", type=int, default=2, choices=(1, 2), help="1: without the second, for the ceiling")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"), help="of the networks that gain by it")
    parser.add_argument("--out", default="fine-tuned.jsonl", help="results so far")
    parser.add_argument("--report-only", action="store_true", help="write the section from what is there")
    return parser.parse_args()


def measure(results: Results, options: argparse.Namespace) -> None:
    """Everything that is missing: a data set after the other, the cheapest sources first."""
    places, done = parse_places(options.data), {row["key"]: row for row in results.rows}
    end, opened = time.monotonic() + 60 * options.minutes, cache(lambda data: parts_of(data, places))
    for seed, data, one in product(range(options.seeds), places, image_candidates(options.models)):
        if data == "cifar10" and one.card.name.startswith("cifar10"):
            continue  # it was trained on these very pictures
        load = cache(lambda one=one: smaller(one))
        for key, job in jobs(one, data, seed, options.precision, done):
            if key in done:
                continue
            if time.monotonic() > end:
                return
            started = time.process_time()
            found = job(load(), opened(data))
            row = found | {"source": one.name, "data": data, "seed": seed, "took": time.process_time() - started}
            results.append(key, row)
            done[key] = row
            print(key, f"{row['took']:.1f} s", found.get("reached"), flush=True)


Job = Callable[[Source, Parts], dict[str, Any]]


def jobs(one: Candidate, data: str, seed: int, precision: str, done: dict[str, Row]) -> Iterator[tuple[str, Job]]:
    """What is to be done for a pair; the second seed trains at the rate that was best with the first."""
    kept = precision if any(part in one.name for part in HALF) else "fp32"
    name = f"{one.name} {data}"
    if not seed:
        yield f"{name} seen", seen
        for rate in BODY:
            yield f"{name} 0 {rate:g}", partial(tuned, body=rate, seed=0, precision=kept)
    tried = [done[key] for rate in BODY if (key := f"{name} 0 {rate:g}") in done]
    if len(tried) == len(BODY):
        best = chosen(tried)["rate"]
        rate = best * STEP if best == max(BODY) else best / STEP
        key = f"{name} 0 {rate:g}"
        if seed and key in done:
            rate = chosen([*tried, done[key]])["rate"]
        yield f"{name} {seed} {rate:g}", partial(tuned, body=rate, seed=seed, precision=kept)


def chosen(tried: Sequence[Row]) -> Row:
    """The training with the best validation accuracy; of equal ones that with the smallest loss."""
    return max(tried, key=lambda row: (row["valid"], -row["loss"]))


def smaller(one: Candidate) -> Source:
    """The source, its pictures shrunk to at most `SIDE` pixels after its own preparation."""
    source = one.load(False)
    if max((one.card.input_size or (3, 224, 224))[1:]) <= SIDE:
        return source

    def prepare(image: object) -> Tensor:
        whole = cast(Tensor, source.prepare(image))[None]
        return functional.interpolate(whole, size=(SIDE, SIDE), mode="bilinear", antialias=True)[0]

    return replace(source, prepare=prepare, fingerprint=f"{source.fingerprint}-{SIDE}")


def parts_of(data: str, places: dict[str, str]) -> Parts:
    """300 labelled pictures of at most 20 classes, a third of them to validate on, and up to 1,000 to test on."""
    whole = open_data_set(data, places=places)
    pool, test = _first(whole.train.held(), LABELLED), _first(whole.test.held(), TESTED)
    train, valid = hold_out(pool, VALID, 1)
    return Parts(train, valid, test, data, ())


def _first(target: Target, n: int) -> Target:
    kept = np.flatnonzero(target.labels < CLASSES)
    target = replace(target.subset(kept), classes=target.classes[:CLASSES])
    return target.subset(np.sort(np.asarray(stratified_order(target.labels, 0))[:n]))


def seen(source: Source, parts: Parts) -> dict[str, Any]:
    """What forward passes say: scores, left-out predictions at every layer, and what a head reaches."""
    assert parts.test is not None
    device, labelled = torch.device("cpu"), parts.together
    train, test = (extract(part, source, cache=False) for part in (labelled, parts.test))
    assert train.features is not None
    scores, _ = evaluate(SCORES, labels=labelled.labels, logits=train.logits, features=train.features, card=source.card)
    said = evidence(np.asarray(train.features), labelled.labels)
    layers = layer_features(source, labelled, device)
    head = fit_head(np.asarray(train.features, float), labelled.labels, classes=len(labelled.classes))
    right = head.outputs(np.asarray(test.features, float)).argmax(axis=1) == parts.test.labels
    return {
        "scores": {name: one.value for name, one in scores.items()},
        "hits": said.hits,
        "confidence": said.confidence,
        "half": said.half,
        "layers": {name: ridge_probe(x.astype(np.float64), labelled.labels) for name, x in layers.items()},
        "head": float(right.mean()),
        "classes": len(labelled.classes),
        "examples": len(labelled),
        "tested": len(parts.test),
        "parameters": source.card.parameters or sum(one.numel() for one in source.module.parameters()),
        "width": train.features.shape[1],
        "input": (source.card.input_size or (3, 224, 224))[1],
    }


def evidence(features: np.ndarray, labels: np.ndarray) -> Evidence:
    names = tuple(map(str, range(len(labels))))
    extraction = Extraction("", labels, names, features=features)
    found = evidence_of(
        Inputs(labels, features=features), extraction, "classification", None, jackknife_groups(len(labels), seed=0)
    )
    assert found is not None
    return found


def tuned(source: Source, parts: Parts, body: float, seed: int, precision: Any) -> dict[str, Any]:
    """What fine-tuning at one rate reaches; `valid` is of the epoch that is kept."""
    rate = max(body, USUAL)
    run = transfer(
        parts, source, method=FineTune(rate=rate, ratio=rate / body), seed=seed, epochs=EPOCHS, batch_size=BATCH,
        precision=precision, cache=False, progress=False,
    )  # fmt: skip
    best = run.outcome.curve[(run.outcome.best_epoch or len(run.outcome.curve)) - 1]
    found = {"rate": body, "reached": run.outcome.metrics["accuracy"], "valid": best.valid_quality}
    return found | {"loss": best.valid_loss, "precision": precision}


@dataclass(frozen=True)
class Pair:
    """All that is known of a source on a data set."""

    seen: Row
    first: Row  # the best of three trainings, by validation
    again: Row | None  # the same with another seed

    def column(self, name: str) -> float:
        """What orders sources."""
        if name in OTHERS:
            return OTHERS[name](self)
        return float(self.seen["scores"].get(name, np.nan))


OTHERS: dict[str, Callable[[Pair], float]] = {
    "best layer's ridge probe": lambda one: max(one.seen["layers"].values()),
    "number of parameters": lambda one: float(one.seen["parameters"]),
    "the outcome of a head": lambda one: one.seen["head"],
    f"fine-tuned, judged on {LABELLED * VALID:.0f} others": lambda one: one.first["valid"] - 1e-3 * one.first["loss"],
}
STACKED = ("ridge_probe", "transferability", "best layer's ridge probe", "number of parameters")
By = dict[str, list[Pair]]


def pairs_of(rows: Sequence[Row]) -> By:
    """The pairs whose trainings are all there, by data set."""
    whole: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        whole.setdefault((row["data"], row["source"]), []).append(row)
    found: By = {}
    for (data, _), some in whole.items():
        seen = next((row for row in some if "scores" in row), None)
        runs = [[row for row in some if "rate" in row and row["seed"] == seed] for seed in (0, 1)]
        if seen is not None and len(runs[0]) > len(BODY):
            found.setdefault(data, []).append(Pair(seen, chosen(runs[0]), runs[1][0] if runs[1] else None))
    return {data: pairs for data, pairs in found.items() if len(pairs) >= FEWEST}


def report(by: By) -> list[str]:
    """What was recorded, which order predicts it, and what a search by trainings costs and loses."""
    lines = [
        "`python benchmarks/fine_tuned.py --data NAME=PATH ... --models ...`. "
        f"{LABELLED} labelled pictures of at most {CLASSES} classes, {EPOCHS} epochs, the best of three rates on a "
        f"third of the pictures, up to {TESTED:,} to test on; pictures of at most {SIDE} pixels, also for the scores.",
        "",
        "| data | sources | fine-tuned | best | heads | best head |",
        "|---|---:|---:|---|---:|---|",
    ]
    for data, pairs in by.items():
        cells = []
        for reached in ([one.first["reached"] for one in pairs], [one.seen["head"] for one in pairs]):
            best = pairs[int(np.argmax(reached))].seen["source"]
            cells.append(f"{min(reached):.3f} to {max(reached):.3f} | {best}")
        lines.append(f"| {data} | {len(pairs)} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Which order predicts fine-tuned accuracy? Means over the data sets, with 95 % intervals where there are "
        f"{FEWEST}. "
        "Stacked: ridge regression on " + ", ".join(STACKED) + ", for each pair learnt without its source and its "
        "data set. The last line has fewer sources: those with a second seed.",
        "",
        "| order by | Kendall | weighted tau | regret |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {_judged([[one.column(name) for one in pairs] for pairs in by.values()], by)} |"
          for name in (*SCORES, *OTHERS)),
        f"| stacked | {_judged(stacked(by), by)} |",
    ]  # fmt: skip
    twice = {data: [one for one in pairs if one.again] for data, pairs in by.items()}
    twice = {data: pairs for data, pairs in twice.items() if len(pairs) >= FEWEST}
    if twice:
        again = [[one.again["reached"] for one in pairs if one.again] for pairs in twice.values()]
        lines.append(f"| the same training, another seed ({', '.join(twice)}) | {_judged(again, twice)} |")
    return [*lines, "", *searched(by)]


def searched(by: By) -> list[str]:
    """Regret against cost: the first k of an order are trained, and the best of them is kept."""
    lines = [
        "A search by fine-tuning: the first k of the order are trained, and the best on the pictures set aside is "
        f"kept, or the first in the order of those within {ERRORS:g} standard errors, as `--search fine-tune` does.",
        "",
        "| order | trained | regret of the best | ties keep the order |",
        "|---|---:|---:|---:|",
    ]
    held = LABELLED * VALID
    for name, k in product(("transferability", "ridge_probe", "number of parameters"), (1, 2, 4, 8)):
        lost = []
        for pairs in by.values():
            order = sorted(pairs, key=lambda one: one.column(name), reverse=True)
            top = max(one.first["valid"] for one in order[:k])
            error = np.sqrt(2 * max(top * (1 - top), 1 / held) / held)
            best = max(order[:k], key=lambda one: (one.first["valid"], -one.first["loss"]))
            tied = next(one for one in order[:k] if one.first["valid"] >= top - ERRORS * error)
            most = max(one.first["reached"] for one in pairs)
            lost.append([most - one.first["reached"] for one in (best, tied)])
        lines.append(f"| {name} | {k} | {' | '.join(f'{value:.3f}' for value in np.mean(lost, axis=0))} |")
    return lines


def stacked(by: By) -> list[list[float]]:
    """Outcomes predicted from several columns, by the pairs that share neither source nor data set."""
    flat = [(data, one.seen["source"]) for data, pairs in by.items() for one in pairs]
    x = np.concatenate(
        [np.stack([_standard([one.column(c) for one in pairs]) for c in STACKED], 1) for pairs in by.values()]
    )
    reached = ([logit(np.clip(one.first["reached"], 0.01, 0.99)) for one in pairs] for pairs in by.values())
    y = np.concatenate([_standard(values) for values in reached])
    found = []
    for (data, source), row in zip(flat, x, strict=True):
        kept = np.array([data != other and source != name for other, name in flat])
        a, b = x[kept], y[kept]
        found.append(float(row @ np.linalg.solve(a.T @ a + 0.1 * len(a) * np.eye(len(row)), a.T @ b)))
    ends = np.cumsum([len(pairs) for pairs in by.values()])[:-1]
    return [list(part) for part in np.split(np.array(found), ends)]


def _standard(values: Sequence[float]) -> np.ndarray:
    ranks = rankdata(values)
    return np.asarray((ranks - ranks.mean()) / ranks.std())


def _judged(columns: Sequence[Sequence[float]], by: By) -> str:
    """Kendall's tau, the weighted one and the regret of orders of each data set."""
    found = []
    for column, pairs in zip(columns, by.values(), strict=True):
        values, reached = np.array(column, float), np.array([one.first["reached"] for one in pairs])
        values = np.where(np.isnan(values), np.nanmin(values) - 1, values)  # a source without the score comes last
        found.append(
            (kendalltau(values, reached).statistic, weighted_kendall(values, reached), regret(values, reached))
        )
    cells = []
    for digits, some in zip((2, 2, 3), np.array(found).T, strict=True):
        reach = t.ppf(0.975, len(some) - 1) * some.std(ddof=1) / np.sqrt(len(some)) if len(some) >= FEWEST else None
        ends = "" if reach is None else f" [{some.mean() - reach:.{digits}f}, {some.mean() + reach:.{digits}f}]"
        cells.append(f"{some.mean():.{digits}f}{ends}")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
