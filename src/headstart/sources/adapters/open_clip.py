"""`open_clip/NAME:PRETRAINED`: the image encoders of open_clip; their embedding is the features."""

from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError, ModelNameError, did_you_mean, require
from headstart.records import ModelCard
from headstart.sources.adapters import Adapter, adapter

if TYPE_CHECKING:
    from headstart.sources.source import Source


@adapter
class OpenClip(Adapter):
    """The CLIP models of open_clip, with published weights or with those of a file."""

    name = "open_clip"
    placeholder = "NAME:PRETRAINED"
    about = "image encoders of open_clip; PRETRAINED is one of its tags, or a file"
    example = "open_clip/ViT-B-32:laion2b_s34b_b79k"
    library = "open_clip"
    extra = "clip"
    network = True

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """The image encoder."""
        return image_source(*open_clip_model(card.name, trust_pickle), card)


def open_clip_model(name: str, trust_pickle: bool) -> tuple[Any, Any]:
    """The whole model and its preprocessing of images.

    Raises:
        ModelNameError: There is no such model; OfflineError: its weights are not here and there is no network;
            ModelError: it has no weights, or they cannot be loaded.
    """
    from headstart.sources.hub import require_network
    from headstart.sources.quiet import quiet_root

    open_clip = require("open_clip", f"`{name}`", OpenClip.extra)
    architecture, _, pretrained = name.removeprefix("open_clip/").partition(":")
    if architecture not in open_clip.list_models():
        hint = did_you_mean(architecture, open_clip.list_models())
        raise ModelNameError(f"open_clip has no model {architecture!r}.{hint}")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not pretrained and not tags:
        raise ModelError("open_clip has no weights for it; name a file after a colon.")
    weights = pretrained or tags[0]
    try:
        with quiet_root():
            model, _, transform = open_clip.create_model_and_transforms(
                architecture,
                pretrained=weights,
                weights_only=not trust_pickle,
                force_quick_gelu=trained_with_quick_gelu(architecture, weights),
            )
    except Exception as error:  # a library that downloads and unpickles may raise anything
        if weights in tags:
            require_network()
        raise ModelError(f"it cannot be loaded: {error}") from error
    return model.eval(), transform


def trained_with_quick_gelu(architecture: str, weights: str) -> bool:
    """Whether published weights need OpenAI's activation, which open_clip leaves out with no more than a warning."""
    open_clip = require("open_clip", f"`open_clip/{architecture}`", OpenClip.extra)
    return bool(open_clip.get_pretrained_cfg(architecture, weights).get("quick_gelu", False))


def image_source(model: Any, transform: Any, card: ModelCard) -> "Source":
    """The image side of a model as a source."""
    from headstart.sources.build import Preparation, build_source, stack
    from headstart.sources.fingerprint import canonical

    preparation = Preparation(transform, stack, canonical({"transform": str(transform)}))
    return build_source(model.visual, card, preparation, head=None)
