"""`headstart transfer`: adapt a model to labelled data, by one method or several, and compare with scratch."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from headstart.cli._output import check_places, on_stdout, write, wrote
from headstart.cli._progress import shown
from headstart.cli._show import show
from headstart.errors import InputError
from headstart.records import Ranking, check_destination
from headstart.tasks import TASKS

HOW, TRAIN, DATA, RESULT = "How to adapt", "Training", "Data", "Result"
EPILOG = (
    "Examples:\n\n"
    "headstart transfer photos/ --model zoo/efficientnet_lite0 --method gradual --epochs 20 --out runs/gradual\n\n"
    "headstart transfer photos/ --model best --from run/ --method head,fine-tune --scratch --seeds 3\n\n"
    "headstart transfer photos/ --model zoo/efficientnet_lite0 --method lora --dry-run"
)


def transfer(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Labelled data, as for `headstart rank`.")],
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="NAME", help="The source, or `best` of a ranking (`--from`).")
    ],
    ranking: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="A saved ranking that `--model best` refers to.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="auto, head, fine-tune, partial, probe-fine-tune, gradual, layer-decay, lora, dora, qlora, adapters, "
            "bitfit, norm, visual-prompt, prefix, prompt (texts) or scratch.",
            rich_help_panel=HOW,
        ),
    ] = "auto",
    scratch: Annotated[
        bool, typer.Option("--scratch", help="Train from scratch too, and compare.", rich_help_panel=HOW)
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Repeat with so many seeds.", rich_help_panel=HOW)] = 1,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The first seed.", rich_help_panel=HOW)] = 0,
    via: Annotated[
        str | None, typer.Option(metavar="DATA", help="Adapt to these data first.", rich_help_panel=HOW)
    ] = None,
    via_method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="How to adapt to the data of `--via`; by default fine-tune.", rich_help_panel=HOW
        ),
    ] = None,
    source_data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Train the model on these data from random weights first.", rich_help_panel=HOW
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="X", help="Peak rate of head and new parts.", rich_help_panel=HOW)
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(metavar="X", help="How many times slower pretrained parts learn.", rich_help_panel=HOW),
    ] = None,
    top: Annotated[
        float | None, typer.Option(metavar="N", help="partial: top blocks, or a share.", rich_help_panel=HOW)
    ] = None,
    decay: Annotated[
        float | None, typer.Option(metavar="X", help="Factor of the rate from block to block.", rich_help_panel=HOW)
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="BLOCK", help="head: read the output of this block.", rich_help_panel=HOW)
    ] = None,
    solver: Annotated[str | None, typer.Option(metavar="NAME", help="head: lbfgs or sgd.", rich_help_panel=HOW)] = None,
    penalty: Annotated[
        float | None,
        typer.Option(metavar="X", help="head: L2 penalty; else by leave-one-out.", rich_help_panel=HOW),
    ] = None,
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start", help="head by sgd: start from the expected empirical predictor.", rich_help_panel=HOW
        ),
    ] = False,
    rank: Annotated[int | None, typer.Option(metavar="N", help="lora: rank.", rich_help_panel=HOW)] = None,
    alpha: Annotated[float | None, typer.Option(metavar="X", help="lora: scale.", rich_help_panel=HOW)] = None,
    dropout: Annotated[
        float | None, typer.Option(metavar="X", help="Dropout before inserted parts.", rich_help_panel=HOW)
    ] = None,
    bottleneck: Annotated[int | None, typer.Option(metavar="N", help="adapters: width.", rich_help_panel=HOW)] = None,
    prompt: Annotated[
        int | None,
        typer.Option(metavar="N", help="visual-prompt: pixels; prefix, prompt: tokens.", rich_help_panel=HOW),
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", rich_help_panel=TRAIN)] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", rich_help_panel=TRAIN)] = None,
    optimizer: Annotated[str | None, typer.Option(metavar="NAME", help="adamw or sgd.", rich_help_panel=TRAIN)] = None,
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="constant, cosine or slanted.", rich_help_panel=TRAIN)
    ] = None,
    warmup: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of the steps, with a rising rate.", rich_help_panel=TRAIN)
    ] = None,
    patience: Annotated[
        int | None, typer.Option(metavar="N", help="Stop after N epochs without gain.", rich_help_panel=TRAIN)
    ] = None,
    smoothing: Annotated[
        float | None, typer.Option(metavar="X", help="Label smoothing.", rich_help_panel=TRAIN)
    ] = None,
    mixup: Annotated[float | None, typer.Option(metavar="X", help="Mixing of pairs.", rich_help_panel=TRAIN)] = None,
    l2_sp: Annotated[
        float | None, typer.Option("--l2-sp", metavar="X", help="Pull to the source.", rich_help_panel=TRAIN)
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(metavar="X", rich_help_panel=TRAIN)] = None,
    clip: Annotated[
        float | None, typer.Option(metavar="X", help="Largest norm of a gradient.", rich_help_panel=TRAIN)
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fp32, bf16, or auto: the faster.", rich_help_panel=TRAIN),
    ] = None,
    keep_statistics: Annotated[
        bool, typer.Option("--keep-statistics", help="Freeze batch-norm statistics.", rich_help_panel=TRAIN)
    ] = False,
    momentum: Annotated[float | None, typer.Option(metavar="X", help="Momentum of SGD.", rich_help_panel=TRAIN)] = None,
    augment: Annotated[
        str | None, typer.Option(metavar="NAME", help="none, light or strong.", rich_help_panel=TRAIN)
    ] = None,
    test: Annotated[
        str | None, typer.Option(metavar="DATA", help="A test part that lies elsewhere.", rich_help_panel=DATA)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Train on N examples.", rich_help_panel=DATA)
    ] = None,
    split_seed: Annotated[int, typer.Option(min=0, metavar="N", help="Who is held out.", rich_help_panel=DATA)] = 0,
    text_column: Annotated[str | None, typer.Option(metavar="NAME", rich_help_panel=DATA)] = None,
    image_column: Annotated[str | None, typer.Option(metavar="NAME", rich_help_panel=DATA)] = None,
    label_column: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Repeat it for several.", rich_help_panel=DATA)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help=f"One of {', '.join(TASKS)}; recognised by the labels if not given.",
            rich_help_panel=DATA,
        ),
    ] = None,
    max_bad: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Unreadable examples to skip.", rich_help_panel=DATA)
    ] = 0.01,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, mps.", rich_help_panel=TRAIN)] = "auto",
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where forward passes are kept.", rich_help_panel=DATA)
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no forward passes.", rich_help_panel=DATA)] = False,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Load checkpoints that can run code.", rich_help_panel=DATA)
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the result here; the same command resumes.", rich_help_panel=RESULT),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace another run in `--out`, finished or not.", rich_help_panel=RESULT),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and train nothing.", rich_help_panel=RESULT)
    ] = False,
    margin: Annotated[
        float,
        typer.Option(min=0, metavar="X", help="Smallest difference that matters.", rich_help_panel=RESULT),
    ] = 0.01,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write outcomes and comparisons; or -.", rich_help_panel=RESULT),
    ] = None,
) -> None:
    """Adapt a pretrained model to labelled data, test it once, and say what the transfer gained."""
    if cache and no_cache:
        raise InputError("`--cache` and `--no-cache` exclude each other; give one of them.")
    check_places(json=json)
    check_destination(out, folder=True)
    source = _source(model, ranking)
    methods = [name.strip() for name in method.split(",") if name.strip()]
    reading = {"text_column": text_column, "image_column": image_column, "task": task}
    if label_column:
        reading["label_column"] = label_column[0] if len(label_column) == 1 else label_column  # type: ignore[assignment]
    settings: dict[str, Any] = {
        "rate": rate, "ratio": ratio, "top": top, "decay": decay, "layer": layer, "solver": solver,
        "penalty": penalty, "warm_start": warm_start or None, "rank": rank, "alpha": alpha, "dropout": dropout,
        "bottleneck": bottleneck, "prompt": prompt, "epochs": epochs, "batch_size": batch_size,
        "optimizer": optimizer, "schedule": schedule, "warmup": warmup, "patience": patience,
        "smoothing": smoothing, "mixup": mixup, "l2_sp": l2_sp, "weight_decay": weight_decay, "clip": clip,
        "precision": precision, "keep_statistics": keep_statistics or None, "momentum": momentum,
    }  # fmt: skip
    shared: dict[str, Any] = {
        "test": test, "limit": limit, "split_seed": split_seed, "augment": augment, "device": device,
        "cache": False if no_cache else cache or True, "max_bad": max_bad, "trust_pickle": trust_pickle,
        "reading": reading, **settings,
    }  # fmt: skip
    if dry_run:
        from headstart.transfers import preview
        from headstart.transfers.campaign import arguments_of, methods_of

        beside = {"via": via, "via_method": via_method, "source_data": source_data}
        for name in methods_of(methods, scratch, {**shared, **beside}):
            show(preview(target, source, method=name, seed=seed, **arguments_of(name, shared)).view())
        return
    from headstart.records import results
    from headstart.records.outcome import campaign_json
    from headstart.records.table import Prose
    from headstart.transfers.campaign import campaign

    with shown(Console(stderr=True, highlight=False, markup=False)) as tell:
        done = campaign(
            target,
            source,
            methods,
            seeds=seeds,
            seed=seed,
            scratch=scratch,
            out=out,
            margin=margin,
            progress=tell,
            via=via,
            via_method=via_method,
            source_data=source_data,
            overwrite=overwrite,
            command=shlex.join(["headstart", *sys.argv[1:]]),
            **shared,
        )
    told = [Prose(wrote(done.folders))] if done.folders else []
    show([*results.view([run.outcome for run in done.runs], done.comparisons), *told], errors=on_stdout(json))
    write(json, campaign_json([run.outcome for run in done.runs], done.comparisons) + "\n")


def _source(model: str, ranking: Path | None) -> str:
    if (model == "best") != (ranking is not None):
        raise InputError("`--model best` and `--from RUN` belong together: the best source of a saved ranking.")
    return Ranking.load(ranking).best if ranking is not None else model
