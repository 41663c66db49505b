"""Files of a model hub: from the local cache, else over the network, whole and checked.

Before a download one short request checks that the hub can be reached, so that a machine without a network gets an
error at once instead of minutes of retries.
"""

import errno
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import TypeVar

import huggingface_hub
from huggingface_hub import constants, errors

from headstart.data.remote import ID, is_repository
from headstart.errors import ModelError, OfflineError

SECONDS_TO_ANSWER = 5
PAUSES = (1.0, 4.0)  # seconds before the second and the third try of a hub that fails on its side
WEIGHTS = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
SMALL = ("*.json", "*.txt", "*.model", "*.jinja")  # configurations and tokenizers
TENSORS = ("model.safetensors", "model-*-of-*.safetensors", "[0-9]*_*/*.safetensors")
PICKLES = ("pytorch_model.bin", "pytorch_model-*-of-*.bin", "[0-9]*_*/pytorch_model.bin")
SHA256 = re.compile(r"[0-9a-f]{64}")
_Loaded = TypeVar("_Loaded")


def parted(name: str) -> tuple[str, str | None]:
    """A name and its revision, as in `owner/model@revision`.

    Example:
        >>> parted("owner/model@v1"), parted("owner/model")
        (('owner/model', 'v1'), ('owner/model', None))

    Raises:
        ModelError: No hub takes such a name.
    """
    repo, _, revision = name.partition("@")
    if not is_repository(repo):
        raise ModelError(
            f"this cannot be a name on the hub. Expected OWNER/NAME of {ID}, as in hf/google/vit-base-patch16-224; a "
            "folder on this machine is local-dir:PATH."
        )
    return repo, revision or None


def local_first(load: Callable[[], _Loaded], repo: str, revision: str | None = None) -> _Loaded:
    """What `load` makes of the local cache; where that fails the repository is fetched, and `load` called again.

    Raises:
        OfflineError: The model is not on this machine and there is no network.
        ModelError: It does not exist or cannot be loaded.
    """
    try:
        return load()
    except (OSError, ValueError):  # not in the cache, or not all of it
        fetch(repo, revision)
    try:
        return load()
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"cannot load it from the hub: {error}") from error


def fetch(repo: str, revision: str | None) -> Path:
    """The folder of a repository's configuration, tokenizer and weights, all of them fetched if need be.

    Weights are taken from safetensors where the repository has them. What is there already is not fetched again.

    Raises:
        OfflineError: The hub cannot be reached.
        ModelError: The repository or the revision does not exist or is not open, or what was sent is not what it lists.
    """
    require_network()
    with explained(repo, revision):
        listed = _patiently(lambda: huggingface_hub.model_info(repo, revision=revision)).siblings or ()
        names = [file.rfilename for file in listed]
        tensors = any(Path(name).suffix == ".safetensors" for name in names)
        wanted = [*SMALL, *(TENSORS if tensors else PICKLES)]
        folder = Path(
            _patiently(lambda: huggingface_hub.snapshot_download(repo, revision=revision, allow_patterns=wanted))
        )
        for file in folder.rglob("*"):
            check_content(file)
    return folder


def cached_file(repo: str, names: Sequence[str], revision: str | None = None) -> Path | None:
    """The first of these files of a hub repository that is in the local cache."""
    for name in names:
        path = huggingface_hub.try_to_load_from_cache(repo, name, revision=revision)
        if isinstance(path, str):
            return Path(path)
    return None


def commit_of(repo: str, names: Sequence[str], revision: str | None = None) -> str | None:
    """The commit that the cached files of a repository belong to."""
    path = cached_file(repo, names, revision)
    parts = path.parts if path else ()
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def cached_repositories() -> list[str]:
    """Names of the model repositories in the local cache, whole or not."""
    folder = Path(constants.HF_HUB_CACHE)
    return sorted(path.name.removeprefix("models--").replace("--", "/") for path in folder.glob("models--*"))


