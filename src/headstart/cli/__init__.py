"""The command `headstart`: one file per command, each of which parses, calls, prints and exits."""

import atexit
import gc
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

import headstart
from headstart.cli._commands import CONTEXT, VERBOSE, VariadicCommand, WithAdded, be_verbose
from headstart.cli._guard import guarded
from headstart.cli._output import check_places, on_stdout, present

if TYPE_CHECKING:
    from headstart.cli._options import Workers, named

__all__ = ["VariadicCommand", "Workers", "app", "check_places", "guarded", "main", "named", "on_stdout", "present"]

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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("headstart.cli._options"), name)  # brings how data are read, and the kinds of models


def main() -> None:
    """Run the command named on the command line and exit."""
    atexit.register(gc.freeze)  # Python's last search for cycles takes seconds among the objects of torch
    app()
