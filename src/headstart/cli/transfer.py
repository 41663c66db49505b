"""`headstart transfer`: adapt a model to labelled data, by one method or several, and compare with scratch."""

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
    Track,
    command_line,
    complete_methods,
    complete_models,
    epilog_of,
    named,
    options_of_methods,
    reading_options,
    running_from,
    running_options,
)
from headstart.cli._output import (
    SOME_FAILED,
    check_places,
    check_tracker,
    console,
    log_to,
    on_stdout,
    show,
    write,
    wrote,
)
from headstart.cli._progress import shown
from headstart.errors import InputError
from headstart.records import Ranking, check_destination
from headstart.records.table import Prose

ADAPT = "How to adapt"
EPILOG = (
    "Examples:\n\n"
    "headstart transfer photos/ --model zoo/efficientnet_lite0 --method gradual --epochs 20 --out runs/gradual\n\n"
    "headstart transfer photos/ --model best --from run/ --method head,fine-tune --scratch\n\n"
    "headstart transfer photos/ --model zoo/efficientnet_lite0 --stack zoo/efficientnet_lite1\n\n"
    "headstart transfer photos/ --model zoo/efficientnet_lite0 --method lora --dry-run"
)

Stack = Annotated[
    list[str] | None,
    named(
        metavar="NAME...",
        help="Further models: answer with heads on all, weighted by left-out examples; a weight may be 0.",
        autocompletion=complete_models,
        panel=ADAPT,
        show_default=False,
    ),
]
Names = Annotated[
    str,
    named(
        metavar="NAME,...",
        help="One method or several, listed below; auto chooses one for your data and model.",
        autocompletion=complete_methods,
        panel=ADAPT,
    ),
]
ViaMethod = Annotated[
    str | None,
    named(
        metavar="NAME",
        help="Method for the data of `--via`; by default fine-tune.",
        autocompletion=complete_methods,
        panel=ADAPT,
    ),
]


