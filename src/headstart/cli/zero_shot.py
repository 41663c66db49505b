"""`headstart zero-shot`: classes that have names and no examples."""

from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._options import (
    RESULT,
    Csv,
    Json,
    named,
    running_from,
)
from headstart.cli._output import Output, on_stdout, show, write
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
    labelled: Annotated[
        str | None,
        named(
            metavar="DATA",
            panel=WHAT,
            help="Labelled examples: they calibrate the temperature, and an image model without a text encoder learns "
            "from them how its features go with names, of other classes too (ESZSL).",
        ),
    ] = None,
    unseen: Annotated[
        str | None,
        named(
            metavar="NAME,...",
            panel=WHAT,
            help="Judge any image model on these classes of DATA after learning the others, by names alone (ESZSL).",
        ),
    ] = None,
    out: Annotated[Path | None, named(metavar="DIR", panel=RESULT, help="Save zero-shot.json here.")] = None,
    json: Json = None,
    csv: Csv = None,
    **running: Any,
) -> None:
    """Classify images by the names of their classes, with image-text pairs such as CLIP."""
    output = Output(json=json, csv=csv)
    if not models:
        raise InputError("`--models` is missing: name an image-text pair, for example zoo/tiny_clip.")
    if unseen:
        for option, value in (("--labelled", labelled), ("--out", out), ("--csv", csv)):
            if value is not None:
                raise InputError(f"`{option}` has no effect with `--unseen`, which learns from DATA. Leave one out.")
        _judge(data, models, unseen, class_names, running, output)
        return
    from headstart.zeroshot import zero_shot as classify

    with shown(output.errors) as progress:
        found = classify(
            data,
            models,
            class_names=class_names,
            templates=templates,
            labelled=labelled,
            out=out,
            progress=progress,
            **running_from(running),
        )
    output.finish(found, out and out / "zero-shot.json")


def _judge(
    data: str, models: list[str], unseen: str, class_names: Path | None, running: dict[str, Any], output: Output
) -> None:
    """Learn the other classes, and print how well these are recognised."""
    from headstart.data import limit, open_target
    from headstart.store import folder_of
    from headstart.zeroshot import predict_unseen

    options = running_from(running)
    target = open_target(data, reading=options["reading"])
    target = target if options["limit"] is None else limit(target, options["limit"], options["seed"])
    for model in models:
        found = predict_unseen(
            target,
            model,
            [name.strip() for name in unseen.split(",")],
            class_names=class_names,
            cache=folder_of(options["cache"]),
            seed=options["seed"],
        )
        write(output.json, found.to_json() + "\n")
        show(found.view(), errors=on_stdout(output.json))
