"""Finds the classifier of a module by watching one forward pass, never by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.errors import ModelError
from headstart.sources.network import TOKENS, Recorder, Token, answering, call, of_tokens


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
