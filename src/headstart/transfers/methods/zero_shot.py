"""Fine-tuning from class names: the head starts from their texts, and the weights end between start and finish.

Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models" (WiSE-FT), CVPR 2022. https://arxiv.org/abs/2109.01903
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.records.options import option
from headstart.sources.source import Source
from headstart.tasks import task_of
from headstart.train.objectives import Drawn, Objective, Parts, Step, usual
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, whole_groups
from headstart.transfers.setting import Setting
from headstart.wording import listing
from headstart.zeroshot import Pair, open_pair, text_head
from headstart.zeroshot.prompts import readable, renamed, together


@dataclass(frozen=True, eq=False)
class PairedSource(Source):
    """The image side of an image-text pair, its features of unit length, with the pair."""

    pair: Pair | None = None


@method("zero-shot")
@dataclass(frozen=True)
class ZeroShotTuning(Tuning):
    """Fine-tune an image-text pair from the texts of its classes, then average with the start (WiSE-FT).

    The head's first weights are the texts of the class names, so the training starts from the zero-shot classifier.
    """

    rate: float | None = learning_rate(1e-4)
    share: float = option(
        0.5, "Weight of the fine-tuned network in the final one; the zero-shot network has the rest", low=0, high=1
    )
    class_names: str | None = option(
        None, "CSV file with a class and its name in each line", usual="the data's own names, made readable"
    )
    templates: str = option("plain", "Set of prompts: names, plain, imagenet, or a text file with {}")
    kinds = ("image",)

    def view(self, source: Source) -> Source:
        """The pair's image encoder with features of unit length.

        Raises:
            InputError: The source was trained before; ModelNameError: it is no image-text pair.
        """
        if source.adapted_from is not None:
            raise InputError("method `zero-shot` starts from an image-text pair as it is. Leave out `via`.")
        pair = open_pair(source.name)
        image = replace(
            pair.image,
            network=UnitFeatures(pair.image.network),
            head=None,
            layer=f"{pair.image.layer}, of unit length",
            fingerprint=blake2b(f"{pair.image.fingerprint} unit".encode(), digest_size=16).hexdigest(),
        )
        return PairedSource(**vars(image), pair=pair)

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The whole network at one rate, from the head of the class names.

        Raises:
            InputError: The source is no image-text pair, or the target has no classes.
        """
        train, source = setting.parts.train, setting.source
        if not isinstance(source, PairedSource) or source.pair is None:
            raise InputError("method `zero-shot` needs an image-text pair, such as zoo/tiny_clip. Use `fine-tune`.")
        if not task_of(train.task).single_class:
            raise InputError(f"method `zero-shot` needs classes, and the task is {train.task}. Use `fine-tune`.")
        names, lines = readable(train.classes, self.class_names), together(self.templates)
        texts = text_head(source.pair, names, lines)
        with torch.no_grad():
            network.network.head.weight.copy_(texts.weight)
            network.network.head.bias.zero_()
        objective = Interpolated(usual(setting.training, train.task, torch.as_tensor(train.labels)), self.share)
        prompts = listing([repr(lines[0].replace("{}", name)) for name in names], 3)
        notes = (f"the head starts from texts: {prompts}", *renamed(train.classes, self.class_names))
        groups = whole_groups(network, [self.rate_in(setting)] * len(network.blocks))
        return Recipe(groups, objective, notes=notes)


class UnitFeatures(nn.Module):
    """batch -> (features of unit length, None)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, batch: Any) -> tuple[Tensor, None]:
        return nn.functional.normalize(self.body(batch)[0].float(), dim=1), None


class Interpolated(Objective):
    """Another objective; at the end, every weight is share * where it ended + (1 - share) * where it started."""

    def __init__(self, inner: Objective, share: float) -> None:
        self.inner, self.share = inner, share
        self.start: dict[str, Tensor] = {}

    def begin(self, network: nn.Module) -> None:
        """Note where the weights start."""
        self.inner.begin(network)
        self.start = {name: value.detach().clone() for name, value in network.state_dict().items()}

    def prepare(self, batches: dict[str, Drawn], step: Step) -> dict[str, Drawn]:
        return self.inner.prepare(batches, step)

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        return self.inner.loss(network, batches, step)

    def end(self, network: nn.Module) -> None:
        """Interpolate; counters of steps stay where they ended."""
        self.inner.end(network)
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    value.copy_(torch.lerp(self.start[name], value, self.share))
