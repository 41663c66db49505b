"""`headstart calibrate`: forecasts that learn from your own rankings and transfers."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli._output import show, wrote
from headstart.records.table import Prose


def calibrate(
    history: Annotated[
        Path, typer.Argument(metavar="DIR", help="What rank, transfer and run wrote with `--history DIR`.")
    ],
) -> None:
    """Learn forecasts from your own transfers, and check them on targets that were left out."""
    from headstart.ranking import calibrate as fit

    found = fit(history)
    show([*found.view(), Prose(wrote([history / ("calibration.json" if found.kept else "recorded.csv")]))])
