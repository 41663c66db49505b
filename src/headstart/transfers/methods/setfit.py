"""SetFit: a sentence encoder learns from pairs of texts which belong together; then a head is solved on it.

Tunstall et al., "Efficient Few-Shot Learning Without Prompts", 2022. https://arxiv.org/abs/2209.11055
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from headstart.errors import InputError
from headstart.records.options import option
from headstart.tasks import task_of
from headstart.train.batches import Batch, Batches, batches_of
from headstart.train.head import fit_head
from headstart.train.objectives import Drawn, Objective, Parts, Step, balance
from headstart.train.outputs import outputs_of
from headstart.transfers.method import Method, Recipe, method
from headstart.transfers.network import Transferable, TransferNetwork, whole_groups
from headstart.transfers.setting import Setting

PAIRS = "pairs"  # the stream


@method("setfit")
@dataclass(frozen=True)
class SetFit(Method):
    """Train a text encoder to tell pairs of one class from pairs of two, then solve a head (SetFit).

    For a few examples of each class. Every labelled example trains: none is held out for validation. An epoch draws as
    many pairs as there are examples, so the 40 epochs of the default are the paper's 20 rounds, each of which pairs
    every example with one of its class and with one of another.
    """

    rate: float = option(2e-5, "Peak learning rate of the encoder", above=0)
    penalty: float | None = option(None, "L2 penalty of the solved head", above=0, usual="chosen by leave-one-out")
    kinds = ("text",)
    settings = {"epochs": 40, "batch_size": 16}  # noqa: RUF012  a class variable of `Method`
    holds_out = False

    @classmethod
    def unused(cls) -> frozenset[str]:
        """Settings of a loss on labels, and of validation."""
        return super().unused() | {"mixup", "smoothing", "balanced_sampling", "patience"}

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The whole encoder at one rate; the head has no gradient.

        Raises:
            InputError: The task is not classification, or all examples are of one class.
        """
        target = setting.parts.together
        if not task_of(target.task).single_class or len(np.unique(target.labels)) < 2:
            raise InputError(
                f"method `setfit` needs examples of two classes or more, and {target.name} has none. Use `fine-tune`."
            )
        batches = batches_of(target, setting.source)
        balanced = setting.training.class_weights == "balanced"
        return Recipe(
            whole_groups(network, [self.rate] * len(network.blocks)),
            SamePairs(batches, len(target.classes), self.penalty, balanced=balanced, seed=setting.seed),
            {PAIRS: lambda: Pairs(batches, setting.seed)},
        )


class Pairs:
    """A stream of pairs: example i with one of its class (pair 2 i) and with one of another class (2 i + 1).

    The second example is drawn anew in each round over the stream.
    """

    def __init__(self, examples: Batches, seed: int) -> None:
        self.examples, self.seed, self.in_memory = examples, seed, examples.in_memory
        self.labels = 1.0 - torch.arange(2 * len(examples.labels)) % 2  # 1: of one class
        self.codes = examples.labels.numpy()

    def pair(self, place: int, turn: int) -> tuple[int, int]:
        """The two examples of a pair; one that is alone in its class is paired with itself."""
        first, alike = place // 2, place % 2 == 0
        partners = np.flatnonzero((self.codes == self.codes[first]) == alike)
        partners = partners[partners != first] if alike and len(partners) > 1 else partners
        return first, int(np.random.default_rng([self.seed, turn, place]).choice(partners))

    def load(self, indices: np.ndarray, epoch: int | None) -> Batch:
        """Tensors (b, 2, ...)."""
        pairs = np.array([self.pair(int(place), epoch or 0) for place in indices])  # (b, 2)
        batch = self.examples.load(pairs.ravel(), None)
        assert isinstance(batch, Mapping), "of texts"
        return {
            name: value.reshape(-1, 2, *value.shape[1:]) for name, value in batch.items() if isinstance(value, Tensor)
        }


class SamePairs(Objective):
    """The squared error of a pair's cosine against 1 (one class) or 0; at the end, a head is solved on the features."""

    def __init__(self, examples: Batches, classes: int, penalty: float | None, *, balanced: bool, seed: int) -> None:
        self.examples, self.classes, self.penalty = examples, classes, penalty
        self.balanced, self.seed = balanced, seed

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        """The loss of a chunk of pairs."""
        drawn = batches[PAIRS]
        assert isinstance(network, TransferNetwork)
        assert isinstance(drawn.inputs, Mapping), "of texts"
        both = {name: value.flatten(0, 1) for name, value in drawn.inputs.items()}
        features = network.features(both).float()
        cosines = functional.cosine_similarity(features[::2], features[1::2])
        return functional.mse_loss(cosines, drawn.labels.to(cosines)), {}

    def end(self, network: nn.Module) -> None:
        """Solve the head."""
        assert isinstance(network, TransferNetwork)
        place = next(network.parameters()).device
        features = outputs_of(network.features, self.examples, device=place).double().numpy()
        labels = self.examples.labels.numpy()
        weights = balance(labels)[labels] if self.balanced else None
        head = fit_head(features, labels, classes=self.classes, penalty=self.penalty, seed=self.seed, weights=weights)
        head.put_into(network.head)
