"""What adapting to a new domain gains, method by method, and what a choice without labels loses.

    python benchmarks/adaptation.py DATA_DIR --emoji DIR   # writes benchmarks/adaptation.md; --help lists options

DATA_DIR holds `usps`, `mnist-notmnist`, `cifar10-jpeg`, `cifar10-resnets`, `emoji-multilingual` and
`multilingual-sentiment`; DIR of `--emoji` the npm packages emoji-datasource-google and -twitter as .tgz files; it
needs the extra `multilingual`. What is finished is kept below `--out`, so a killed run goes on. Expect two hours.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from shutil import rmtree

import numpy as np
import pandas as pd
from _adaptation_domains import TONGUES, Experiment, Labelled, cifar, digits, divided, emoji, languages

from headstart.adaptation import across, adapt
from headstart.adaptation.rows import choices_of
from headstart.records.across import Across
from headstart.records.adaptation import AdaptationRecord, AdaptedRow

PAGE = Path(__file__).with_suffix(".md")
SEEDS, GOAL, NEAR = 3, 0.10, 0.01
MODELS = ("zoo/e5_small", "zoo/all_minilm_l6_v2")
Records = Mapping[str, AdaptationRecord]  # "adapted" and "oracle"


def place_of(one: Experiment, place: Path) -> Path:
    """Where an experiment is kept."""
    return place / one.name.replace(" ", "-").replace(",", "")


def finished(one: Experiment, place: Path) -> bool:
    """Whether all of an experiment is kept."""
    return all((place_of(one, place) / part / AdaptationRecord.FILE).exists() for part in ("adapted", "oracle"))


def carried_out(one: Experiment, place: Path, seeds: int = SEEDS) -> Records:
    """The records of the adaptation and of the oracle, which trains on labels of the new domain."""
    below = place_of(one, place)
    seeds = seeds if "none-deep" in one.methods else 1  # a solved head is the same for every seed
    shared: dict[str, object] = {"model": one.source, "test": one.test, "seeds": seeds, **one.options}
    oracle = "none,none-deep" if "none-deep" in one.methods else "none"

    def record(part: str, old: Labelled, new: Labelled, methods: str) -> AdaptationRecord:
        if (below / part / AdaptationRecord.FILE).exists():  # finished, with as many seeds as the page says
            return AdaptationRecord.load(below / part)
        found = adapt(old, new[0], method=methods, out=below / part, **shared)  # type: ignore[arg-type]  # by name
        rmtree(below / part / "runs")  # models: gigabytes where the source is an encoder of texts
        return found.record

    return {
        "adapted": record("adapted", one.old, one.new, one.methods),
        "oracle": record("oracle", one.new, one.old, oracle),
    }


def crossings(data: Path, place: Path, *, new: bool = True) -> Iterator[tuple[str, Across]]:
    """Heads trained in English and tested in every language, and heads trained in the language itself."""
    for name, file, label, start, most, _ in TONGUES:
        for model in MODELS:
            kept = place / f"{name} {model}.json".replace(" ", "-").replace("/", "-")
            if not kept.exists() and not new:
                continue
            if not kept.exists():
                table = pd.read_csv(data / file)
                domains = {str(key): divided(rows, label, 2, most) for key, rows in table.groupby("language")}
                found = across(domains, model, sources=[start])
                kept.write_text(found.to_json(), encoding="utf-8")
            yield name, Across.from_json(kept.read_text(encoding="utf-8"))


def language_table(name: str, found: Sequence[Across]) -> list[str]:
    """One line per language: a head trained in English, by model, and the gap to one trained in the language."""
    start, counts = found[0].crossings[0].trained_on, {one.n for each in found for one in each.crossings}
    lines = [
        f"## From {start} to other languages: {name}", "",
        f"Heads on examples of {start}, tested on {min(counts)} to {max(counts)} examples of each "
        "language; the gap is to a head that is trained in the language.", "",
        f"| language | {' | '.join(f'{each.source} | gap, points' for each in found)} |",
        "|---|" + "---|---|" * len(found),
    ]  # fmt: skip
    for row in sorted(zip(*(each.crossings for each in found), strict=True), key=lambda row: -row[0].accuracy):
        cells = [row[0].tested_on]
        for one in row:
            known = one.gap is not None and one.gap_low is not None and one.gap_high is not None
            cells.append(f"{one.accuracy:.3f} ({one.low:.3f} to {one.high:.3f})")
            cells.append(points(one.gap, one.gap_low, one.gap_high) if known else "")
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def points(value: float | None, low: float | None, high: float | None) -> str:
    """A difference with its interval, in points."""
    if value is None:
        return ""
    return f"{100 * value:+.1f}" + ("" if low is None or high is None else f" ({100 * low:+.1f} to {100 * high:+.1f})")


def cell(row: AdaptedRow) -> list[str]:
    """Accuracy with its interval, gain with its interval, verdict."""
    reached = f"{row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f})"
    return [row.method, reached, points(row.gain, row.gain_low, row.gain_high), row.verdict or "", f"{row.kept:.3f}"]


def section(name: str, records: Records) -> list[str]:
    """One experiment: a table of methods, and the oracle."""
    adapted, oracle = records["adapted"], records["oracle"]
    sizes = f"{adapted.n_labelled} labelled, {adapted.n_new} without labels, {adapted.n_test} to test."
    lines = [f"## {name}", "", f"{sizes} Source: {adapted.rows[0].source}. Seeds: {len(adapted.rows[0].seeds)}.", ""]
    lines += ["| method | accuracy | gain, points | verdict | old domain |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(cell(row))} |" for row in adapted.rows]
    for row in oracle.rows:
        lines += [f"| oracle ({row.method} with labels) | {cell(row)[1]} | | | |"]
    lines += [f"\n{one.source} failed: {one.reason}" for one in adapted.failures]
    return [*lines, ""]


def shared_table(name: str, found: Mapping[str, Records]) -> list[str]:
    """Experiments of one group, a line each: `none`, what each method gains over it, and the oracle."""
    first = next(iter(found.values()))["adapted"]
    methods = [row.method for row in first.rows if row.method != "none"]
    lines = [
        f"## Adapting without labels: {name}", "",
        f"{first.n_labelled} labelled examples, {first.n_new} without labels, {first.n_test} to test at most. Source: "
        f"{first.rows[0].source}. Gains in points over `none`; * where the interval of 95 % lies above 0, ! below.", "",
        f"| pair | none | {' | '.join(methods)} | oracle |", "|---|---|" + "---|" * (len(methods) + 1),
    ]  # fmt: skip
    gains: dict[str, list[float]] = {method: [] for method in methods}
    for each, records in found.items():
        rows = {row.method: row for row in records["adapted"].rows}
        cells = [each.split(", ")[-1], cell(rows["none"])[1]]
        for method in methods:
            row = rows[method]
            gains[method].append(100 * (row.gain or 0.0))
            sure = "*" if (row.gain_low or 0) > 0 else "!" if (row.gain_high or 0) < 0 else ""
            cells.append(f"{100 * (row.gain or 0.0):+.1f}{sure}")
        lines.append(f"| {' | '.join([*cells, cell(records['oracle'].rows[0])[1]])} |")
    return [*lines, f"| mean | | {' | '.join(f'{np.mean(gains[one]):+.1f}' for one in methods)} | |", ""]


def losses(records: Records) -> dict[str, float]:
    """What each criterion's choice lost against the best method, in accuracy; the last is no adaptation at all."""
    adapted = records["adapted"]
    reached = {(row.source, row.method): row.accuracy or 0.0 for row in adapted.rows}
    chosen = choices_of(adapted.rows, [row.method for row in adapted.rows])
    lost = {name: max(reached.values()) - reached[row[0], row[1]] for name, row in chosen.items()}
    plain = adapted.row(adapted.rows[0].source, "none").accuracy or 0.0
    return lost | {"always none": max(reached.values()) - plain}


