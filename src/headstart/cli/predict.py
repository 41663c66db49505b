"""`headstart predict`: a saved transfer on new inputs, as CSV or JSON."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._options import reading_from
from headstart.cli._output import check_places, on_stdout
from headstart.errors import InputError


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `headstart transfer --out` wrote.")],
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
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Load checkpoints that can run code on this machine.")
    ] = False,
    **reading: Any,
) -> None:
    """Predict with a saved transfer: class and probabilities, or values, of every input."""
    from headstart.adaptation import load_run
    from headstart.data import open_unlabelled
    from headstart.transfers.answers import as_text, form_of, write_answers

    check_places(out=out)
    form = None if out is None or on_stdout(out) else form_of(out)  # before the work, not after
    if json and form == "csv":
        raise InputError(f"`--json` and `--out {out}` ask for two forms: name a .json file, or leave out `--json`.")
    loaded = load_run(run, trust_pickle=trust_pickle)
    how = reading_from(reading)
    how = replace(how, white_level=how.white_level or loaded.outcome.white_level)
    found = open_unlabelled(inputs, loaded.source.card.kind, reading=how)
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
