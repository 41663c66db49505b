"""`timm/NAME`: pretrained models of timm, with the preprocessing each was trained for."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError, ModelNameError, did_you_mean
from headstart.records import Kind, ModelCard
from headstart.sources import facts
from headstart.sources.adapters import Adapter, Candidate, adapter, is_glob, matching

if TYPE_CHECKING:
    from headstart.sources.source import Source


@adapter
class Timm(Adapter):
    """Every model of timm that has pretrained weights."""

    name = "timm"
    about = "timm's pretrained image models: `headstart models 'timm/*'` lists them"
    example = "timm/resnet50"
    library = "timm"
    network = True
    listed = True

    def names(self) -> Sequence[str]:
        """All models with pretrained weights, tag included: `timm/resnet18.a1_in1k`."""
        return [self.prefix + name for name in _timm().list_models(pretrained=True)]

    def card(self, name: str) -> ModelCard:
        """What timm knows of a model without building it."""
        config = _timm().get_pretrained_cfg(name.removeprefix(self.prefix))
        return ModelCard(
            name=name,
            kind="image",
            input_size=tuple(config.input_size),
            num_classes=config.num_classes or None,
            imagenet_top1=facts.imagenet_top1(name),
            trained_on=facts.trained_on(config.tag),
            license=config.license,
            url=config.origin_url,
            local=bool(_cached(config)),
        )

    def find(self, model: str, kind: Kind | None) -> list[Candidate]:
        """Candidates for a name or a glob; a name without a tag means the weights that timm calls default."""
        self.check_installed()
        if not is_glob(model):
            return [self.candidate(self.prefix + _resolve(model.removeprefix(self.prefix)))]
        names = self.names()
        found = matching(model, names) or matching(model + ".*", names)
        if not found:
            raise ModelNameError(f"no pretrained timm model fits `{model}`.{did_you_mean(model, names)}")
        return [self.candidate(name) for name in found]

    def files(self, card: ModelCard) -> tuple[Path, ...]:
        """The cached file of weights."""
        config = _timm().get_pretrained_cfg(card.name.removeprefix(self.prefix))
        path = _cached(config)
        return (path,) if isinstance(path, Path) and config.custom_load != "hf" else ()

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Build the model with its weights, from the cache or the hub."""
        from headstart.sources import hub
        from headstart.sources.timm_modules import from_timm

        model = card.name.removeprefix(self.prefix)
        config = _timm().get_pretrained_cfg(model)
        overlay: dict[str, Any] = {}
        if config.custom_load == "hf":
            hub.hub_file(config.hf_hub_id, (config.hf_hub_filename,), model=card.name)
        elif config.hf_hub_id:
            overlay = {"file": str(hub.hub_file(config.hf_hub_id, _files(config), model=card.name))}
            overlay["custom_load"] = False
        else:
            hub.require_url(config.url, card.name)
        try:
            module = _timm().create_model(model, pretrained=True, pretrained_cfg_overlay=overlay)
        except (RuntimeError, OSError, KeyError) as error:
            raise ModelError(f"{card.name}: cannot load its weights: {error}") from error
        return from_timm(module, card)


def _timm() -> Any:
    import headstart.torchvision_ops  # noqa: F401  before timm, which imports torchvision

    import timm  # isort: skip

    return timm


def _resolve(name: str) -> str:
    """The full name of a pretrained model, its tag included; a random network is never ranked."""
    timm = _timm()
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        known = timm.list_models(pretrained=bool(tag))
        raise ModelNameError(f"timm has no model `{name}`.{_near(name, known)}")
    if not timm.is_model_pretrained(name):
        pretrained = timm.list_models(f"{architecture}.*", pretrained=True)
        if pretrained:
            raise ModelNameError(f"timm has no weights `{tag}` for {architecture}.{_near(name, pretrained)}")
        raise ModelNameError(
            f"timm has no pretrained weights for `{name}`, and a random network has nothing to transfer. "
            "`headstart models 'timm/*'` lists the models that have weights."
        )
    config = timm.get_pretrained_cfg(name)
    return f"{architecture}.{config.tag}" if config.tag else architecture


def _near(name: str, known: Sequence[str]) -> str:
    return did_you_mean(f"timm/{name}", [f"timm/{one}" for one in known])


def _files(config: Any) -> tuple[str, ...]:
    return (config.hf_hub_filename,) if config.hf_hub_filename else ("model.safetensors", "pytorch_model.bin")


def _cached(config: Any) -> Path | bool | None:
    from headstart.sources import hub

    return hub.cached_file(config.hf_hub_id, _files(config)) if config.hf_hub_id else hub.url_is_cached(config.url)
