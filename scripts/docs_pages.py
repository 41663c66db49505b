"""Make the pages that come from the code and from results files (an extension of Sphinx): scores, reference, results.

They are written into `docs/scores`, `docs/reference` and `docs/results` each time the site is made, and not committed.
"""

import inspect
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NEEDS = {
    "probs": "the model's class probabilities, so a model with a classifier",
    "logits": "the model's outputs before the softmax, so a model with a classifier",
    "features": "the features below the classifier; a model without one will do",
    "source": "features and labels of the model's own training data",
    "card": "what the model's card says; not your data",
    "nothing": "nothing",
}
SIZES = " for n examples, z source classes, d features, C target classes"
INVARIANCES = {
    "order": "the order of the examples",
    "names": "the names of the classes",
    "unused": "source classes or features that are never used",
    "scale": "the scale of the features",
    "shift": "a constant added to the features",
    "rotation": "a rotation of the features",
}
COLUMNS = {
    "real": "accuracy of a head: 16 models of many kinds, 7 data sets (Kendall)",
    "head": "accuracy of a head: 18 models of one kind, 12 targets (weighted tau)",
    "fine-tune": "the same after fine-tuning",
}
RESULTS = {
    "benchmarks": "benchmarks/RESULTS.md",
    "few-shot": "benchmarks/few_shot.md",
    "adaptation": "benchmarks/adaptation.md",
    "foresight": "reproductions/benchmark.md",
    "reproduction": "reproductions/RESULTS.md",
    "table1": "reproductions/table1.md",
    "figures": "reproductions/figures.md",
    "epochs": "reproductions/epochs.md",
}  # a page of the site, and the file that it shows
SCORES_PAGE = """# Scores

A score says, without training, how well a model suits your labels. Higher is better for all of them. `headstart rank`
shows the first eight unless `--scores` names others.

Foresight is how well a score ordered 16 models by the accuracy that a new head reached, on average over 7 data sets:
1 is perfect, 0 is chance ([how it was measured](../results/benchmarks.md)). To check a table of scores that somebody
published, see [the audit](../audit.md).

| score | reads | meaning | foresight |
|---|---|---|---:|"""
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^]]*)\]\((?P<path>(?!https?:|#)[^)#\s]+)(?P<anchor>#[^)]*)?\)")


def score_pages() -> dict[str, str]:
    """Name and text of the page of each score, and of the table of all."""
    from headstart.scores import SCORES

    seen = measured()
    pages = {name: "\n".join(_score(score, seen)) for name, score in SCORES.items()}
    rows = [
        f"| [{score.name}]({score.name}.md) | {score.needs} | {score.meaning} | {seen['real'].get(score.name, '')} |"
        for score in SCORES.values()
    ]
    pages["index"] = "\n".join([SCORES_PAGE, *rows, *_toctree(["../audit", *SCORES])])
    return pages


def _score(score: Any, seen: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    from headstart.tasks import TASKS
    from headstart.wording import bounds

    kept = [text for name, text in INVARIANCES.items() if name in score.invariances]
    moved = [INVARIANCES[name] for name in ("scale", "shift", "rotation") if name not in score.invariances]
    yield from (f"# {score.name}", "", f"**{score.title[:1].upper()}{score.title[1:]}.** {score.meaning}", "")
    yield from ("| | |", "|---|---|", f"| needs | {NEEDS[score.needs]} |")
    yield f"| for | {', '.join(filter(score.suits, TASKS))} |"
    yield f"| range | {bounds(score.low, score.high)}; higher is better |"
    yield f"| cost | {f'`{score.cost}`{SIZES}' if '(' in score.cost else score.cost} |"
    yield f"| unchanged by | {', '.join(kept) or 'nothing'} |"
    if score.needs == "features" and moved:
        yield f"| may change with | {', '.join(moved)} |"
    yield f"| shown | {'by default' if score.default else f'with `--scores {score.name}`'} |"
    yield "| paper | " + re.sub(r"(https?://[^ ]+[^ .])", r"<\1>", score.citation) + " |"
    yield from (
        "",
        "## Formula and use",
        "",
        "```{eval-rst}",
        f".. autofunction:: headstart.scores.{score.name}",
        "```",
    )
    yield from ("", "## Measured foresight", "")
    found = {text: seen[key][score.name] for key, text in COLUMNS.items() if score.name in seen[key]}
    if not found:
        yield "Not measured: our benchmarks rank models for classification, from features and outputs alone."
        return
    yield from (
        "How well it ordered models by what they reached; 1 is perfect, 0 is chance.",
        "",
        "| | |",
        "|---|---:|",
    )
    yield from (f"| {text} | {value} |" for text, value in found.items())
    yield from (
        "",
        "In brackets or after ±: 95 % intervals over data sets or targets. [All results](../results/foresight.md).",
    )


def measured() -> dict[str, dict[str, str]]:
    """For each of `COLUMNS`, the result of each score as the results files have it."""
    real = (ROOT / RESULTS["benchmarks"]).read_text().partition("### All real sources (")[2]
    ours = (ROOT / RESULTS["foresight"]).read_text().partition("**Outcome: head")[2]
    head, _, tuned = ours.partition("**Outcome: ")
    return {
        "real": _column(real, "head on the whole pool, all n, 7 sets"),
        "head": _column(head, "weighted tau"),
        "fine-tune": _column(tuned, "weighted tau"),
    }


def _column(text: str, name: str) -> dict[str, str]:
    """A column of the first Markdown table of a text, by its first column."""
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in re.findall(r"^\|.*$", text, re.M)]
    place, values = rows[0].index(name), {}
    for row in rows[2:]:
        if len(row) != len(rows[0]) or row[0] == "score":  # the next table
            break
        values[row[0]] = row[place]
    return values


def command_pages() -> dict[str, str]:
    """Name and text of the page of each command, from its own help."""
    import typer.main

    from headstart.cli import app

    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="headstart")
    pages, names = {}, group.list_commands(context)
    for name in names:
        _, command, _ = group.resolve_command(context, [name])
        pages[name] = "\n".join(_command(name, command, typer.Context(command, context, name)))
    lines = [f"| [`headstart {name}`]({name}.md) | {group.get_command(context, name).help} |" for name in names]
    lines.append("| [`import headstart as hs`](python.md) | From Python. |")
    pages["index"] = "\n".join(["# Reference", "", "| | |", "|---|---|", *lines, *_toctree([*names, "python"])])
    return pages


def _command(name: str, command: Any, context: Any) -> Iterator[str]:
    yield from (f"# headstart {name}", "", _escape(command.help or ""), "")
    panels: dict[str, list[Any]] = {}
    for one in command.get_params(context):
        if one.name != "help" and not one.hidden:
            panels.setdefault(one.rich_help_panel or "", []).append(one)
    words = [_names(one) for one in panels.get("", ()) if one.param_type_name == "argument"]
    yield from ("```text", " ".join(["headstart", name, *words, "[OPTIONS]"]), "```", "")
    for panel, members in panels.items():
        yield from ((f"## {panel}", "") if panel else ())
        for one in members:
            yield from (f"`{_names(one)}`", f": {_escape(one.help or '')}{_default(one)}", "")
    yield _escape(inspect.cleandoc(command.epilog or ""))


def _names(one: Any) -> str:
    """`--limit N` or `TARGET`, as the help has it."""
    if one.param_type_name == "argument":
        return str(one.metavar or one.name.upper())
    return ", ".join([*one.opts, *one.secondary_opts]) + (f" {one.metavar}" if one.metavar and not one.is_flag else "")


def _default(one: Any) -> str:
    shown = one.show_default and isinstance(one.default, str | int | float) and one.default != "" and not one.is_flag
    return f" *Default: {one.default}.*" if shown else ""


def _escape(text: str) -> str:
    """Help as Markdown: the terminal's markup is removed, and what Markdown would take for markup is kept."""
    plain = re.sub(r"\[/?(?:bold|dim|italic|cyan|b|i)\]", "", text)
    return re.sub(r"([*<_\[])", r"\\\1", plain) if "`" not in plain else plain.replace("<", r"\<")


def python_page() -> str:
    """What `import headstart as hs` offers, from the docstrings."""
    import headstart

    lines = ["# From Python", "", "`import headstart as hs` loads neither torch nor a plotting library.", ""]
    modules = []
    for name in headstart.__all__:
        value = getattr(headstart, name)
        if inspect.ismodule(value):
            modules.append(name)
        elif callable(value):
            kind = "autofunction" if inspect.isfunction(value) else "autoclass"
            lines += [f"## hs.{name}", "", "```{eval-rst}", f".. {kind}:: headstart.{name}"]
            lines += ["   :members:", "```", ""] if kind == "autoclass" else ["```", ""]
    for name in modules:
        own = getattr(headstart, name)
        lines += [f"## hs.{name}", "", _first(own), "", "| | |", "|---|---|", *_members(name, own), ""]
    return "\n".join(lines)


def _members(module: str, own: Any) -> Iterator[str]:
    """A line for each public class and function of a module; scores have pages of their own."""
    from headstart.scores import SCORES

    pages = SCORES if module == "scores" else {}
    for name in sorted({*(getattr(own, "__all__", None) or vars(own)), *pages}):
        value = getattr(own, name)
        if name.startswith("_") or not callable(value) or not getattr(value, "__module__", "").startswith("headstart"):
            continue
        shown = f"[`{name}`](../scores/{name}.md)" if name in pages else f"`{name}`"
        yield f"| {shown} | {_escape(_first(value)).replace('|', chr(92) + '|')} |"


def _first(value: Any) -> str:
    return (inspect.getdoc(value) or "").partition("\n")[0]


def result_pages(docs: Path) -> dict[str, str]:
    """The results files as pages; pictures are copied, and links to files that are no page become text."""
    return {page: _shown(ROOT / path, docs / "results") for page, path in RESULTS.items()}


def _shown(file: Path, out: Path) -> str:
    pages = {(ROOT / path).resolve(): page for page, path in RESULTS.items()}

    def relink(found: re.Match[str]) -> str:
        target = (file.parent / found["path"]).resolve()
        if found["image"]:
            (out / "pictures").mkdir(parents=True, exist_ok=True)
            shutil.copy(target, out / "pictures" / target.name)
            return f"![{found['text']}](pictures/{target.name})"
        if target in pages:
            return f"[{found['text']}]({pages[target]}.md{found['anchor'] or ''})"
        return f"`{target.relative_to(ROOT)}`" if target.is_relative_to(ROOT) else found["text"]

    return LINK.sub(relink, file.read_text())


def _toctree(names: list[str]) -> list[str]:
    return ["", "```{toctree}", ":hidden:", "", *names, "```", ""]


def write(docs: Path) -> None:
    """Write all of them under `docs`."""
    made = {
        "scores": score_pages(),
        "reference": command_pages() | {"python": python_page()},
    }
    for folder in (*made, "results", "_made"):
        shutil.rmtree(docs / folder, ignore_errors=True)
        (docs / folder).mkdir()
    made["results"] = result_pages(docs)
    for folder, pages in made.items():
        for name, text in pages.items():
            (docs / folder / f"{name}.md").write_text(text)


def _spare_bars(app: Any, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """`|w|` in a docstring is a size, not a substitution."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def setup(app: Any) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", _spare_bars)
    write(Path(app.srcdir))
    return {"parallel_read_safe": True}
