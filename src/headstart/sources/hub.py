"""Files of a model hub: from the local cache, else over the network.

Before a download one short request checks that the hub can be reached, so that a machine without a network gets an
error at once instead of minutes of retries.
"""

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import huggingface_hub
import torch
from huggingface_hub import constants, errors

from headstart.errors import ModelError, OfflineError

SECONDS_TO_ANSWER = 5
_Loaded = TypeVar("_Loaded")


def local_first(load: Callable[[bool], _Loaded], model: str) -> _Loaded:
    """`load(True)`, which reads the local cache only; where that fails `load(False)`, which may use the network.

    Raises:
        OfflineError: The model is not on this machine and there is no network.
        ModelError: It does not exist or cannot be loaded.
    """
    try:
        return load(True)
    except (OSError, ValueError):  # not in the cache, or not all of it
        require_network(model)
    try:
        return load(False)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{model}: cannot load it from the hub: {error}") from error


def cached_file(repo: str, names: Sequence[str]) -> Path | None:
    """The first of these files of a hub repository that is in the local cache."""
    for name in names:
        path = huggingface_hub.try_to_load_from_cache(repo, name)
        if isinstance(path, str):
            return Path(path)
    return None


def hub_file(repo: str, names: Sequence[str], *, model: str) -> Path:
    """The first of these files that the repository has, fetched if need be.

    Raises:
        OfflineError: It is not in the cache and the hub cannot be reached.
        ModelError: The repository, or each of the files, does not exist.
    """
    path = cached_file(repo, names)
    if path is not None:
        return path
    require_network(model)
    for name in names:
        try:
            return Path(huggingface_hub.hf_hub_download(repo, name))
        except errors.EntryNotFoundError:
            continue
        except errors.GatedRepoError as error:
            raise ModelError(
                f"{model}: the repository {repo} is gated. Accept its terms on the hub and run `hf auth login`."
            ) from error
        except errors.RepositoryNotFoundError as error:
            raise ModelError(f"{model}: the hub has no public repository {repo}. Check the spelling.") from error
    raise ModelError(f"{model}: the repository {repo} has no file {' or '.join(names)}.")


def require_network(model: str, url: str = "") -> None:
    """Raise OfflineError if the hub cannot be reached or HF_HUB_OFFLINE (at import of its library, or now) is set."""
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise OfflineError(
            f"{model} is not on this machine, and HF_HUB_OFFLINE forbids fetching it. "
            "Unset HF_HUB_OFFLINE, or name a model that is local (`headstart models` lists them)."
        )
    _reach(url or constants.ENDPOINT, model)


def url_is_cached(url: str) -> bool:
    """Whether torch's own cache holds the file of a plain download."""
    return (Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]).is_file()


def require_url(url: str, model: str) -> None:
    """The same for a plain download that is not in torch's cache yet; torch itself waits without a limit."""
    if not url_is_cached(url):
        require_network(model, url)


def _reach(url: str, model: str) -> None:
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "headstart"})
    try:
        urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError:
        return  # it answered; what is wrong with this address is for the download to say
    except (OSError, ValueError) as error:
        raise OfflineError(
            f"{model} is not on this machine and there is no network to fetch it ({error}). "
            "Connect and run again, or name a model that is local (`headstart models` lists them)."
        ) from error
