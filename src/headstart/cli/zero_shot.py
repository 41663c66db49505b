"""`headstart zero-shot`: classes that have names and no examples."""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from headstart.cli._commands import command
from headstart.cli._options import (
    FORWARD,
    RESULT,
    Csv,
    Json,
    named,
    running_from,
)
from headstart.cli._output import RANKED, SOME_FAILED, Output, on_stdout, show, write, wrote
from headstart.cli._progress import shown
from headstart.errors import InputError, ModelError
from headstart.records.table import Prose
from headstart.wording import one_line

WHAT = "Classes and prompts"


@command(*FORWARD)
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
        str | None,
        named(
            metavar="NAME,...",
            panel=WHAT,
            help="Sets of prompts: names, plain, imagenet, or text files with {}; by default plain for image-text "
            "pairs, names for other models.",
        ),
    ] = None,
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
        _judge(data, models, unseen, {"class_names": class_names, "templates": templates or "names"}, running, output)
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
    data: str, models: list[str], unseen: str, how: dict[str, Any], running: dict[str, Any], output: Output
) -> NoReturn:
    """Learn the other classes, and print how well these are recognised; exit with 3 where some models failed."""
    from headstart.data import limit, open_target
    from headstart.sources import candidates
    from headstart.store import folder_of
    from headstart.zeroshot import Unseen, predict_unseen

    options = running_from(running)
    reading, most, seed = (options.pop(name) for name in ("reading", "limit", "seed"))
    options |= {"cache": folder_of(options["cache"]), "max_bad": reading.max_bad}
    target = open_target(data, reading=reading)
    target = (target if most is None else limit(target, most, seed)).held()
    found: list[Unseen] = []
    failures: list[str] = []
    for model in [one.name for one in candidates(models, kind=target.kind)]:
        try:
            with shown(output.errors) as progress:
                names = [name.strip() for name in unseen.split(",")]
                found.append(predict_unseen(target, model, names, seed=seed, progress=progress, **how, **options))
        except ModelError as error:
            failures.append(one_line(str(error)))
    if not found:
        raise InputError(f"no model could be used: {failures[0]}")
    texts = [one.to_json() for one in found]
    write(output.json, (texts[0] if len(models) == 1 == len(texts) else f"[{', '.join(texts)}]") + "\n")
    view = [part for one in found for part in one.view()]
    view += [Prose(tuple(failures), "failure", "Failed")] if failures else []
    view += [Prose(wrote([Path(output.json)]))] if output.json and not on_stdout(output.json) else []
    show(view, errors=on_stdout(output.json))
    raise typer.Exit(SOME_FAILED if failures else RANKED)
