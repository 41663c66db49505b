"""`headstart cluster`: groups of alike examples, without labels."""

from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._options import (
    DATA,
    RESULT,
    BatchSize,
    Cache,
    Device,
    Json,
    Models,
    NoCache,
    Report,
    Seed,
    TrustPickle,
    cache_of,
    named,
    reading_from,
)
from headstart.cli._output import Output
from headstart.cli._progress import shown
from headstart.errors import InputError

WHAT = "How to group"


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
    limit: Annotated[int | None, named(min=1, metavar="N", panel=DATA, help="Use N examples.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    batch_size: BatchSize = None,
    cache: Cache = None,
    no_cache: NoCache = False,
    trust_pickle: TrustPickle = False,
    out: Annotated[Path | None, named(metavar="DIR", panel=RESULT, help="Save clusters.json here.")] = None,
    report: Report = None,
    json: Json = None,
    csv: Annotated[
        str | None,
        named("--csv", metavar="FILE", panel=RESULT, help="Write one line per example; - is standard output."),
    ] = None,
    **reading: Any,
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
            limit=limit,
            seed=seed,
            device=device,
            batch_size=batch_size,
            cache=cache_of(cache, no_cache),
            trust_pickle=trust_pickle,
            out=out,
            report=report,
            reading=reading_from(reading),
            progress=progress,
        )
    output.finish(found, out and out / "clusters.json", report)


def _number(k: str) -> Any:
    if k == "auto":
        return k
    try:
        return int(k)
    except ValueError:
        raise InputError(f"`--k` must be auto or a whole number of clusters; got {k!r}.") from None
