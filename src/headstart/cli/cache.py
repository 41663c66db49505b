"""`headstart cache`: what cached forward passes take, and making room."""

import json as to_json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from headstart.cli._commands import command
from headstart.cli._options import HOW, Cache, Json, named
from headstart.cli._output import check_places, on_stdout, show, write
from headstart.errors import InputError
from headstart.records.table import Prose, View, table
from headstart.store import Held, bytes_of, default_folder, folder_of, held, move, prune
from headstart.wording import magnitude, plural


@command(needs_words=False)
def cache(
    cache: Cache = None,
    max_size: Annotated[
        str | None,
        named(
            metavar="SIZE",
            panel=HOW,
            help="Delete the rows of the least recently used models until this much is left, such as 20GB. What a run "
            "is using stays.",
        ),
    ] = None,
    move_to: Annotated[
        Path | None, named("--move", metavar="DIR", panel=HOW, help="Move everything to another folder.")
    ] = None,
    json: Json = None,
) -> None:
    """List the cached forward passes by model, the most recently used first; make room, or move them."""
    check_places(json=json)
    if max_size is not None and move_to is not None:
        raise InputError("`--max-size` and `--move` exclude each other; prune first, then move.")
    root, told = folder_of(cache) or default_folder(), []
    if max_size is not None:
        gone = prune(root, bytes_of(max_size))
        told = [f"Deleted the rows of {plural(len(gone), 'model')}: {_size(sum(one.bytes for one in gone))}."]
    if move_to is not None:
        moved = move(root, move_to)
        told = [f"Moved {_size(moved)} from {root}. Name the new place with HEADSTART_CACHE={move_to} or `--cache`."]
        root = move_to
    found = held(root)
    write(json, to_json.dumps([asdict(one) for one in found], indent=2) + "\n")
    show(_view(root, found, told), errors=on_stdout(json))


def _view(root: Path, found: list[Held], told: list[str]) -> View:
    rows = [
        (
            one.source or one.fingerprint[:12],
            f"{one.rows:,}",
            _size(one.bytes),
            "in use" if one.busy else time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used)),
        )
        for one in found
    ]
    total = f"{root}: {plural(len(found), 'model')}, {_size(sum(one.bytes for one in found))}."
    return [*([table(("model", "rows", "size", "last used"), rows, words=1)] if rows else []), Prose((total, *told))]


def _size(count: int) -> str:
    return f"{magnitude(count).replace('B', 'G')}B"