def choosing(found: Mapping[str, Records], groups: Mapping[str, str]) -> list[str]:
    """How much each criterion loses, an experiment or a group of them a line."""
    lost = {name: losses(records) for name, records in found.items()}
    criteria = list(next(iter(lost.values())))
    lines = ["## Choosing without labels", "", "Accuracy that the choice lost against the best method, in points (the "
             "mean where a line has several pairs).", "", f"| pairs | {' | '.join(criteria)} |",
             "|---|" + "---|" * len(criteria)]  # fmt: skip
    by: dict[str, list[str]] = {}
    for name in found:
        by.setdefault(groups[name] or name, []).append(name)

    def line(title: str, names: Sequence[str]) -> str:
        said = f"{title} ({len(names)})" if len(names) > 1 else title
        return (
            f"| {said} | {' | '.join(f'{100 * np.mean([lost[one][key] for one in names]):.1f}' for key in criteria)} |"
        )

    lines += [line(title, names) for title, names in by.items()] + [line("all", list(found))]
    worst = [f"{100 * max(one[key] for one in lost.values()):.1f}" for key in criteria]
    near = [sum(one[key] <= NEAR + 1e-9 for one in lost.values()) for key in criteria]
    lines += [f"| most | {' | '.join(worst)} |"]
    return [
        *lines,
        f"| within {100 * NEAR:.0f} point | {' | '.join(f'{count} of {len(lost)}' for count in near)} |",
        "",
    ]