def hub_file(repo: str, names: Sequence[str], revision: str | None = None) -> Path:
    """The first of these files that the repository has, fetched if need be.

    Raises:
        OfflineError: The repository is not in the cache and the hub cannot be reached.
        ModelError: The repository, or each of the files, does not exist.
    """
    path = cached_file(repo, names, revision)
    if path is not None:
        return path
    require_network()
    for name in names:
        with explained(repo, revision), suppress(errors.RemoteEntryNotFoundError):
            download = lambda name=name: huggingface_hub.hf_hub_download(repo, name, revision=revision)  # noqa: E731
            return check_content(Path(_patiently(download)))
    raise ModelError(f"the repository {repo} has no file {' or '.join(names)}.")


def check_content(path: Path) -> Path:
    """The path of a cached file, if its content has the checksum that the hub listed, where it listed one.

    Raises:
        ModelError: It does not; the file is deleted, so that it is fetched again.
    """
    blob = path.resolve()
    if not SHA256.fullmatch(blob.name) or not blob.is_file():
        return path  # small files are listed by another hash, which only the hub can compute
    with blob.open("rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    if found != blob.name:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise ModelError(
            f"{path.name} has the checksum {found[:12]}..., but the hub lists {blob.name[:12]}...: it was "
            "damaged on its way and has been deleted. Run again to fetch it anew.",
        )
    return path


@contextmanager
def explained(repo: str, revision: str | None) -> Iterator[None]:
    """Errors of the hub's library inside the block as ours, each with the next step."""
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"the repository {repo} is gated. Accept its terms on the hub and run `hf auth login`."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"the hub has no public repository {repo}. Check the spelling; for a private one run `hf auth login`.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"the repository {repo} has no revision {revision}. Check the spelling.") from error
    except errors.HfHubHTTPError as error:
        raise _refused(repo, error.response.status_code) from error
    except errors.LocalEntryNotFoundError as error:  # the hub's library gave up on the network
        cause = getattr(error.__cause__, "response", None)
        raise _refused(repo, None if cause is None else cause.status_code) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                f"no room left in {constants.HF_HUB_CACHE} to download it. Free some space, or set "
                "HF_HUB_CACHE to a folder on another disk.",
            ) from error
        raise OfflineError(f"the download of {repo} failed ({error}). Run again.") from error


def _refused(repo: str, status: int | None) -> ModelError:
    if status in (401, 403):
        return ModelError(f"the hub refuses access to {repo} ({status}). Run `hf auth login`.")
    if status == 429:
        return OfflineError("the hub limits requests (429). Wait some minutes, or run `hf auth login`.")
    answer = "does not answer" if status is None else f"answers with an error of its own ({status})"
    return OfflineError(f"the hub {answer}, so {repo} cannot be fetched. Run again later.")


def _patiently(call: Callable[[], _Loaded]) -> _Loaded:
    """What a call returns; where the hub fails on its side, it is asked again after a pause."""
    for pause in PAUSES:
        try:
            return call()
        except errors.HfHubHTTPError as error:
            if error.response.status_code < 500:
                raise
            time.sleep(pause)
    return call()


def reachable() -> bool:
    """Whether the hub may be used and answers."""
    try:
        require_network()
    except OfflineError:
        return False
    return True


def require_network(url: str = "") -> None:
    """Raise OfflineError if the hub cannot be reached or HF_HUB_OFFLINE (at import of its library, or now) is set."""
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise OfflineError(
            "it is not on this machine, and HF_HUB_OFFLINE forbids fetching it. "
            "Unset HF_HUB_OFFLINE, or name a model that is local (`headstart models` lists them).",
        )
    _reach(url or constants.ENDPOINT)


def url_is_cached(url: str) -> bool:
    """Whether torch's own cache holds the file of a plain download."""
    return url.rsplit("/", 1)[-1] in cached_urls()


def cached_urls() -> set[str]:
    """Names of the files of plain downloads in torch's own cache."""
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return set(os.listdir(folder)) if folder.is_dir() else set()


def require_url(url: str) -> None:
    """The same for a plain download that is not in torch's cache yet; torch itself waits without a limit."""
    if not url_is_cached(url):
        require_network(url)


def _reach(url: str) -> None:
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "headstart"})
    try:
        urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError:
        return  # it answered; what is wrong with this address is for the download to say
    except (OSError, ValueError) as error:
        raise OfflineError(
            f"it is not on this machine and there is no network to fetch it ({error}). "
            "Connect and run again, or name a model that is local (`headstart models` lists them).",
        ) from error
