"""`headstart export`: a saved transfer for use elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.errors import InputError


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `headstart transfer --out` wrote.")],
    onnx: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the network as ONNX.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Save again with `whole`, `adapter` or `merged` weights, into `--out`."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where `--weights` are saved.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another run in `--out`.")] = False,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Load checkpoints that can run code on this machine.")
    ] = False,
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
