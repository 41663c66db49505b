"""`headstart cluster`: groups of alike examples, without labels."""

from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._commands import command
from headstart.cli._options import (
    FORWARD,
    RESULT,
    Csv,
    Json,
    Models,
    Report,
    named,
    running_from,
)
from headstart.cli._output import Output
from headstart.cli._progress import shown
from headstart.errors import InputError

WHAT = "How to group"


@command(*FORWARD)
def cluster(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Whatever `headstart rank` or `headstart predict` reads; labels, if any, serve one table only.",
        ),
    ],
    models: Models = None,
    k: Annotated[str, named("--k", "-k", metavar="N", panel=WHAT, help="Clusters; auto chooses.")] = "auto",
    algorithm: Annotated[
        str, named(metavar="NAME", panel=WHAT, help="k-means, agglomerative, or hdbscan (finds the number itself).")
    ] = "k-means",
    select: Annotated[
        str, named(metavar="NAME", panel=WHAT, help="What chooses the source: stability, agreement or silhouette.")
    ] = "stability",
    map: Annotated[str, named(metavar="NAME", panel=WHAT, help="The map: pca, or umap (extra `umap`).")] = "pca",
    name_by: Annotated[
        str | None,
        named(metavar="NAME", panel=WHAT, help="Image-text pair that suggests names for clusters, as zoo/tiny_clip."),
    ] = None,
    names: Annotated[
        Path | None,
        named(metavar="FILE", panel=WHAT, help="Names it chooses from, one in each line; by default ImageNet's."),
    ] = None,
    out: Annotated[Path | None, named(metavar="DIR", panel=RESULT, help="Save clusters.json here.")] = None,
    report: Report = None,
    json: Json = None,
    csv: Csv = None,
    **running: Any,
) -> None:
    """Group alike examples in the features of pretrained models, without labels."""
    output = Output(json=json, csv=csv)
    from headstart.clusters import cluster as group

    with shown(output.errors) as progress:
        found = group(
            data,
            models,
            k=_number(k),
            algorithm=algorithm,
            select=select,
            map=map,
            name_by=name_by,
            names=names,
            out=out,
            report=report,
            progress=progress,
            **running_from(running),
        )
    output.finish(found, out and out / "clusters.json", report)


def _number(k: str) -> Any:
    if k == "auto":
        return k
    try:
        return int(k)
    except ValueError:
        raise InputError(f"`--k` must be auto or a whole number of clusters; got {k!r}.") from None
