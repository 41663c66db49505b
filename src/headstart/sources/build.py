"""From a module and its preprocessing to a `Source`: the one place where all kinds of models come together."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from headstart.data.media import MEDIA
from headstart.errors import InputError, ModelError
from headstart.records import ModelCard
from headstart.sources.fingerprint import Snapshot, digest_of, fingerprint, outputs_hash, probe_examples
from headstart.sources.head import HeadFound, find_heads, heads_named
from headstart.sources.network import TappedNetwork, TokenMeans, channels_last, placed, share_weights
from headstart.sources.own_code import own_code
from headstart.sources.source import Source

UNSHARED = "part of its code has no source text, so its cached rows are used by this process only"
Head = str | tuple[str, ...] | None | Literal["auto"]


@dataclass(frozen=True)
class Preparation:
    """A model's own preprocessing: of one example, of a batch, and its canonical description."""

    prepare: Callable[[object], object]
    collate: Callable[[list[Any]], object]
    description: str


def stack(examples: list[Tensor]) -> Tensor:
    """Join prepared images to one batch (b, c, h, w)."""
    return torch.stack(examples)


def build_source(
    module: nn.Module,
    card: ModelCard,
    preparation: Preparation,
    *,
    head: Head = "auto",
    classes: Sequence[str] | None = None,
    classifies: bool = True,
) -> Source:
    """A source from a module: tapped at its head, checked on two examples, hashed.

    Args:
        module: It is not changed.
        card: What is known; parameters, classes and input size are filled in from the module.
        preparation: The model's own preprocessing.
        head: Dotted name of the classifier (several if the model averages them), None without one, "auto" to find it.
        classes: Names of the source's classes, in the order of the logits.
        classifies: False for a regression head: its input is the features and there are no logits.

    Raises:
        ModelError: The module does not run on its own preprocessing, or `head` is not one of its layers.
    """
    clone = on_cpu(share_weights(module)).eval()
    batch = probe_batch(preparation, card)
    found = _heads(clone, batch, head)
    tapped = TappedNetwork(clone, **vars(found), classifies=classifies)
    turned, (features, logits) = _first_pass(tapped, batch)
    if features.ndim != 2 or (logits is not None and logits.ndim != 2):
        shapes = [tuple(x.shape) for x in (features, logits) if x is not None]
        raise ModelError(f"features and logits must have shape (examples, width); got {shapes}.")
    width = None if logits is None else logits.shape[1]
    if width == 1:  # one output is a regression, or a yes/no without a second class: no distribution over classes
        tapped.classifies, width = False, None
    source = finish(module, card, preparation, tapped, found.heads, width, classes, batch)
    return replace(source, channels_last=turned)


def _first_pass(
    network: TappedNetwork, batch: Tensor | Mapping[str, Tensor]
) -> tuple[bool, tuple[Tensor, Tensor | None]]:
    """Whether the network accepts images and weights with channels last in memory; and its outputs."""
    with torch.inference_mode():
        if isinstance(batch, Tensor) and batch.ndim == 4:
            try:
                return True, placed(network, "cpu", turn=True)(channels_last(batch))
            except RuntimeError:  # `x.view(len(x), -1)` after a convolution wants the usual order
                return False, network(batch)
        return True, network(batch)


def on_cpu(clone: nn.Module) -> nn.Module:
    """The clone itself if its weights are on the CPU, else a copy there; ModelError on the meta device."""
    devices = {tensor.device.type for tensor in (*clone.parameters(), *clone.buffers())}
    if "meta" in devices:
        raise ModelError(f"{type(clone).__name__} is on the meta device: it has no weights. Load them first.")
    return clone if devices <= {"cpu"} else copy.deepcopy(clone).to("cpu")


def finish(
    module: nn.Module,
    card: ModelCard,
    preparation: Preparation,
    network: nn.Module,
    heads: tuple[str, ...],
    width: int | None,
    classes: Sequence[str] | None,
    batch: object,
) -> Source:
    """The source: the card filled in from the module, and a hash of what decides the numbers."""
    if classes is not None and width is not None and len(classes) != width:
        raise InputError(f"`classes` names {len(classes)} classes, but {card.name} has {width} outputs.")
    layer = f"input of {' and '.join(heads)}" if heads else "output"
    layer = "mean of the tokens" if isinstance(network, TokenMeans) else layer
    size = card.input_size
    if isinstance(batch, Tensor) and batch.ndim == 4:
        size = (batch.shape[1], batch.shape[2], batch.shape[3])
    snapshot = Snapshot.of(module)
    before_sigmoid = width is not None and getattr(network, "results", None) is not None
    rows = f"{layer}, logits before the sigmoid" if before_sigmoid else layer
    (own, known), (around, known_too) = own_code(module), own_code(preparation.prepare, preparation.collate)
    code = digest_of(*own, *around, *((outputs_hash(network, batch),) if own else ()))
    parameters = sum(p.numel() for p in module.parameters())
    return Source(
        card=replace(card, parameters=parameters, num_classes=width, input_size=size),
        module=module,
        network=network,
        prepare=preparation.prepare,
        collate=preparation.collate,
        head=heads[0] if heads else None,
        layer=layer,
        fingerprint=fingerprint(module, snapshot.weights, preparation.description, rows),
        code=code if own or around else "",
        classes=tuple(classes) if classes is not None and width is not None else None,
        snapshot=snapshot,
        notes=() if known and known_too else (f"{card.name}: {UNSHARED}",),
    )


def probe_batch(preparation: Preparation, card: ModelCard) -> Tensor | Mapping[str, Tensor]:
    """Two fixed examples through the preprocessing; ModelError if that fails or gives no batch."""
    try:
        batch = preparation.collate([preparation.prepare(example) for example in probe_examples(card.kind)[:2]])
    except Exception as error:  # the caller's own code may raise anything
        raise ModelError(f"the preprocessing failed on an example ({card.kind}): {error!r}.") from error
    if MEDIA[card.kind].pictures and not (isinstance(batch, Tensor) and batch.is_floating_point()):
        raise ModelError(
            f"`prepare` must turn a PIL image into a float tensor (c, h, w); got a batch of "
            f"{type(batch).__name__}{f' of {batch.dtype}' if isinstance(batch, Tensor) else ''}.",
        )
    return batch  # type: ignore[return-value]


def _heads(clone: nn.Module, batch: Tensor | Mapping[str, Tensor], head: Head) -> HeadFound:
    heads = () if head is None else (head,) if isinstance(head, str) else tuple(head)
    try:
        if head == "auto":
            return find_heads(clone, batch)
        _check_names(clone, heads)
        return heads_named(clone, batch, heads)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        shapes = tuple(batch.shape) if isinstance(batch, Tensor) else list(batch)
        raise ModelError(f"the model fails on the output of its own preprocessing (batch {shapes}): {error}") from error


def _check_names(clone: nn.Module, heads: tuple[str, ...]) -> None:
    known = dict(clone.named_modules())
    for name in heads:
        if name not in known or not name:
            linear = [n for n, m in known.items() if isinstance(m, nn.Linear | nn.Conv2d)]
            raise ModelError(
                f"`head={name!r}` is not a layer of {type(clone).__name__}. "
                f"Its last linear layers and convolutions: {', '.join(linear[-5:]) or 'none'}."
            )
