"""`torchvision/NAME`: torchvision's classifiers with their DEFAULT weights and the transforms those weights bring."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.adapters import Adapter, adapter

if TYPE_CHECKING:
    from headstart.sources.source import Source


@adapter
class Torchvision(Adapter):
    """The image classifiers of torchvision."""

    name = "torchvision"
    about = "torchvision's pretrained image classifiers: `headstart models 'torchvision/*'` lists them"
    example = "torchvision/resnet18"
    library = "torchvision"
    network = True
    listed = True

    def names(self) -> Sequence[str]:
        """All image classifiers of torchvision."""
        library = _library()
        return [self.prefix + name for name in library.list_models(module=library)]

    def card(self, name: str) -> ModelCard:
        """What torchvision says of the model's DEFAULT weights."""
        from headstart.sources import hub

        weights = self._weights(name)
        meta = weights.meta
        top1 = meta.get("_metrics", {}).get("ImageNet-1K", {}).get("acc@1")
        size = weights.transforms().crop_size[0]
        return ModelCard(
            name=name,
            kind="image",
            family=_library().get_model_builder(name.removeprefix(self.prefix)).__module__.rpartition(".")[2],
            parameters=meta.get("num_params"),
            input_size=(3, size, size),
            num_classes=len(meta["categories"]),
            imagenet_top1=None if top1 is None else round(top1 / 100, 5),
            trained_on="Instagram-3.6B, then ImageNet-1k" if "SWAG" in weights.name else "ImageNet-1k",
            license=meta.get("license"),  # most weights state none
            url=meta.get("recipe"),
            products=None if meta.get("_ops") is None else meta["_ops"] * 1e9,
            local=hub.url_is_cached(weights.url),
        )

    def classes(self, card: ModelCard) -> tuple[str, ...]:
        """The categories that torchvision lists."""
        return tuple(self._weights(card.name).meta["categories"])

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Build the model with its DEFAULT weights, from torch's cache or the network; code in them is never run."""
        from headstart.sources import hub
        from headstart.sources.build import Preparation, build_source, stack
        from headstart.sources.preparation import ImageTransform

        weights = self._weights(card.name)
        hub.require_url(weights.url)
        try:
            # torchvision would unpickle what it downloads; this reads the same cached file as plain tensors first
            weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
            module = _library().get_model(card.name.removeprefix(self.prefix), weights=weights, progress=False)
        except (OSError, RuntimeError) as error:
            raise ModelError(f"cannot load its weights: {error}") from error
        transform = weights.transforms()
        preparation = Preparation(ImageTransform(transform), stack, repr(transform))
        return build_source(module.eval(), card, preparation, classes=weights.meta["categories"])

    def _weights(self, name: str) -> Any:
        return _library().get_model_weights(name.removeprefix(self.prefix)).DEFAULT


def _library() -> Any:
    import headstart.torchvision_ops  # noqa: F401  makes torchvision load beside a CPU build of torch

    import torchvision.models  # isort: skip

    return torchvision.models
