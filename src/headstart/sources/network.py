"""One forward pass that returns features and logits, without editing the caller's module.

The module's structure is cloned and its weights are shared, so hooks and eval mode live on the clone only. A forward
pre-hook on the clone's classifier keeps its input until the same pass has read it, so the network can be traced,
exported and compiled. Two passes of ONE network must not overlap in time; copies share nothing but weights.
"""

import copy
from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from headstart.errors import ModelError

TINY = torch.finfo(torch.float32).tiny
Token = Literal["mean", "first", "last"]
TOKENS: tuple[Token, ...] = get_args(Token)


def share_weights(module: nn.Module) -> nn.Module:
    """A clone of the module's structure with the very same weights; ModelError if Python cannot copy it."""
    shared: dict[int, object] = {}
    for part in module.modules():
        # tensors kept as plain attributes (old-style weight norm) cannot be deep-copied, so they are shared as well
        tensors = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        tensors += [value for value in vars(part).values() if isinstance(value, Tensor)]
        shared.update({id(tensor): tensor for tensor in tensors})
    try:
        return copy.deepcopy(module, shared)
    except (TypeError, RuntimeError) as error:
        raise ModelError(
            f"{type(module).__name__} cannot be wrapped, because part of it cannot be copied: {error}. "
            "Keep locks, files and generators out of the module."
        ) from error


def channels_last(tensor: Tensor) -> Tensor:
    """A tensor of four axes with its second last in memory; any other as it is."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def placed(network: nn.Module, device: torch.device | str, *, turn: bool) -> nn.Module:
    """A copy of the network on `device`, in eval mode, that shares every tensor that may stay as it is.

    `turn` gives tensors of four axes (weights of convolutions) channels-last memory order.
    """
    copied = share_weights(network).eval()
    moved: dict[int, tuple[Tensor, Tensor]] = {}  # tied weights stay tied; the old tensor is kept, or its id goes round
    for part in copied.modules():
        for name, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            _, new = moved.setdefault(id(tensor), (tensor, _placed(tensor, device, turn)))
            if new is not tensor:
                setattr(part, name, new)
    return copied


def _placed(tensor: Tensor, device: torch.device | str, turn: bool) -> Tensor:
    there = tensor.detach().to(device)
    new = channels_last(there) if turn else there
    if new.data_ptr() == tensor.data_ptr() and new.stride() == tensor.stride():
        return tensor
    return nn.Parameter(new, requires_grad=False) if isinstance(tensor, nn.Parameter) else new


class Recorder:
    """A hook that keeps what went into a module (as a forward pre-hook), or what it returned (as a forward hook)."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], *output: Tensor) -> None:
        if output:
            self.seen.append(output[0])
        else:  # a layer of the module may write over its own input
            overwrites = any(getattr(part, "inplace", False) for part in module.modules())
            self.seen.append(inputs[0].clone() if overwrites else inputs[0])


