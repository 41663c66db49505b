"""Saved runs read from URLs, and results written to them by fsspec, through a folder on this machine."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp
from typing import Any

from headstart.errors import HeadstartError, WriteError, require
from headstart.wording import URL, without_secrets

READ = ("run", "runs")
WRITTEN = ("out", "report", "json", "csv", "markdown", "onnx", "history")
PREFIX = "headstart-out-"  # of the folder on this machine
WEB = ("http:/", "https:/")  # nothing can be written there


@contextmanager
def here(options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The options of a command with places on this machine for their URLs; what is written there is copied at the end.

    What a URL of `--out` holds is copied here first, so that a command that resumes does.

    Raises:
        WriteError: It cannot be copied; the text names the folder on this machine that has it.
    """
    given, sent = dict(options), []
    try:
        for name, value in options.items():
            if name in READ:
                given[name] = [read(one) for one in value] if isinstance(value, list) else read(value)
            elif name in WRITTEN and (url := _url(value)) and not url.startswith(WEB):
                given[name] = place = _place(url)
                sent += [(place, url)] if place.parts[-2].startswith(PREFIX) else []
        yield given
    finally:
        for place, url in sent:
            _send(place, url)


def _url(value: object) -> str:
    text = str(value)
    if "://" not in text:  # a path holds one of the slashes
        text = text.replace(":/", ":///" if text.startswith("file") else "://", 1)
    return text if URL.match(text) else ""


def read(value: Path) -> Path:
    """The place of a saved record: a copy on this machine, where it is a URL."""
    from headstart.data.remote import local

    return Path(str(local(url))) if (url := _url(value)) else value


def _system(url: str) -> tuple[Any, str]:
    fsspec = require("fsspec", f"writing to {without_secrets(url)}", "remote")
    try:
        system, path = fsspec.core.url_to_fs(url)
    except Exception as error:  # every protocol has a library with errors of its own
        said = without_secrets(str(error)).rstrip(".")
        raise WriteError(f"{without_secrets(url)} cannot be written: {said}. Check the address.") from error
    return system, path.rstrip("/")


def _place(url: str) -> Path:
    """A place on this machine with a copy of what the URL holds; a URL of this machine's own files is that place."""
    from headstart.data.remote import local

    system, root = _system(url)
    if "file" in system.protocol:
        return Path(root)
    place = Path(mkdtemp(prefix=PREFIX)) / root.rpartition("/")[2]
    try:
        if system.isdir(root):
            copytree(str(local(url)), place)
    except HeadstartError:
        rmtree(place.parent)
        raise
    except Exception as error:
        rmtree(place.parent)
        said = without_secrets(str(error)).rstrip(".")
        raise WriteError(
            f"{without_secrets(url)} cannot be read: {said}. Check the address and your access."
        ) from error
    return place


def _send(place: Path, url: str) -> None:
    try:
        system, root = _system(url)
        for file in (one for one in (place, *place.rglob("*")) if one.is_file()):
            to = root if file == place else f"{root}/{file.relative_to(place).as_posix()}"
            system.makedirs(to.rpartition("/")[0], exist_ok=True)
            system.put_file(str(file), to)
    except Exception as error:
        raise WriteError(
            f"{without_secrets(url)} cannot be written: {without_secrets(str(error)).rstrip('.')}. The result is in "
            f"{place}; copy it from there."
        ) from error
    if place.exists():
        print(f"Copied {place} to {without_secrets(url)}", file=sys.stderr)
    rmtree(place.parent)
