"""`headstart rank`: which of these models gives this data a head start?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._commands import command
from headstart.cli._options import (
    HOW,
    RESULT,
    Json,
    Models,
    Report,
    Scores,
    Track,
    command_line,
    complete_scores,
    complete_target,
    named,
    reading_options,
    running_from,
    running_options,
)
from headstart.cli._output import Output, check_tracker, show
from headstart.cli._progress import shown
from headstart.errors import InputError
from headstart.records.table import View

WHAT, WHICH = "What to rank by", "Which models"
EPILOG = (
    "[bold]Exit codes[/bold]: 0 ranked; 1 nothing could be ranked; 2 bad input or usage; 3 ranked, but some models "
    "failed; 70 a defect of headstart; 130 stopped by Ctrl-C."
    """

[bold]Examples[/bold]

headstart rank photos/

headstart rank photos/ --models zoo

headstart rank photos/ --models 'timm/*' --shortlist 40 --licence apache-2.0 mit

headstart rank photos/ --models timm/resnet18 local-dir:my_model/

headstart rank reviews.csv --label-column stars --models st/all-MiniLM-L6-v2

headstart rank photos/ --models 'timm/*' --search race --time-budget 10m

headstart rank features_a.npz features_b.npz"""
)

Sort = Annotated[
    str | None,
    named(
        metavar="NAME",
        panel=WHAT,
        help="The score that orders the rows; by default (auto) leep_pooled, or leep_gaussian where a model has no "
        "features; transferability with --for fine-tune.",
        autocompletion=complete_scores,
    ),
]
Metric = Annotated[
    str | None,
    named(metavar="NAME", panel=WHAT, help="What to forecast: accuracy, balanced_accuracy, macro_f1; r2 for amounts."),
]
Search = Annotated[
    str,
    named(
        metavar="NAME",
        panel=HOW,
        help="all; race (drop models once they are surely behind); halving (a fifth of the forward passes); or "
        "fine-tune (train the likeliest for growing numbers of epochs).",
    ),
]
TimeBudget = Annotated[
    str | None, named(metavar="TIME", panel=HOW, help="Stop after 60s, 5m or 1h with the best answer so far.")
]
Precision = Annotated[
    str, named(metavar="NAME", panel=HOW, help="fp32, or bf16: faster forward passes on many GPUs, cached apart.")
]
ShortList = Annotated[
    int | None,
    named(
        metavar="N",
        min=2,
        panel=WHICH,
        help="Rank at most N of the models: the best of each family by what is published, then the family of the "
        "winner. 24 where no model is named.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    named(metavar="GLOB...", panel=WHICH, help="Leave out these models, as in --exclude 'timm/*.fb_*'."),
]
Licence = Annotated[
    list[str] | None,
    named(metavar="NAME...", panel=WHICH, help="Rank only models of these licences, as in --licence apache-2.0 mit."),
]
Csv = Annotated[
    str | None, named("--csv", metavar="FILE", panel=RESULT, help="Write one line per model; - is standard output.")
]


@command(*running_options(), *reading_options(), epilog=EPILOG)
def rank(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A folder of class folders (or a zip of one), a CSV, TSV or Parquet table, a data set's name, or one "
            "or several .npz files of arrays.",
            show_default=False,
            autocompletion=complete_target,
        ),
    ] = None,
    models: Models = None,
    scores: Scores = None,
    sort: Sort = None,
    metric: Metric = None,
    goal: Annotated[
        str,
        named("--for", metavar="GOAL", panel=WHAT, help="head (a new head on frozen features) or fine-tune."),
    ] = "head",
    search: Search = "all",
    time_budget: TimeBudget = None,
    precision: Precision = "fp32",
    shortlist: ShortList = None,
    exclude: Exclude = None,
    licence: Licence = None,
    out: Annotated[
        Path | None, named(metavar="DIR", panel=RESULT, help="Save the ranking here, for `headstart report`.")
    ] = None,
    report: Report = None,
    track: Track = None,
    costs: Annotated[
        bool, named("--costs", panel=RESULT, help="Measure how long a head and fine-tuning take, and how much memory.")
    ] = False,
    dry_run: Annotated[bool, named("--dry-run", panel=HOW, help="Only show what would be computed.")] = False,
    json: Json = None,
    csv: Csv = None,
    **running: Any,
) -> None:
    """Rank pretrained models on labelled data: one forward pass each, no training."""
    if not target:
        raise InputError(
            "`TARGET` is missing: name the data before `--models`, as in: headstart rank photos/ --models zoo"
        )
    output = Output(json=json, csv=csv)
    check_tracker(track)
    pool: dict[str, Any] = {"shortlist": shortlist, "exclude": exclude, "licence": licence}
    data, options = target[0] if len(target) == 1 else target, running_from(running)
    if dry_run:
        planned = {name: options[name] for name in ("reading", "limit", "seed", "workers", "trust_pickle")}
        show(_dry_run(data, models, options["cache"], precision=precision, **planned, **pool))
        return
    from headstart.ranking import rank as rank_sources

    with shown(output.errors) as progress:
        ranking = rank_sources(
            data,
            models,
            scores=scores,
            sort=sort,
            goal=goal,
            metric=metric,
            search=search,
            time_budget=time_budget,
            precision=precision,
            out=out,
            report=report,
            costs=costs,
            progress=progress,
            command=command_line(),
            **pool,
            **options,
        )
    output.finish(ranking, out and out / "ranking.json", report, tracker=track)


def _dry_run(target: Any, models: Any, cache: str | bool, **options: Any) -> View:
    from headstart.ranking.dry_run import dry_run
    from headstart.store import folder_of

    return dry_run(target, models, cache=folder_of(cache), **options)
