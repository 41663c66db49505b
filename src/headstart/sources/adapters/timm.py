"""`timm/NAME`: pretrained models of timm, with the preprocessing each was trained for."""

from collections.abc import Sequence
from dataclasses import replace
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
        timm, (model, revision) = _timm(), _parted(name)
        config, architecture = timm.get_pretrained_cfg(model), model.partition(".")[0]
        return ModelCard(
            name=name,
            kind="image",
            **facts.timm_size(architecture)._asdict(),
            family=timm.models.model_entrypoint(architecture).__module__.rpartition(".")[2],
            input_size=tuple(config.input_size),
            num_classes=config.num_classes or None,
            imagenet_top1=facts.imagenet_top1(name),
            trained_on=facts.trained_on(config.tag),
            license=config.license,
            url=config.origin_url,
            local=bool(_cached(config, revision)),
        )

    def find(self, model: str, kind: Kind | None) -> list[Candidate]:
        """Candidates for a name or a glob; a name without a tag means the weights that timm calls default."""
        self.check_installed()
        if not is_glob(model):
            named, at, revision = model.removeprefix(self.prefix).partition("@")
            return [self.candidate(self.prefix + _resolve(named) + at + revision)]
        names = self.names()
        found = matching(model, names) or matching(model + ".*", names)
        if not found:
            raise ModelNameError(f"no pretrained timm model fits `{model}`.{did_you_mean(model, names)}")
        return [self.candidate(name) for name in found]

    def files(self, card: ModelCard) -> tuple[Path, ...]:
        """The cached file of weights."""
        model, revision = _parted(card.name)
        config = _timm().get_pretrained_cfg(model)
        path = _cached(config, revision)
        return (path,) if isinstance(path, Path) and config.custom_load != "hf" else ()

    def classes(self, card: ModelCard) -> tuple[str, ...]:
        """Those of ImageNet, where their number says which list it is."""
        from headstart.sources.timm_modules import imagenet_names

        return imagenet_names(card.num_classes) or ()

    def fetch(self, card: ModelCard) -> None:
        """The file of weights."""
        from headstart.sources import hub

        model, revision = _parted(card.name)
        config = _timm().get_pretrained_cfg(model)
        if config.hf_hub_id and config.custom_load != "hf":
            hub.hub_file(config.hf_hub_id, _files(config), revision=revision)

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Build the model with its weights, from the cache or the hub."""
        from headstart.sources import hub
        from headstart.sources.timm_modules import from_timm

        model, revision = _parted(card.name)
        config = _timm().get_pretrained_cfg(model)
        if revision and (config.custom_load == "hf" or not config.hf_hub_id):
            raise ModelError(f"its weights have no revisions. Leave out `@{revision}`.")
        overlay: dict[str, Any] = {}
        if config.custom_load == "hf":
            hub.hub_file(config.hf_hub_id, (config.hf_hub_filename,))
        elif config.hf_hub_id:
            file = hub.hub_file(config.hf_hub_id, _files(config), revision=revision)
            overlay = {"file": str(file), "custom_load": False}
            card = replace(card, revision=hub.commit_of(config.hf_hub_id, _files(config), revision))
        else:
            hub.require_url(config.url)
        try:
            module = _timm().create_model(model, pretrained=True, pretrained_cfg_overlay=overlay)
        except (RuntimeError, OSError, KeyError) as error:
            raise ModelError(f"cannot load its weights: {error}") from error
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


def _parted(name: str) -> tuple[str, str | None]:
    """The model's name in timm, and the revision of its repository, of `timm/NAME@REVISION`."""
    from headstart.sources import hub

    return hub.parted(name.partition("/")[2])


def _cached(config: Any, revision: str | None) -> Path | bool | None:
    from headstart.sources import hub

    if not config.hf_hub_id:
        return hub.url_is_cached(config.url)
    return hub.cached_file(config.hf_hub_id, _files(config), revision)
