"""Commands on what was saved: `evaluate`, `predict`, `report`, `export`, `push` and `calibrate`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._commands import command
from headstart.cli._options import HOW, TrustPickle, named, reading_from, reading_options
from headstart.cli._output import check_places, on_stdout, show, write, wrote
from headstart.cli._urls import read
from headstart.errors import InputError
from headstart.records import Prose, check_destination
from headstart.records.stack import StackRecord

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `headstart transfer --out` wrote.")]


@command()
def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that `headstart transfer` wrote.")],
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="The metric to compare by.")] = None,
    margin: Annotated[float, typer.Option(min=0, metavar="X", help="Smallest difference that matters.")] = 0.01,
    level: Annotated[float, typer.Option(min=0.5, max=0.999, metavar="X", help="Coverage of the intervals.")] = 0.95,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the comparisons; - is standard output.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML page.")] = None,
) -> None:
    """Say what saved transfers gained over training from scratch, from their records alone."""
    from headstart.evaluation import evaluate as compare
    from headstart.report import write_results

    check_places(json=json)
    check_destination(report, folder=False)
    found = compare(runs, metric=metric, margin=margin, level=level)
    told = [Prose(wrote([write_results(found, report)]))] if report else []
    show([*found.view(), *told], errors=on_stdout(json))
    write(json, found.to_json() + "\n")


@command(*reading_options("text_column", "image_column", "split", "root", "download", "white_level"))
def predict(
    run: Run,
    inputs: Annotated[
        str,
        typer.Argument(
            metavar="INPUTS",
            help="Whatever `headstart rank` reads, labelled or not; also an image, or a file with a text per line.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write here (.csv or .json), not to standard output.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of CSV on standard output.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N")] = 64,
    trust_pickle: TrustPickle = False,
    **reading: Any,
) -> None:
    """Predict with a saved transfer: class and probabilities, or values, of every input."""
    from headstart.adaptation import Stacked, load_run, load_stack
    from headstart.data import open_unlabelled
    from headstart.transfers.answers import as_text, form_of, write_answers

    check_places(out=out)
    form = None if out is None or on_stdout(out) else form_of(out)  # before the work, not after
    if json and form == "csv":
        raise InputError(f"`--json` and `--out {out}` ask for two forms: name a .json file, or leave out `--json`.")
    loaded = (load_stack if (run / StackRecord.FILE).exists() else load_run)(run, trust_pickle=trust_pickle)
    first = loaded.runs[0] if isinstance(loaded, Stacked) else loaded
    how = reading_from(reading)
    how = replace(how, white_level=how.white_level or first.outcome.white_level)
    found = open_unlabelled(inputs, first.source.card.kind, reading=how)
    for note in found.notes:
        typer.echo(note, err=True)
    answers = loaded.predict(found.examples, found.ids, batch_size=batch_size)
    for name, reason in found.skipped.items():
        typer.echo(f"Skipped {name}: {reason}", err=True)
    if out is None or on_stdout(out):
        typer.echo(as_text(answers, "json" if json else "csv"), nl=False)
    else:
        write_answers(answers, out)
        typer.echo(f"Wrote {out}: {len(answers.ids)} predictions", err=True)


@command()
def report(
    saved: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="What a command wrote: the folder of `--out`, also of several runs, or a file.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the page here, not to report.html beside the records.", show_default=False
        ),
    ] = None,
) -> None:
    """Make the HTML page of a saved ranking, of transfers, a clustering or a project, without any model."""
    from headstart.loading import load_record
    from headstart.report import write_report

    run = read(saved)
    record = load_record(run)
    beside = Path() if run != saved else run if run.is_dir() else run.parent  # not in the copy of a URL
    place = out or beside / "report.html"
    check_destination(place, folder=False)
    typer.echo(f"Wrote {write_report(record, place)}")


@command()
def export(
    run: Run,
    onnx: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the network as ONNX.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Save again with `whole`, `adapter` or `merged` weights, into `--out`."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where `--weights` are saved.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another run in `--out`.")] = False,
    trust_pickle: TrustPickle = False,
) -> None:
    """Export a saved transfer: as ONNX, as its added part alone, or with that part folded in."""
    from headstart.adaptation import load_run
    from headstart.transfers.export import export_onnx
    from headstart.transfers.saved import check_copy, check_weights

    if onnx is None and weights is None:
        raise InputError("say what to export: `--onnx FILE`, or `--weights whole|adapter|merged --out DIR`.")
    if (weights is None) != (out is None):
        raise InputError("`--weights` and `--out` belong together.")
    if weights is not None and out is not None:
        check_weights(weights)
        check_copy(run, out, overwrite=overwrite)
    loaded = load_run(run, trust_pickle=trust_pickle)
    if onnx is not None:
        typer.echo(f"Wrote {export_onnx(loaded, onnx)}")
    if weights is not None and out is not None:
        typer.echo(f"Wrote {loaded.save(out, weights=weights)}")  # type: ignore[arg-type]  # checked above


@command()
def push(
    run: Run,
    repository: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Where it goes; made if it does not exist.")],
    private: Annotated[bool, named("--private", panel=HOW, help="Make a new repository private.")] = False,
    dry_run: Annotated[bool, named("--dry-run", panel=HOW, help="Send nothing; show what would be sent.")] = False,
    trust_pickle: TrustPickle = False,
) -> None:
    """Push a saved transfer to the Hugging Face hub, with a card of its results, its gain and its licence."""
    from headstart.transfers.push import push as push_run

    done = push_run(run, repository, private=private, dry_run=dry_run, trust_pickle=trust_pickle)
    show(done.view())
    if dry_run:
        typer.echo(f"\n{done.card}")  # as it is: it is Markdown


@command()
def calibrate(
    history: Annotated[
        Path, typer.Argument(metavar="DIR", help="What rank, transfer and run wrote with `--history DIR`.")
    ],
) -> None:
    """Learn forecasts from your own transfers, and check them on targets that were left out."""
    from headstart.ranking import calibrate as fit

    found = fit(history)
    show([*found.view(), Prose(wrote([history / ("calibration.json" if found.kept else "recorded.csv")]))])
