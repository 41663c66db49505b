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
from headstart.sources.network import (
    TOKENS,
    Recorder,
    TappedNetwork,
    Token,
    TokenMeans,
    answering,
    call,
    channels_last,
    of_tokens,
    placed,
    share_weights,
)
from headstart.sources.own_code import own_code
from headstart.sources.source import Source


@dataclass(frozen=True)
class HeadFound:
    """Dotted names of the classifier (several if the model averages them), and what the model returns."""

    heads: tuple[str, ...]
    probabilities: bool  # the output is a softmax already
    token: Token = "mean"  # for a head that reads every token: the token whose result the model returns
    sigmoid: bool = False  # the output is a sigmoid of the head's result, as in multi-label models


def find_heads(model: nn.Module, batch: Tensor | Mapping[str, Tensor]) -> HeadFound:
    """The layers that produce the output of `model`, which must be in eval mode.

    Candidates are linear layers and convolutions that ran once and have as many outputs as the model. The head is the
    one whose result is the output (pooled, of one token, or through a softmax or sigmoid), or all of them if the output
    is their mean. A single candidate is also taken if it orders the classes as the output does (a norm follows it), or
    each class of the output depends on that class alone (a prior or a scale follows).

    Raises:
        ModelError: No layer, or more than one, could be the head; the text lists them.
    """
    layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    output, results = _watch(model, batch, layers)
    if output.ndim != 2:
        raise ModelError(
            f"the output of {type(model).__name__} must have shape (examples, classes); got {tuple(output.shape)}. "
            "If it is an embedding, pass `head=None`."
        )
    probabilities = looks_like_probabilities(output)
    tokens = {name: _token(out, output, probabilities) for name, out in results.items()}
    candidates = {name: answering(out, model, batch, tokens[name]) for name, out in results.items()}
    candidates = {name: out for name, out in candidates.items() if out.shape == output.shape}
    heads = _matching(candidates, output, probabilities)
    if not heads and len(candidates) == 1 and _class_by_class(model, batch, next(iter(candidates)), output):
        heads = tuple(candidates)
    if not heads:
        raise ModelError(_not_found(model, output.shape[1], list(candidates), list(results)))
    return HeadFound(heads, probabilities, tokens[heads[0]], _is_sigmoid(candidates[heads[0]], output))


def heads_named(model: nn.Module, batch: Tensor | Mapping[str, Tensor], heads: tuple[str, ...]) -> HeadFound:
    """The same for heads that the caller names."""
    output, results = _watch(model, batch, heads)
    probabilities = output.ndim == 2 and looks_like_probabilities(output)
    result = results.get(heads[0]) if heads else None
    token = _token(result, output, probabilities) if isinstance(result, Tensor) else "mean"
    sigmoid = isinstance(result, Tensor) and _is_sigmoid(answering(result, model, batch, token), output)
    return HeadFound(heads, probabilities, token, sigmoid)


def looks_like_probabilities(output: Tensor) -> bool:
    """Rows of at least two numbers that are not negative and sum to one: the model ends in a softmax."""
    rows_sum_to_one = bool(((output.sum(dim=1) - 1).abs() < 1e-3).all())
    return output.shape[1] > 1 and bool((output >= 0).all()) and rows_sum_to_one


def _watch(
    model: nn.Module, batch: Tensor | Mapping[str, Tensor], layers: Sequence[str]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The model's output, and what those of the layers that ran once returned."""
    watches = {name: Recorder() for name in layers}
    handles = [model.get_submodule(name).register_forward_hook(watch) for name, watch in watches.items()]
    try:
        with torch.inference_mode():
            output = call(model, batch)
    finally:
        for handle in handles:
            handle.remove()
    return output, {name: watch.seen[0] for name, watch in watches.items() if len(watch.seen) == 1}


def _matching(candidates: dict[str, Tensor], output: Tensor, probabilities: bool) -> tuple[str, ...]:
    exact = tuple(name for name, x in candidates.items() if _same(x, output, probabilities))
    if len(exact) == 1:
        return exact
    if not exact and len(candidates) > 1:
        mean = torch.stack(list(candidates.values())).mean(dim=0)
        return tuple(candidates) if _same(mean, output, probabilities) else ()
    return tuple(name for name, x in candidates.items() if not exact and _orders_alike(x, output))


def _same(result: Tensor, output: Tensor, probabilities: bool) -> bool:
    """Whether a layer's result is the model's output, as it is or through a softmax, its logarithm or a sigmoid."""
    x, y = result.float(), output.float()
    forms = [x.softmax(dim=-1)] if probabilities else [x, x.log_softmax(dim=-1), x.sigmoid()]
    return x.shape == y.shape and any(torch.allclose(form, y, rtol=1e-4, atol=1e-6) for form in forms)


def _is_sigmoid(result: Tensor, output: Tensor) -> bool:
    x, y = result.float(), output.float()
    return x.shape == y.shape and torch.allclose(x.sigmoid(), y, rtol=1e-4, atol=1e-6)


def _orders_alike(result: Tensor, output: Tensor) -> bool:
    return bool((output.float().gather(1, result.argsort(dim=1)).diff(dim=1) >= -1e-6).all())


def _class_by_class(model: nn.Module, batch: Tensor | Mapping[str, Tensor], name: str, output: Tensor) -> bool:
    """Whether a change to the first class of the layer's result changes that class of the output and no other."""

    def moved(layer: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> Tensor:
        other = result.clone()
        other.select(1 if result.ndim == 4 else result.ndim - 1, 0).add_(1)
        return other

    handle = model.get_submodule(name).register_forward_hook(moved)
    try:
        with torch.inference_mode():
            changed = ~torch.isclose(call(model, batch).float(), output.float(), rtol=1e-4, atol=1e-6)
    finally:
        handle.remove()
    return bool(changed[:, 0].any() and not changed[:, 1:].any())


def _token(result: Tensor, output: Tensor, probabilities: bool) -> Token:
    """The token whose result the model returns, for a head that reads every token (b, t, z)."""
    if result.ndim != 3:
        return "mean"
    return next((token for token in TOKENS if _same(of_tokens(result, token), output, probabilities)), "mean")


def _not_found(model: nn.Module, classes: int, candidates: list[str], ran: list[str]) -> str:
    names = ", ".join(f"`{name}`" for name in candidates)
    if candidates:
        what = f"none of the layers with {classes} outputs alone gives the model's output: {names}"
    else:
        names = ", ".join(f"`{name}`" for name in ran[-5:]) or "none"
        what = f"no linear layer or convolution has the model's {classes} outputs; the last ones that ran: {names}"
    return (
        f"cannot find the head of {type(model).__name__}: {what}. "
        "Name it with `head=`, or pass `head=None` if the output is an embedding."
    )


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
