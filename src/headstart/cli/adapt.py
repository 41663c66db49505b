"""`headstart adapt`: from labels in one domain to a model for another."""

from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._commands import command
from headstart.cli._options import (
    DATA,
    RESULT,
    Json,
    Margin,
    Report,
    command_line,
    complete_models,
    epilog_of,
    named,
    options_of_methods,
    reading_options,
    running_from,
    running_options,
)
from headstart.cli._output import Output
from headstart.cli._progress import shown

ADAPT = "How to adapt"
EPILOG = (
    "Examples:\n\n"
    "headstart adapt labelled_photos/ new_camera/ --model zoo/efficientnet_lite0 --method all --out runs/da\n\n"
    "headstart adapt reviews_en.csv reviews_de.csv --models st/all-MiniLM-L6-v2 zoo/e5_small\n\n"
    "headstart adapt reviews_en.csv reviews_de.csv --sources reviews_fr.csv reviews_ru.csv --model zoo/e5_small\n\n"
    "headstart adapt digits.npz usps.npz --model zoo/tiny_letters --method coral,dann --test usps_labelled.npz"
)


def adapt(
    labelled: Annotated[
        str, typer.Argument(metavar="LABELLED", help="Labelled data, whatever `headstart rank` reads.")
    ],
    unlabelled: Annotated[
        str,
        typer.Argument(
            metavar="UNLABELLED", help="Examples of the new domain; labels that come with them are ignored."
        ),
    ],
    models: Annotated[
        list[str] | None,
        named(
            *("--models", "--model", "-m"),
            metavar="NAME...",
            help="One model, or several to rank for the new domain; arrays of features need none.",
            autocompletion=complete_models,
            show_default=False,
        ),
    ] = None,
    sources: Annotated[
        list[str] | None,
        named(
            metavar="DATA...",
            panel=DATA,
            help="Further labelled data with the same classes, such as other languages: all are ranked as starts.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str,
        named(
            metavar="NAME,...",
            panel=ADAPT,
            help="Methods, listed below; features for all on cached features, deep for all that train, all for both.",
        ),
    ] = "features",
    select: Annotated[
        str,
        named(
            metavar="NAME",
            panel=ADAPT,
            help="What chooses among them without labels: source-risk, importance-weighted, entropy, density or "
            "agreement.",
        ),
    ] = "entropy",
    seeds: Annotated[
        int, named(min=1, metavar="N", panel=ADAPT, help="Repeat with N seeds; methods that train need several.")
    ] = 1,
    seed: Annotated[int, named(min=0, metavar="N", panel=ADAPT, help="The first seed.")] = 0,
    test: Annotated[
        str | None, named(metavar="DATA", panel=DATA, help="Labelled examples of the new domain, for the report alone.")
    ] = None,
    limit: Annotated[int | None, named(min=10, metavar="N", panel=DATA, help="Use N examples of each domain.")] = None,
    split_seed: Annotated[
        int, named(min=0, metavar="N", panel=DATA, help="Seed that decides which labelled examples are held out.")
    ] = 0,
    out: Annotated[
        Path | None, named(metavar="DIR", panel=RESULT, help="Save the result here; the same command resumes.")
    ] = None,
    overwrite: Annotated[bool, named("--overwrite", panel=RESULT, help="Replace other runs in `--out`.")] = False,
    margin: Margin = 0.01,
    report: Report = None,
    json: Json = None,
    csv: Annotated[
        str | None,
        named("--csv", metavar="FILE", panel=RESULT, help="Write one line per method; - is standard output."),
    ] = None,
    **options: Any,
) -> None:
    """Train on a labelled domain for one without labels, and say what adapting gained."""
    output = Output(json=json, csv=csv)
    from headstart.adaptation import adapt as carry_out

    with shown(output.errors) as progress:
        found = carry_out(
            labelled,
            unlabelled,
            models=models,
            sources=sources or (),
            method=method,
            select=select,
            test=test,
            seeds=seeds,
            seed=seed,
            limit=limit,
            split_seed=split_seed,
            out=out,
            overwrite=overwrite,
            margin=margin,
            report=report,
            progress=progress,
            command=command_line(),
            **running_from(options),
        )
    output.finish(found.record, out and out / "adaptation.json", report)


RUNNING = (*running_options(without=("limit", "seed", "batch_size", "history")), *reading_options())
app = command(*RUNNING, resumes=True)(adapt)


def whole() -> typer.Typer:
    """The command with the options of every method, which are read when it is used: they need torch."""
    from headstart.adaptation import ADAPTATIONS

    made = command(*RUNNING, *options_of_methods(ADAPTATIONS), epilog=epilog_of(ADAPTATIONS, EPILOG), resumes=True)
    return made(adapt)
