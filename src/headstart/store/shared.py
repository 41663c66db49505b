"""A cache at an fsspec URL: finished rows go there from every machine, and come from there before they are read."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from headstart.errors import CacheError, HeadstartError, require
from headstart.wording import without_secrets

if sys.platform == "win32":
    from pathlib import WindowsPath as LocalPath
else:
    from pathlib import PosixPath as LocalPath


SUFFIX = ".rows"  # of the index of a segment; its other files have the same stem


class SharedFolder(LocalPath):
    """The folder on this machine that holds copies of what a cache at a URL has; `at` makes one.

    Another process that receives it makes a folder of its own from the URL.
    """

    url = ""  # none for the paths below the folder

    @classmethod
    def at(cls, url: str) -> Path:
        """The folder for a URL; a URL of this machine's own files is that folder itself.

        Raises:
            CacheError: The URL cannot be used; MissingExtra: it needs a package.
        """
        with _faults(url):
            system, path = _opened(url)
            if isinstance(system, require("fsspec.implementations.local", "`--cache URL`", "remote").LocalFileSystem):
                return Path(path)
        folder = cls(usual_folder() / "shared" / blake2b(url.encode(), digest_size=12).hexdigest())
        folder.url = url
        return folder

    def __reduce__(self) -> str | tuple[Any, ...]:
        return (SharedFolder.at, (self.url,)) if self.url else super().__reduce__()

    def pull(self, folder: Path) -> None:
        """Copy the segments in a folder below this one that are not here yet, the index of each after its rows."""
        with _faults(self.url):
            system, root = _opened(self.url)
            remote = f"{root}/{folder.relative_to(self).as_posix()}"
            system.invalidate_cache()
            names = system.ls(remote, detail=False) if system.exists(remote) else []  # ftp lists without the folder
            there = sorted((Path(name) for name in names), key=lambda path: path.suffix == SUFFIX)
            new = {path.stem for path in there if path.suffix == SUFFIX and not (folder / path.name).exists()}
            for path in there:
                if path.stem in new:
                    folder.mkdir(parents=True, exist_ok=True)
                    part = folder / f".{path.name}.{os.getpid()}.part"
                    system.get_file(f"{remote}/{path.name}", str(part))
                    part.replace(folder / path.name)

    def push(self, folder: Path, segment: str) -> None:
        """Copy a finished segment to the URL, its index last."""
        with _faults(self.url):
            system, root = _opened(self.url)
            remote = f"{root}/{folder.relative_to(self).as_posix()}"
            system.makedirs(remote, exist_ok=True)
            for path in sorted(folder.glob(f"{segment}.*"), key=lambda path: path.suffix == SUFFIX):
                system.put_file(str(path), f"{remote}/{path.name}")


def usual_folder() -> Path:
    """This platform's folder for caches."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "headstart"


def _opened(url: str) -> tuple[Any, str]:
    system, path = require("fsspec", "`--cache URL`", "remote").core.url_to_fs(url)
    return system, path.rstrip("/")


@contextmanager
def _faults(url: str) -> Iterator[None]:
    try:
        yield
    except HeadstartError:
        raise
    except Exception as error:  # every protocol has a library with errors of its own
        raise CacheError(
            f"the cache at {without_secrets(url)} cannot be used: {without_secrets(str(error)).rstrip('.')}. Check the "
            "address and your access, or name a folder with `--cache FOLDER`."
        ) from error