class TappedNetwork(nn.Module):
    """batch -> (features, logits): features are the input of `heads`, logits the output of the whole model.

    Args:
        model: A clone made by `share_weights`.
        heads: Names of the classifier, or of several whose outputs the model averages (their features are
            concatenated). Empty: the output is the features, and there are no logits.
        probabilities: The model ends in a softmax; its logarithm is returned.
        classifies: False for a regression head: features only.
        token: Which token the model classifies, for heads that read every token (b, t, d).
        sigmoid: The model ends in a sigmoid; the head's result is returned as the logits.
    """

    def __init__(
        self,
        model: nn.Module,
        heads: tuple[str, ...],
        *,
        probabilities: bool = False,
        classifies: bool = True,
        token: Token = "mean",
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.heads = heads
        self.probabilities = probabilities
        self.classifies = classifies
        self.token: Token = token
        self.recorders = [Recorder() for _ in heads]
        for name, recorder in zip(heads, self.recorders, strict=True):
            model.get_submodule(name).register_forward_pre_hook(recorder)
        self.results = Recorder() if sigmoid else None
        if self.results is not None:
            model.get_submodule(heads[0]).register_forward_hook(self.results)
        self.eval()

    def forward(self, batch: Tensor | Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Features (b, d) and logits (b, z), or None where there is no classifier, and while the model trains."""
        if self.results is not None:
            self.results.seen.clear()
        for recorder in self.recorders:
            recorder.seen.clear()  # a forward pass that failed half-way leaves nothing behind
        output = run(self.model, batch)  # a model may answer otherwise while it trains, e.g. with an auxiliary head's
        if not self.heads:
            return pooled(one_tensor(output, self.model)), None
        inputs: list[Tensor] = []
        for name, recorder in zip(self.heads, self.recorders, strict=True):
            inputs.append(_the_one(recorder.seen, name))
            recorder.seen.clear()
        features = self.pool(inputs, batch)
        if self.results is not None:
            output = answering(self.results.seen.pop(), self.model, batch, self.token)
        if self.training or not self.classifies:
            return features, None
        logits = one_tensor(output, self.model)
        return features, logits.clamp_min(TINY).log() if self.probabilities else logits

    def pool(self, inputs: list[Tensor], batch: Tensor | Mapping[str, Tensor]) -> Tensor:
        """What the heads saw, as one (b, d) matrix; an input that two heads share is taken once."""
        distinct = [x for i, x in enumerate(inputs) if not any(x is other for other in inputs[:i])]
        parts = [answering(x, self.model, batch, self.token) for x in distinct]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class EmbeddingNetwork(nn.Module):
    """A sentence encoder: its embedding, cut to `width` numbers, is the features, and there is no classifier."""

    def __init__(self, model: nn.Module, width: int | None, prompt_length: int | None) -> None:
        super().__init__()
        self.model, self.width = model, width
        self.constants = {} if prompt_length is None else {"prompt_length": prompt_length}
        self.eval()

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, None]:
        """Features (b, d) and None."""
        return self.model({**batch, **self.constants})["sentence_embedding"][:, : self.width], None


class TokenMeans(nn.Module):
    """A text model without a classifier: the mean of its last hidden states over real tokens is the features."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, None]:
        """Features (b, d) and None."""
        mask = batch["attention_mask"]
        states = self.model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        return (states * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True), None


def run(model: nn.Module, batch: Tensor | Mapping[str, Tensor]) -> Any:
    """Whatever the model returns."""
    return model(**batch) if isinstance(batch, Mapping) else model(batch)


def call(model: nn.Module, batch: Tensor | Mapping[str, Tensor]) -> Tensor:
    """`run`, then `one_tensor`."""
    return one_tensor(run(model, batch), model)


def one_tensor(output: Any, model: nn.Module) -> Tensor:
    """A model's output if it is a tensor; its `logits` if it is a record of several; else ModelError."""
    if isinstance(output, Tensor):
        return output
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    raise ModelError(
        f"{type(model).__name__} must return a tensor or a record with `logits`; got {type(output).__name__}. "
        "Wrap it in a module whose forward returns the logits alone."
    )


def pooled(x: Tensor) -> Tensor:
    """(b, d) as it is, the mean over space of (b, d, h, w), the mean over tokens of (b, t, d)."""
    if x.ndim == 4:
        return x.mean(dim=(2, 3))
    return x.mean(dim=1) if x.ndim == 3 else x


def of_tokens(x: Tensor, token: Token) -> Tensor:
    """(b, d) of (b, t, d): of one token or the mean of all; other shapes as `pooled` takes them."""
    if x.ndim != 3 or token == "mean":
        return pooled(x)
    return x[:, 0] if token == "first" else x[:, -1]


def answering(x: Tensor, model: nn.Module, batch: Tensor | Mapping[str, Tensor], token: Token) -> Tensor:
    """(b, d) of what a head reads or returns for each token: that of the token which the model classifies.

    A decoder of transformers classifies the last token that is not padding, whatever `token` says.
    """
    config: Any = getattr(model, "config", None)
    if isinstance(batch, Mapping) and x.ndim == 3 and hasattr(config, "pad_token_id"):
        ids = batch["input_ids"]
        positions = torch.arange(ids.shape[1], device=ids.device)
        last = ((ids != config.pad_token_id) * positions).argmax(dim=1)
        return x[torch.arange(len(last), device=last.device), last]
    return of_tokens(x, token)


def _the_one(seen: list[Tensor], name: str) -> Tensor:
    if len(seen) == 1:
        return seen[0]
    count = len(seen)
    seen.clear()
    raise ModelError(
        f"the head `{name}` must run once in a forward pass; it ran {count} times. "
        "Name the layer that produces the logits with `head=`."
    )