def gaining(found: Mapping[str, Records]) -> list[str]:
    """The methods that train and gain as much as was hoped for, over both baselines."""
    lines = [f"## Methods that train and gain {100 * GOAL:.0f} points or more", "",
             "| pair | over `none` | over `none-deep` |", "|---|---|---|"]  # fmt: skip
    for name, records in found.items():
        rows = records["adapted"].rows
        plain = next(row.accuracy or 0.0 for row in rows if row.method == "none")
        deep = [row for row in rows if row.baseline == "none-deep"]
        over = [row.method for row in deep if (row.accuracy or 0.0) - plain >= GOAL]
        also = [row.method for row in deep if (row.gain or 0.0) >= GOAL]
        lines += [f"| {name} | {', '.join(over) or 'none'} | {', '.join(also) or 'none'} |"] if deep else []
    return [*lines, ""]


def page(found: Mapping[str, Records], groups: Mapping[str, str], tongues: Sequence[tuple[str, Across]]) -> str:
    """The whole page."""
    lines = [
        "# Adapting to a new domain", "",
        "Written by `python benchmarks/adaptation.py DATA_DIR --emoji DIR`. Gains are over `none` (a head on fixed "
        "features) for methods on features and over `none-deep` (fine-tuning on the labelled domain) for methods that "
        "train; intervals are of 95 %, over seeds and test examples. The oracle trains on labels of the new domain.",
        "",
    ]  # fmt: skip
    alone = {name: records for name, records in found.items() if not groups[name]}
    for name, records in alone.items():
        lines += section(name, records)
    for group in dict.fromkeys(group for group in groups.values() if group):
        lines += shared_table(group, {name: records for name, records in found.items() if groups[name] == group})
    lines += choosing(found, groups) + gaining(alone)
    for name in dict.fromkeys(name for name, _ in tongues):
        lines += language_table(name, [one for key, one in tongues if key == name])
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Carry out what is not done yet and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--emoji", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/adaptation"))
    parser.add_argument("--only", help="carry out the experiments whose name holds this, and write no page")
    parser.add_argument("--page", action="store_true", help="write the page of what is finished, and run nothing")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    places = {"place": given.out}
    groups = (partial(digits, **places), partial(languages, **places), partial(cifar, **places))
    found, kinds = dict[str, Records](), dict[str, str]()
    for one in chain.from_iterable(group(given.data) for group in (*groups, partial(emoji, folder=given.emoji))):
        if (given.only or "") in one.name and (not given.page or finished(one, given.out)):
            found[one.name], kinds[one.name] = carried_out(one, given.out, given.seeds), one.group
            print(one.name, found[one.name]["adapted"], sep="\n", flush=True)
    if given.only is None:
        tongues = list(crossings(given.data, given.out, new=not given.page))
        PAGE.write_text(page(found, kinds, tongues), encoding="utf-8")


if __name__ == "__main__":
    main()
