"""What a training minimises: one object that turns the batches of a step into a loss.

The training loop draws one batch from each of its named streams, may cut the batches into chunks where memory runs
out, and asks the objective for the loss of each chunk; it knows nothing else about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.tasks import task_of
from headstart.train.batches import Batch, take, to_device
from headstart.train.groups import Group
from headstart.train.training import Training

LABELLED = "labelled"  # the stream of the target's training part; an epoch is one pass over it
Parts = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch of one stream, or a chunk of it."""

    inputs: Batch
    labels: Tensor  # (b,) or (b, t)
    indices: Tensor  # (b,) which examples of the stream these are
    extra: Mapping[str, Tensor] = field(default_factory=dict)  # what `prepare` adds, with one row per example

    def __len__(self) -> int:
        return len(self.indices)

    def chunk(self, part: int, parts: int) -> "Drawn":
        """One of `parts` chunks of nearly equal size."""
        rows = np.array_split(np.arange(len(self)), parts)[part]
        piece = slice(int(rows[0]), int(rows[-1]) + 1)
        extra = {name: value[piece] for name, value in self.extra.items()}
        return Drawn(take(self.inputs, piece), self.labels[piece], self.indices[piece], extra)

    def to(self, device: torch.device) -> "Drawn":
        """The batch on a device; the indices stay where they are."""
        return replace(self, inputs=to_device(self.inputs, device), labels=self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Step:
    """Where in the training a loss is computed."""

    number: int  # counted from 0
    steps: int  # of the whole training
    epoch: int  # counted from 0
    rng: np.random.Generator  # of this step, for `prepare` only: chunks must not depend on how many they are


class Objective:
    """What a training minimises. The loss is a mean over the examples of a chunk."""

    @property
    def facts(self) -> Mapping[str, float]:
        """Numbers measured during the training, by name; they go into the record."""
        return {}

    def begin(self, network: nn.Module) -> None:
        """Called once before the first step, also of a resumed training, with the weights the training starts from."""

    def prepare(self, batches: dict[str, Drawn], step: Step) -> dict[str, Drawn]:
        """The whole batches of a step, changed before they are cut into chunks."""
        return batches

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        """The loss of a chunk, and its named parts for the record.

        A part called "target" is the loss on the target's labels: the curve shows it as the training loss, so that
        methods can be compared; without it, it shows the whole.
        """
        raise NotImplementedError

    def quality(self, network: nn.Module) -> float | None:
        """How good the network is at the end of an epoch, larger is better; None leaves that to the validation part."""
        return None

    def end(self, network: nn.Module) -> None:
        """Called once after the last step, with the best weights, in evaluation mode: may still change the network.

        A finished training that is resumed calls it again, with the same weights.
        """


@dataclass(frozen=True, eq=False)
class Labels(Objective):
    """The task's loss on the labelled stream."""

    task: str
    smoothing: float = 0.0
    weights: Tensor | None = None  # of the classes, those that do not occur at the end left out

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        drawn = batches[LABELLED]
        return self.of(network(drawn.inputs).float(), drawn.labels), {}

    def of(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of outputs in float32."""
        task = task_of(self.task)
        if self.weights is None:
            return task.loss(outputs, labels, smoothing=self.smoothing)
        weights = nn.functional.pad(self.weights, (0, outputs.shape[1] - len(self.weights))).to(outputs)
        return task.loss(outputs, labels, smoothing=self.smoothing, weights=weights)


@dataclass(frozen=True, eq=False)
class Mixup(Objective):
    """The loss on pairs of images that are blended at random (Zhang et al., ICLR 2018)."""

    labels: Labels
    alpha: float  # of the Beta distribution from which the share of the first image is drawn

    def prepare(self, batches: dict[str, Drawn], step: Step) -> dict[str, Drawn]:
        """Blend the batch with itself in another order."""
        drawn = batches[LABELLED]
        if not isinstance(drawn.inputs, Tensor) or not task_of(self.labels.task).single_class:
            raise InputError("`mixup` mixes images with class labels, and this target has none. Leave `mixup` at 0.")
        share = float(step.rng.beta(self.alpha, self.alpha))
        other = torch.as_tensor(step.rng.permutation(len(drawn)), device=drawn.labels.device)
        mixed = drawn.inputs.lerp(drawn.inputs[other], 1 - share)
        extra = {"other": drawn.labels[other], "share": torch.full((len(drawn),), share, dtype=torch.float64)}
        return batches | {LABELLED: replace(drawn, inputs=mixed, extra=extra)}

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        drawn = batches[LABELLED]
        outputs, share = network(drawn.inputs).float(), drawn.extra["share"][0].item()
        first, second = self.labels.of(outputs, drawn.labels), self.labels.of(outputs, drawn.extra["other"])
        return first * share + second * (1 - share), {}


class Pulled(Objective):
    """Another objective, and a pull of the pretrained weights back to where they started (L2-SP, Li et al. 2018).

    Adds strength / 2 * |w - w0|^2.
    """

    def __init__(self, inner: Objective, strength: float, names: Sequence[str]) -> None:
        self.inner, self.strength, self.names = inner, strength, tuple(names)
        self.anchors: list[tuple[nn.Parameter, Tensor]] = []

    @property
    def facts(self) -> Mapping[str, float]:
        return self.inner.facts

    def begin(self, network: nn.Module) -> None:
        """Note where the weights start."""
        self.inner.begin(network)
        parameters = dict(network.named_parameters())
        self.anchors = [(parameters[name], parameters[name].detach().clone()) for name in self.names]

    def prepare(self, batches: dict[str, Drawn], step: Step) -> dict[str, Drawn]:
        return self.inner.prepare(batches, step)

    def quality(self, network: nn.Module) -> float | None:
        return self.inner.quality(network)

    def end(self, network: nn.Module) -> None:
        self.inner.end(network)

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        value, parts = self.inner.loss(network, batches, step)
        moved = [(weight - start).square().sum() for weight, start in self.anchors if weight.requires_grad]
        pull = torch.stack(moved).sum() * (self.strength / 2) if moved else torch.zeros_like(value)
        return value + pull, {"target": value, **parts, "l2_sp": pull}


def labels_loss(training: Training, task: str, labels: Tensor) -> Labels:
    """The task's loss with the label smoothing and the class weights of a training."""
    balanced = training.class_weights == "balanced"
    weights = torch.as_tensor(balance(labels.numpy()), dtype=torch.float32) if balanced else None
    return Labels(task, training.smoothing, weights)


def usual(training: Training, task: str, labels: Tensor) -> Objective:
    """The task's loss with the label smoothing, the class weights and the mixup of a training."""
    loss = labels_loss(training, task, labels)
    return Mixup(loss, training.mixup) if training.mixup else loss


def balance(labels: np.ndarray) -> np.ndarray:
    """Weights of the classes under which all that occur count alike, with mean 1 over the examples.

    Example:
        >>> balance(np.array([0, 0, 0, 1])).round(3).tolist()
        [0.667, 2.0]
    """
    counts = np.bincount(labels)
    return np.where(counts > 0, len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)


def regularised(inner: Objective, training: Training, groups: Sequence[Group]) -> Objective:
    """The objective with the pull to the pretrained weights, where the training has one."""
    if not training.l2_sp:
        return inner
    old = [name for group in groups if group.rate > 0 and not group.new for name in group.parameters]
    return Pulled(inner, training.l2_sp, old)
