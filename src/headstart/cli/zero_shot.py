"""`headstart zero-shot`: classes that have names and no examples."""

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
    NoCache,
    Seed,
    TrustPickle,
    cache_of,
    named,
    reading_from,
)
from headstart.cli._output import Output
from headstart.cli._progress import shown
from headstart.errors import InputError

WHAT = "Classes and prompts"


def zero_shot(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Whatever `headstart rank` reads; or images without labels, with names."),
    ],
    models: Annotated[
        list[str] | None,
        named(
            *("--models", "-m"),
            metavar="NAME...",
            help="Image-text pairs: zoo/tiny_clip, hf/ID, local-dir:PATH, or open_clip/NAME:PRETRAINED (extra `clip`).",
            show_default=False,
        ),
    ] = None,
    class_names: Annotated[
        Path | None,
        named(
            metavar="FILE",
            panel=WHAT,
            help="What to call the classes: a CSV file with a class and its name in each line; for images without "
            "labels, a name in each line.",
        ),
    ] = None,
    templates: Annotated[
        str,
        named(metavar="NAME,...", panel=WHAT, help="Sets of prompts: names, plain, imagenet, or text files with {}."),
    ] = "plain",
    limit: Annotated[int | None, named(min=1, metavar="N", panel=DATA, help="Use N examples.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    batch_size: BatchSize = None,
    cache: Cache = None,
    no_cache: NoCache = False,
    trust_pickle: TrustPickle = False,
    out: Annotated[Path | None, named(metavar="DIR", panel=RESULT, help="Save zero-shot.json here.")] = None,
    json: Json = None,
    csv: Annotated[
        str | None,
        named("--csv", metavar="FILE", panel=RESULT, help="Write one line per example; - is standard output."),
    ] = None,
    **reading: Any,
) -> None:
    """Classify images by the names of their classes, with image-text pairs such as CLIP."""
    output = Output(json=json, csv=csv)
    if not models:
        raise InputError("`--models` is missing: name an image-text pair, for example zoo/tiny_clip.")
    from headstart.zeroshot import zero_shot as classify

    with shown(output.errors) as progress:
        found = classify(
            data,
            models,
            class_names=class_names,
            templates=templates,
            limit=limit,
            seed=seed,
            device=device,
            batch_size=batch_size,
            cache=cache_of(cache, no_cache),
            trust_pickle=trust_pickle,
            out=out,
            reading=reading_from(reading),
            progress=progress,
        )
    output.finish(found, out and out / "zero-shot.json")
