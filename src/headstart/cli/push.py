"""`headstart push`: a saved transfer on the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli._options import HOW, TrustPickle, named
from headstart.cli._output import show


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `headstart transfer --out` wrote.")],
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
