"""`local-dir:PATH`: a folder with a model, told apart by what lies in it: timm, transformers, sentence-transformers."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from headstart.errors import ModelError, require
from headstart.records import Kind, ModelCard
from headstart.sources.candidate import Candidate
from headstart.sources.checkpoint import PICKLED, SAFETENSORS, check_plain, the_checkpoint
from headstart.sources.source import Source

PREFIX = "local-dir:"
Library = Literal["timm", "transformers", "sentence-transformers"]


def find(name: str, kind: Kind | None = None) -> list[Candidate]:
    """The one candidate that a folder holds.

    Raises:
        ModelError: The folder does not exist or holds no model that is known.
    """
    path = Path(name.removeprefix(PREFIX)).expanduser()
    file = path if path.is_file() else None
    folder = path.parent if file else path
    library, config = recognise(folder)
    if file and (library != "timm" or file.suffix not in (SAFETENSORS, *PICKLED)):
        raise ModelError(
            f"{name}: name the folder {folder}; a single file is for checkpoints beside timm's config.json."
        )
    return [_candidate(name, folder, file, library, config)]


def recognise(folder: Path) -> tuple[Library, dict[str, Any]]:
    """Which library wrote the folder, and its `config.json`.

    Raises:
        ModelError: There is no such folder, or none of the libraries wrote it.
    """
    if not folder.is_dir():
        raise ModelError(f"`local-dir:` needs a folder that holds a model; there is no folder {folder}.")
    config = _config(folder)
    if (folder / "modules.json").is_file():
        return "sentence-transformers", config
    if "architecture" in config:
        return "timm", config
    if "model_type" in config:
        return "transformers", config
    raise ModelError(
        f"{folder} holds no model that is known: a `config.json` of timm (with `architecture`) or transformers (with "
        "`model_type`), or a `modules.json` of sentence-transformers was expected. For another module, use "
        "`headstart.from_module` in Python."
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise ModelError(f"{path} is not JSON that can be read: {error}.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} must hold a JSON object; it holds a {type(config).__name__}.")
    return config


def _candidate(name: str, folder: Path, file: Path | None, library: Library, config: dict[str, Any]) -> Candidate:
    if library == "timm":
        return Candidate(ModelCard(name=name, kind="image"), partial(_load_timm, name, folder, file))
    if library == "transformers":
        from headstart.sources import transformers_models

        return transformers_models.local_candidate(name, folder)
    from headstart.sources import sentence

    return sentence.local_candidate(name, folder)


def _load_timm(name: str, folder: Path, file: Path | None, trust_pickle: bool) -> Source:
    from headstart.sources.timm_models import from_timm

    weights = file or the_checkpoint(folder, name)
    pickled = weights.suffix != SAFETENSORS
    if pickled and not trust_pickle:
        check_plain(weights, name)
    timm = require("timm", name, "image")
    try:
        # the very file that was checked; timm itself would look for the first of several
        overlay = {"source": "", "file": str(weights)}
        module = timm.create_model(f"{PREFIX}{folder}", pretrained=not pickled, pretrained_cfg_overlay=overlay)
        if pickled:
            timm.models.load_checkpoint(module, str(weights), weights_only=not trust_pickle)
    except (RuntimeError, OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ModelError(f"{name}: timm cannot load it: {error}") from error
    return from_timm(module, ModelCard(name=name, kind="image"))