def transfer(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Labelled data, as for `headstart rank`.")],
    model: Annotated[
        str,
        named(
            *("--model", "-m"),
            metavar="NAME",
            help="The model, or `best` of a saved ranking (`--from`).",
            autocompletion=complete_models,
        ),
    ],
    ranking: Annotated[Path | None, named("--from", metavar="RUN", help="A saved ranking, for `--model best`.")] = None,
    method: Names = "auto",
    stack: Stack = None,
    scratch: Annotated[bool, named("--scratch", help="Train from scratch too, and compare.", panel=ADAPT)] = False,
    stop_behind: Annotated[
        bool,
        named(
            "--stop-behind",
            help="With --scratch: stop a method once its validation accuracy is surely below that from scratch.",
            panel=ADAPT,
        ),
    ] = False,
    seeds: Annotated[
        int | None,
        named(min=1, metavar="N", help="Repeat with N seeds; by default 3 with --scratch, else 1.", panel=ADAPT),
    ] = None,
    seed: Annotated[int, named(min=0, metavar="N", help="The first seed.", panel=ADAPT)] = 0,
    via: Annotated[str | None, named(metavar="DATA", help="Adapt to these labelled data first.", panel=ADAPT)] = None,
    via_method: ViaMethod = None,
    source_data: Annotated[
        str | None,
        named(metavar="DATA", help="Train the model on these data from random weights first.", panel=ADAPT),
    ] = None,
    test: Annotated[str | None, named(metavar="DATA", help="Separate test data.", panel=DATA)] = None,
    limit: Annotated[int | None, named(min=2, metavar="N", help="Train on N examples.", panel=DATA)] = None,
    split_seed: Annotated[
        int, named(min=0, metavar="N", help="Seed that decides which examples are held out.", panel=DATA)
    ] = 0,
    out: Annotated[
        Path | None, named(metavar="DIR", help="Save the result here; the same command resumes.", panel=RESULT)
    ] = None,
    overwrite: Annotated[
        bool, named("--overwrite", help="Replace another run in `--out`, finished or not.", panel=RESULT)
    ] = False,
    dry_run: Annotated[bool, named("--dry-run", help="Show the plan and train nothing.", panel=RESULT)] = False,
    margin: Margin = 0.01,
    json: Json = None,
    report: Report = None,
    track: Track = None,
    **options: Any,
) -> None:
    """Adapt a pretrained model to labelled data, test it once, and say what the transfer gained."""
    check_places(json=json)
    check_tracker(track)
    check_destination(out, folder=True)
    check_destination(report, folder=False)
    source = _source(model, ranking)
    methods = [name.strip() for name in method.split(",") if name.strip()]
    same: dict[str, Any] = {
        "seed": seed, "scratch": scratch, "test": test, "limit": limit, "split_seed": split_seed, "via": via,
        "via_method": via_method, "source_data": source_data, **running_from(options),
    }  # fmt: skip
    workers = same.pop("workers")
    if stack:
        others = {
            "method": method != "auto", "seeds": seeds, "report": report, "stop_behind": stop_behind,
            "dry_run": dry_run, "track": track,
        }  # fmt: skip
        _stacked(target, [source, *stack], same, others, margin, out=out, overwrite=overwrite, json=json)
        return
    from headstart.report import write_results
    from headstart.transfers.campaign import campaign, previews

    if dry_run:
        for plan in previews(target, source, methods, **same):
            show(plan.view())
        return
    with shown(console(errors=True)) as tell:
        done = campaign(
            *(target, source, methods),
            **same,
            seeds=seeds,
            stop_behind=stop_behind,
            workers=workers,
            out=out,
            margin=margin,
            progress=tell,
            overwrite=overwrite,
            command=command_line(),
        )
    pages = [write_results(done.evaluation, report)] if report else []
    told = [Prose(wrote([*done.folders, *pages]))] if done.folders or pages else []
    show([*done.view(), *told], errors=on_stdout(json))
    write(json, done.evaluation.to_json() + "\n")
    log_to(track, done.evaluation.outcomes)
    if done.failures:
        raise typer.Exit(SOME_FAILED)


STACKS = ("seed", "test", "limit", "split_seed", "device", "reading", "cache", "trust_pickle")  # what `stack` takes


def _stacked(
    target: str,
    models: list[Any],
    given: dict[str, Any],
    others: dict[str, Any],
    margin: float,
    *,
    out: Path | None,
    overwrite: bool,
    json: str | None,
) -> None:
    """Answer with several models at once.

    Raises:
        InputError: An option was given that has no effect here, or `out` is not empty.
    """
    from headstart.adaptation import stack

    if out is not None and out.is_dir() and any(out.iterdir()) and not overwrite:
        raise InputError(f"`--out {out}` is not empty; choose another folder, or pass `--overwrite`.")
    idle = [name for name, value in (given | others).items() if name not in STACKS and value not in (None, False)]
    if idle:
        name = idle[0].replace("_", "-")
        raise InputError(f"`--{name}` has no effect with `--stack`, which solves a head on every model. Leave it out.")
    found = stack(target, models, margin=margin, **{name: given[name] for name in STACKS})
    told = [Prose(wrote([found.save(out)]))] if out else []
    show([*found.view(), *told], errors=on_stdout(json))
    write(json, found.record.to_json() + "\n")


def _source(model: str, ranking: Path | None) -> str | Ranking:
    if (model == "best") != (ranking is not None):
        raise InputError("`--model best` and `--from RUN` belong together: the best source of a saved ranking.")
    return Ranking.load(ranking) if ranking is not None else model


RUNNING = (*running_options(without=("limit", "seed", "batch_size")), *reading_options())
app = command(*RUNNING, resumes=True)(transfer)


def whole() -> typer.Typer:
    """The command with the options of every method, which are read when it is used: they need torch."""
    from headstart.transfers import METHODS

    made = command(*RUNNING, *options_of_methods(METHODS), epilog=epilog_of(METHODS, EPILOG), resumes=True)
    return made(transfer)
