"""Data behind a URL (`s3://`, `hf://`, `https://`, `zip::`): copied here once, then read like local files."""

import shutil
import urllib.request
from functools import cache
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from headstart.errors import HeadstartError, MissingExtra, OfflineError, TargetError, require
from headstart.wording import URL, without_secrets

ID = "letters, digits, `-`, `_` and `.`, without an address before it"  # what the name of a repository holds


def local(spec: object) -> object:
    """The path of a copy, where `spec` is the URL of a file or folder; anything else as it is."""
    if not isinstance(spec, str) or not URL.match(spec):
        return spec
    return _http(spec) if spec.casefold().startswith(("http://", "https://")) else _fsspec(spec)


def is_repository(name: str) -> bool:
    """Whether a hub takes a name for a repository.

    Example:
        >>> is_repository("owner/model"), is_repository("https://hub.org/owner/model")
        (True, False)
    """
    try:
        require("huggingface_hub.utils", "a name on the hub", "image").validate_repo_id(name)
    except ValueError:
        return False
    return True


@cache
def _folder(url: str, version: str) -> TemporaryDirectory[str]:
    """Where the copy of one version of a URL lies until this process ends."""
    return TemporaryDirectory(prefix="headstart-")


def _http(url: str) -> Path:
    shown = without_secrets(url)
    try:
        with urllib.request.urlopen(url) as answer:
            kept = [answer.headers.get(name) for name in ("ETag", "Last-Modified", "Content-Length")]
            name = PurePosixPath(unquote(urlsplit(url).path)).name or "data"
            path = Path(_folder(url, repr(kept)).name) / name
            if path.exists():
                return path
            part = path.with_name(f".{name}.part")
            with part.open("wb") as file:
                shutil.copyfileobj(answer, file)
            if kept[2] is not None and part.stat().st_size != int(kept[2]):
                raise OfflineError(f"{shown} ended after {part.stat().st_size} of {kept[2]} bytes. Run again.")
            return part.rename(path)
    except HeadstartError:
        raise
    except (HTTPException, OSError, ValueError) as error:
        raise OfflineError(f"{shown} cannot be read: {error}. Check the address and the network.") from error


def _fsspec(url: str) -> Path:
    """A copy made by fsspec, which finds credentials in its own places; a file on this machine is not copied."""
    shown = without_secrets(url)
    fsspec = require("fsspec", f"reading {shown}", "remote")
    try:
        system, path = fsspec.core.url_to_fs(url)
        if isinstance(system, fsspec.implementations.local.LocalFileSystem):
            return Path(path)
        return _copied(system, path, url)
    except HeadstartError:
        raise
    except ImportError as error:  # the protocol needs a package of its own
        raise MissingExtra(f"reading {shown} needs another package: {error}.") from error
    except FileNotFoundError as error:
        raise TargetError(f"{shown} does not exist. Check the address.") from error
    except (OSError, ValueError) as error:
        told = without_secrets(str(error))
        raise OfflineError(f"{shown} cannot be read: {told}. Check the address and your access.") from error


def _copied(system: Any, path: str, url: str) -> Path:
    """A file, or all files under a folder, of a file system of fsspec."""
    if not system.exists(path):
        raise FileNotFoundError(path)
    found = {path: system.info(path)} if system.isfile(path) else system.find(path, detail=True)
    version = sorted((name, info.get("size"), str(info.get("created"))) for name, info in found.items())
    name = PurePosixPath(path).name or PurePosixPath(url.rsplit("::")[-1]).stem
    place = Path(_folder(url, repr(version)).name) / name
    if not place.exists():
        part = place.with_name(f".{name}.part")
        for file in found:
            inside = PurePosixPath() if file == path else PurePosixPath(file).relative_to(PurePosixPath(path))
            if ".." in inside.parts:
                raise TargetError(f"{without_secrets(url)} holds the path {inside}, which leads out of it.")
            (part / inside).parent.mkdir(parents=True, exist_ok=True)
            system.get_file(file, str(part / inside))
        part.rename(place)
    return place
