"""`local-dir:PATH`: a folder with a model, told apart by what lies in it: timm, transformers, sentence-transformers."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Literal

from headstart.errors import ModelError
from headstart.records import Kind, ModelCard
from headstart.sources.candidate import Candidate
from headstart.sources.checkpoint import refuse_code
from headstart.sources.source import Source

PREFIX = "local-dir:"
Library = Literal["timm", "transformers", "sentence-transformers"]


def find(name: str, kind: Kind | None = None) -> list[Candidate]:
    """The one candidate that a folder holds.

    Raises:
        ModelError: The folder does not exist or holds no model that is known.
    """
    folder = Path(name.removeprefix(PREFIX)).expanduser()
    library, config = recognise(folder)
    return [_candidate(name, folder, library, config)]


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
        "`headstart.sources.from_module` in Python."
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} must hold a JSON object; it holds a {type(config).__name__}.")
    return config


def _candidate(name: str, folder: Path, library: Library, config: dict[str, Any]) -> Candidate:
    if library == "timm":
        return Candidate(ModelCard(name=name, kind="image"), partial(_load_timm, name, folder))
    if library == "transformers":
        from headstart.sources import transformers_models

        return transformers_models.local_candidate(name, folder)
    from headstart.sources import sentence

    return sentence.local_candidate(name, folder)


def _load_timm(name: str, folder: Path, trust_pickle: bool) -> Source:
    import timm
    from safetensors import SafetensorError
    from timm.models import load_checkpoint

    from headstart.sources.timm_models import from_timm

    refuse_code(folder, name, trust_pickle=trust_pickle)
    weights = [path for path in sorted(folder.iterdir()) if path.suffix in (".pt", ".pth", ".bin")]
    unpickled = trust_pickle and not any(folder.glob("*.safetensors")) and bool(weights)
    try:
        module = timm.create_model(f"{PREFIX}{folder}", pretrained=not unpickled)
        if unpickled:  # timm's own loader has no way to be told that the file is trusted
            load_checkpoint(module, str(weights[0]), weights_only=False)
    except (RuntimeError, OSError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"{name}: timm cannot load it: {error}") from error
    return from_timm(module, ModelCard(name=name, kind="image"))
