"""The command `headstart`: one file per command, each of which parses, calls, prints and exits."""

import atexit
import gc
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import typer

import headstart
from headstart.cli._commands import VERBOSE, VariadicCommand, WithAdded, be_verbose
from headstart.cli._guard import guarded
from headstart.cli._options import (
    Workers,
    epilog_of,
    named,
    reading_options,
    running_options,
    with_methods,
    with_options,
)
from headstart.cli._output import check_places, on_stdout, present
from headstart.cli.adapt import EPILOG as ADAPT_EPILOG
from headstart.cli.adapt import adapt
from headstart.cli.benchmark import benchmark
from headstart.cli.cache import cache
from headstart.cli.cluster import cluster
from headstart.cli.few_shot import few_shot
from headstart.cli.models import models
from headstart.cli.rank import EPILOG as RANK_EPILOG
from headstart.cli.rank import rank
from headstart.cli.run import run
from headstart.cli.saved import calibrate, evaluate, export, predict, push, report
from headstart.cli.scores import scores
from headstart.cli.transfer import EPILOG as TRANSFER_EPILOG
from headstart.cli.transfer import transfer
from headstart.cli.zero_shot import zero_shot

__all__ = ["VariadicCommand", "Workers", "app", "check_places", "guarded", "main", "named", "on_stdout", "present"]

CONTEXT = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="headstart",
    cls=WithAdded,
    help="Which pretrained model gives your task a head start?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=CONTEXT,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"headstart {headstart.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option(VERBOSE, help="Also print what the models' libraries report, and bounds that do not hold.")
    ] = False,
) -> None:
    if verbose:
        be_verbose()


FORWARD = (*running_options(without=("workers", "history")), *reading_options())
PROJECT = (*running_options(without=("limit", "batch_size", "workers")), *reading_options())
TRAINING = {
    "transfer": running_options(without=("limit", "seed", "batch_size")),
    "adapt": running_options(without=("limit", "seed", "batch_size", "history")),
}
UNLABELLED = reading_options("text_column", "image_column", "split", "root", "download", "white_level")
needing = partial(app.command, cls=VariadicCommand, no_args_is_help=True)
needing("rank", epilog=RANK_EPILOG)(guarded(with_options(rank, *running_options(), *reading_options())))
needing("run")(guarded(with_options(run, *PROJECT), resumes=True))
needing("transfer")(guarded(with_options(transfer, *TRAINING["transfer"]), resumes=True))
needing("adapt")(guarded(with_options(adapt, *TRAINING["adapt"]), resumes=True))
needing("evaluate")(guarded(evaluate))
needing("few-shot")(guarded(with_options(few_shot, *FORWARD)))
needing("predict")(guarded(with_options(predict, *UNLABELLED)))
needing("cluster")(guarded(with_options(cluster, *FORWARD)))
needing("zero-shot")(guarded(with_options(zero_shot, *FORWARD)))
needing("report")(guarded(report))
needing("export")(guarded(export))
needing("push")(guarded(push))
needing("calibrate")(guarded(calibrate))
app.command(cls=VariadicCommand)(guarded(models))
app.command(cls=VariadicCommand)(guarded(scores))
app.command(cls=VariadicCommand)(guarded(benchmark))
app.command(cls=VariadicCommand)(guarded(cache))


@WithAdded.whole("transfer")
def _transfer() -> typer.Typer:
    """The command with the options of every method, which are read when it is used: they need torch."""
    from headstart.transfers import METHODS

    return _alone(transfer, METHODS, TRANSFER_EPILOG)


@WithAdded.whole("adapt")
def _adapt() -> typer.Typer:
    """The command with the options of every method of adaptation."""
    from headstart.adaptation import ADAPTATIONS

    return _alone(adapt, ADAPTATIONS, ADAPT_EPILOG)


def _alone(command: Callable[..., None], methods: Mapping[str, type[Any]], examples: str) -> typer.Typer:
    """An application of one command, with the options of these methods."""
    only = typer.Typer(add_completion=False, rich_markup_mode="rich", context_settings=CONTEXT)
    made = guarded(with_methods(command, methods, *TRAINING[command.__name__]), resumes=True)
    only.command(cls=VariadicCommand, no_args_is_help=True, epilog=epilog_of(methods, examples))(made)
    return only


def main() -> None:
    """Run the command named on the command line and exit."""
    atexit.register(gc.freeze)  # Python's last search for cycles takes seconds among the objects of torch
    app()
