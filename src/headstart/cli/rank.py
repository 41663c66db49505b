"""`headstart rank`: which of these models gives this data a head start?"""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from headstart.cli._output import Output
from headstart.cli._progress import shown
from headstart.errors import InputError
from headstart.tasks import TASKS

DATA, WHAT, HOW, RESULT = "Reading the data", "What to rank by", "Running the models", "Writing the result"

EPILOG = (
    "[bold]Exit codes[/bold]: 0 ranked; 1 nothing could be ranked; 2 bad input or usage; 3 ranked, but some models "
    "failed; 70 a defect of headstart; 130 stopped by Ctrl-C."
    """

[bold]Examples[/bold]

headstart rank photos/ --models zoo

headstart rank photos/ --models timm/resnet18 local-dir:my_model/

headstart rank reviews.csv --label-column stars --models st/all-MiniLM-L6-v2

headstart rank photos/ --models 'timm/*' --search race --time-budget 10m

headstart rank features_a.npz features_b.npz"""
)


def rank(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A folder of class folders (or a zip of one), a CSV, TSV or Parquet table, a data set's name, or one "
            "or several .npz files of arrays.",
            show_default=False,
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            "-m",
            metavar="NAME...",
            help="Models to rank: zoo, zoo/NAME, timm/NAME, torchvision/NAME, hf/ID, st/ID or local-dir:PATH. Quote "
            "names with wildcards, as in 'timm/resnet*'.",
            show_default=False,
        ),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            "--score", metavar="NAME,...", help="Scores to show; see `headstart scores`.", rich_help_panel=WHAT
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="NAME",
            help="The score that orders the rows; auto: by a rule that goes by what the models give.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    search: Annotated[
        str,
        typer.Option(
            "--search",
            metavar="NAME",
            help="all; race (drop models once they are surely behind); or halving (a fifth of the passes).",
            rich_help_panel=HOW,
        ),
    ] = "all",
    time_budget: Annotated[
        str | None,
        typer.Option(
            "--time-budget",
            metavar="TIME",
            help="Stop after 90 (seconds), 60s, 5m or 1h with the best answer so far.",
            rich_help_panel=HOW,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Use N examples, stratified.", rich_help_panel=DATA),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the texts.", rich_help_panel=DATA)
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the images.", rich_help_panel=DATA)
    ] = None,
    label_column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Column of the labels; repeat it for several.", rich_help_panel=DATA),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Score on this split instead of the training split.", rich_help_panel=DATA),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help=f"One of {', '.join(TASKS)}; recognised by the labels if not given.",
            rich_help_panel=DATA,
        ),
    ] = None,
    root: Annotated[
        Path, typer.Option(metavar="DIR", help="Where torchvision keeps its data sets.", rich_help_panel=DATA)
    ] = Path("data"),
    download: Annotated[
        bool, typer.Option("--download", help="Fetch a data set that is named and not here.", rich_help_panel=DATA)
    ] = False,
    max_bad: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="Largest share of unreadable examples to skip.",
            rich_help_panel=DATA,
        ),
    ] = 0.01,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="For every random choice.", rich_help_panel=WHAT)] = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.", rich_help_panel=HOW)] = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Examples per forward pass; else what fits.", rich_help_panel=HOW),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Processes that measure models side by side.", rich_help_panel=HOW),
    ] = 1,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep forward passes here, not in the usual place.", rich_help_panel=HOW),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no forward passes.", rich_help_panel=HOW)] = False,
    trust_pickle: Annotated[
        bool,
        typer.Option("--trust-pickle", help="Load checkpoints that can run code on this machine.", rich_help_panel=HOW),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the records here; reports are rebuilt from them.", rich_help_panel=RESULT
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML page.", rich_help_panel=RESULT)
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the records as JSON; - is standard output.", rich_help_panel=RESULT
        ),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write one line per model; - is standard output.", rich_help_panel=RESULT
        ),
    ] = None,
) -> None:
    """Rank pretrained models on labelled data: one forward pass each, no training."""
    if not target:
        raise InputError(
            "`TARGET` is missing: name the data before `--models`, as in: headstart rank photos/ --models zoo"
        )
    if cache and no_cache:
        raise InputError("`--cache` and `--no-cache` exclude each other; give one of them.")
    output = Output(json=json, csv=csv)
    from headstart.ranking import rank as rank_sources

    with shown(output.errors) as progress:
        ranking = rank_sources(
            target[0] if len(target) == 1 else target,
            models,
            scores=score,
            sort=sort,
            limit=limit,
            seed=seed,
            search=search,
            time_budget=time_budget,
            device=device,
            batch_size=batch_size,
            workers=workers,
            cache=False if no_cache else cache or True,
            max_bad=max_bad,
            trust_pickle=trust_pickle,
            out=out,
            report=report,
            text_column=text_column,
            image_column=image_column,
            label_column=label_column[0] if label_column and len(label_column) == 1 else label_column or None,
            split=split,
            task=task,
            root=root,
            download=download,
            progress=progress,
            command=shlex.join(["headstart", *sys.argv[1:]]),
        )
    output.show(ranking, out=out, report=report)
    raise typer.Exit(output.exit_code(ranking))
