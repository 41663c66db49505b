"""`local-dir:PATH`: a folder that timm, transformers or sentence-transformers saved, told apart by what lies in it."""

import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headstart.errors import ModelError, ModelNameError, require
from headstart.records import Kind, ModelCard
from headstart.sources import facts
from headstart.sources.adapters import ADAPTERS, Adapter, Candidate, adapter, broken, files_in, is_glob

if TYPE_CHECKING:
    from headstart.sources.source import Source

Library = Literal["timm", "transformers", "sentence-transformers"]
EXAMPLE = '{"architecture": "resnet50", "num_classes": 10}'


@adapter
class LocalFolder(Adapter):
    """A folder that timm, transformers or sentence-transformers saved, or a checkpoint beside timm's config.json."""

    name = "local-dir"
    separator = ":"
    placeholder = "PATH"
    about = (
        "a folder that timm, transformers or sentence-transformers saved; a glob of such folders; or one checkpoint "
        f"beside a config.json such as {EXAMPLE}"
    )
    example = "local-dir:my_model/"
    media = ("image", "text")

    def find(self, model: str, kind: Kind | None) -> list[Candidate]:
        """The candidate for one folder or file, or for each of a glob's that holds a model."""
        pattern = model.removeprefix(self.prefix)
        if not is_glob(pattern) or Path(pattern).exists():
            return [self.candidate(model)]
        paths = [Path(path) for path in sorted(glob(str(Path(pattern).expanduser())))]
        names = [f"{self.prefix}{path}" for path in paths if _may_be_model(path)]
        if not names:
            raise ModelNameError(f"no folder that fits `{model}` holds a model; {len(paths)} paths fit.")
        found = []
        for name in names:
            try:
                found.append(self.candidate(name))
            except ModelError as error:
                found.append(broken(name, kind, error))
        return found

    def card(self, name: str) -> ModelCard:
        """What the model in the folder reads, and its licence."""
        folder, _, library = self._parts(name)
        return replace(self._card(name, folder, library), license=_licence(folder))

    def _card(self, name: str, folder: Path, library: Library) -> ModelCard:
        if library == "timm":
            architecture = str(_config(folder)["architecture"])
            return ModelCard(name, "image", family=architecture, **facts.timm_size(architecture)._asdict())
        if library == "sentence-transformers":
            ADAPTERS["st"].check_installed()
            return ModelCard(name=name, kind="text")
        from headstart.sources.adapters.hf import folder_kind

        ADAPTERS["hf"].check_installed()
        return ModelCard(name=name, kind=folder_kind(folder))

    def folder(self, name: str) -> Path | None:
        """The folder that is named."""
        return self._parts(name)[0]

    def files(self, card: ModelCard) -> tuple[Path, ...]:
        """All files in the folder."""
        return files_in(self._parts(card.name)[0])

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Load the folder with the library that wrote it."""
        from headstart.sources.adapters import hf, st
        from headstart.sources.checkpoint import refuse_adapter, refuse_code

        folder, file, library = self._parts(card.name)
        if library == "timm":
            files_in(folder)
            return _load_timm(card, folder, file, trust_pickle)
        refuse_adapter(folder)
        refuse_code(folder, trust_pickle=trust_pickle)
        if library == "transformers":
            return hf.load_folder(folder, card, trust_pickle)
        return st.load_folder(folder, card, trust_pickle)

    def _parts(self, name: str) -> tuple[Path, Path | None, Library]:
        """The folder, the file in it that was named, if any, and the library that wrote the folder."""
        path = Path(name.removeprefix(self.prefix)).expanduser()
        file = path if path.is_file() else None
        folder = path.parent if file else path
        if file and not (folder / "config.json").is_file():
            raise ModelError(
                f"a checkpoint does not say which network it belongs to. Put a config.json beside it, such as "
                f"{EXAMPLE}, with an architecture of timm (`headstart models 'timm/*'` lists them).",
            )
        library = recognise(folder)
        if file and (library != "timm" or file.suffix not in (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".tar")):
            raise ModelError("name its folder; a single file is for checkpoints beside timm's config.json.")
        return folder, file, library


def recognise(folder: Path) -> Library:
    """Which library wrote the folder.

    Raises:
        ModelError: There is no such folder, or none of the libraries wrote it.
    """
    if not folder.is_dir():
        raise ModelError("there is no such folder; `local-dir:` needs one that holds a model.")
    config = _config(folder)
    if not config:
        from headstart.sources.checkpoint import refuse_adapter

        refuse_adapter(folder)
    if (folder / "modules.json").is_file():
        return "sentence-transformers"
    if "architecture" in config:
        return "timm"
    if "model_type" in config:
        return "transformers"
    raise ModelError(
        f"the folder holds no model of a known library: expected a `config.json` of timm, such as {EXAMPLE}, or of "
        "transformers (with `model_type`), or a `modules.json` of sentence-transformers. For another module, use "
        "`headstart.from_module` in Python."
    )


def _may_be_model(path: Path) -> bool:
    parts = ("config.json", "modules.json", "adapter_config.json")
    return path.suffix == ".safetensors" or any((path / part).exists() for part in parts)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise ModelError(f"its config.json is not JSON that can be read: {error}.") from error
    if not isinstance(config, dict):
        raise ModelError(f"its config.json must hold a JSON object; it holds a {type(config).__name__}.")
    return config


def _licence(folder: Path) -> str | None:
    """What timm's config.json or the head of a model's README.md states."""
    config = _config(folder)
    nested = config.get("pretrained_cfg")
    stated = config.get("license") or (nested.get("license") if isinstance(nested, dict) else None)
    with suppress(Exception):  # a README.md that is not read costs a model no more than its licence
        from huggingface_hub.repocard import metadata_load

        stated = stated or (metadata_load(folder / "README.md") or {}).get("license")
    return stated if isinstance(stated, str) else None


def _load_timm(card: ModelCard, folder: Path, file: Path | None, trust_pickle: bool) -> "Source":
    from headstart.sources.checkpoint import (
        INDEX,
        SAFETENSORS,
        check_plain,
        check_size,
        refuse_wrapped,
        shards,
        the_checkpoint,
    )
    from headstart.sources.timm_modules import from_timm

    weights = file or the_checkpoint(folder)
    whole = weights.suffix == SAFETENSORS
    pickled = not whole and weights.name != INDEX
    if pickled and not trust_pickle:
        check_plain(weights)
    timm = require("timm", card.name, "image")
    build = partial(timm.create_model, f"local-dir:{folder}")
    try:
        # the very file that was checked; timm itself would look for the first of several
        read = {"file": str(weights)} if whole or pickled else {"state_dict": shards(weights)}
        build = partial(build, pretrained_cfg_overlay={"source": "", **read})
        check_size(partial(build, pretrained=False))
        module = build(pretrained=not pickled)
        if pickled:
            timm.models.load_checkpoint(module, str(weights), weights_only=not trust_pickle)
    except ModelError:
        raise
    except Exception as error:  # a folder of anybody's makes timm and safetensors raise anything
        refuse_wrapped(weights, partial(build, pretrained=False))
        raise ModelError(f"timm cannot load it: {type(error).__name__}: {error}") from error
    return from_timm(module, card)
