"""CNAPs: adapt a pretrained network to a new task in forward passes alone, without training on the task.

Requeima, Gordon, Bronskill, Nowozin, Turner: Fast and Flexible Multi-Task Classification Using Conditional Neural
Adaptive Processes, NeurIPS 2019, https://arxiv.org/abs/1906.07697. The source is frozen. From a task's labelled
examples one network makes FiLM parameters for the source, and another makes a linear head on the features that the
source then gives.

Differences from the authors' networks:

- The code of a set is the mean of the frozen source's features, standardised over the training tasks. Theirs comes from
  an encoder trained with the rest, and from the activations of the adapted network ("auto-regressive"). An encoder
  trained with the rest gave nearly the same code for every set here, so that FiLM never depended on the task.
- FiLM acts at every affine norm on the way to the features, theirs inside the residual blocks of a ResNet18. One maker
  shares its first layers among all those places.
- Features are standardised. The head has a learnt scale and starts as the nearest-class-mean classifier.
- Thousands of training tasks, four a step, with a rate that rises and then falls.
"""

import copy
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart.data import Target, open_target, open_unlabelled
from headstart.data.media import MEDIA
from headstart.data.skips import readable
from headstart.errors import InputError, ModelError
from headstart.extract.device import pick_device
from headstart.meta.adaptation import FilmMaker, HeadMaker
from headstart.meta.film import features_with, film_points, filmed
from headstart.sources import Source
from headstart.sources.fingerprint import probe_examples
from headstart.tasks import task_of
from headstart.train.batches import Batches, batches_of, to_device
from headstart.train.outputs import outputs_of

CHANNELS = 3
CHUNK = 64  # examples of a task that are looked at together where no gradient is wanted


class Cnaps(nn.Module):
    """A frozen copy of a source and the networks that adapt it.

    Args:
        source: An image model; it is not edited.
        seed: Of the adaptation networks' first weights.

    Raises:
        ModelError: The source is for texts, or has no layers that FiLM could act on.

    Example:
        >>> from headstart import from_module
        >>> body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> def prepare(image):
        ...     return torch.from_numpy(np.array(image.resize((8, 8)))).permute(2, 0, 1) / 255
        >>> learner = Cnaps(from_module(nn.Sequential(*body, nn.Linear(4, 2)), prepare=prepare))
        >>> adapted = learner.adapt_to(torch.rand(6, 3, 8, 8), torch.tensor([0, 0, 1, 1, 2, 2]), 3)
        >>> adapted(torch.rand(5, 3, 8, 8)).shape
        torch.Size([5, 3])
    """

    center: Tensor  # (d,) of the features
    spread: Tensor
    code_center: Tensor  # (d,) of the mean features of training tasks
    code_spread: Tensor

    def __init__(self, source: Source, *, seed: int = 0) -> None:
        super().__init__()
        if not MEDIA[source.card.kind].pictures:
            raise ModelError.of(source.name, "it reads texts; CNAPs encodes sets of images. Choose an image model.")
        self.source = source
        self.body = copy.deepcopy(source.network).eval()
        probe: Any = source.join([source.prepare(example) for example in probe_examples("image")[:2]])
        if probe.ndim != 4 or probe.shape[1] != CHANNELS:
            raise ModelError.of(
                source.name,
                f"it takes batches of shape {tuple(probe.shape)}; CNAPs needs (b, 3, h, w). Choose another source.",
            )
        self.points = film_points(self.body, probe)
        self.body.requires_grad_(False)
        with torch.no_grad():
            width = self.body(probe)[0].shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.film = FilmMaker([point.channels for point in self.points], width)
            self.head = HeadMaker(width)
        for name in ("", "code_"):
            self.register_buffer(f"{name}center", torch.zeros(width))
            self.register_buffer(f"{name}spread", torch.ones(width))

    def train(self, mode: bool = True) -> "Cnaps":
        """Stays in evaluation mode, so that the source's statistics never change."""
        return super().train(False)

    def adaptation(self) -> dict[str, Tensor]:
        """Every tensor that is not the source's, by name."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("body.")}

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Load tensors that `adaptation` returned.

        Raises:
            InputError: The tensors do not fit these networks.
        """
        own = self.adaptation()
        shapes = {name: value.shape for name, value in own.items()}
        if {name: value.shape for name, value in tensors.items()} != shapes:
            raise InputError(
                "these adaptation networks were trained for another source, or by an earlier version. Pass "
                "that source, or train them again."
            )
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])

    def plain(self, images: Tensor) -> Tensor:
        """Features (b, d) of the source before any adaptation."""
        with torch.no_grad():
            features: Tensor = self.body(images)[0].float()
        return features

    def standardise(self, features: Tensor, codes: Tensor) -> None:
        """Set centre and spread of features and of codes.

        Args:
            features: (n, d) of images, by `plain`.
            codes: (t, d), the mean of such features over each of t sets.
        """
        for name, values in (("", features), ("code_", codes)):
            spread = values.std(dim=0, correction=0)
            spread = torch.where(spread > 1e-6 * spread.max(), spread, torch.ones_like(spread))
            getattr(self, f"{name}center").copy_(values.mean(dim=0))
            getattr(self, f"{name}spread").copy_(spread)

    def code_of(self, images: Tensor) -> Tensor:
        """The code (d,) of a set of images: which FiLM parameters it gets."""
        return (self.plain(images).mean(dim=0) - self.code_center) / self.code_spread

    def film_of(self, code: Tensor) -> dict[str, Tensor]:
        """The source's tensors as changed by the code (d,) of a set."""
        return filmed(dict(self.body.named_parameters()), self.points, *self.film(code))

    def features(self, images: Tensor, film: Mapping[str, Tensor]) -> Tensor:
        """Standardised features (b, d)."""
        return (features_with(self.body, film, images).float() - self.center) / self.spread

    def adapt_to(self, images: Tensor, labels: Tensor, classes: int, *, code: Tensor | None = None) -> "Adapted":
        """Adapt to a task whose examples fit in memory at once, with gradients if they are enabled.

        Args:
            images: (n, 3, h, w), as the source prepares them.
            labels: (n,) 0..classes-1.
            code: (d,) that decides FiLM; by default `code_of` the images.

        Raises:
            InputError: A class has no examples, or a label is out of range.
        """
        if set(labels.tolist()) != set(range(classes)):
            given = sorted(set(labels.tolist()))
            raise InputError(f"`labels` must be 0 to {classes - 1}, each at least once; got {given}.")
        film = self.film_of(self.code_of(images) if code is None else code)
        features = self.features(images, film)
        ones = torch.nn.functional.one_hot(labels, classes).to(features.dtype)  # (n, C)
        means = ones.T @ features / ones.sum(dim=0)[:, None]
        return Adapted(self, film, *self.head(means))

    def adapt(self, target: object, *, max_bad: float = 0.01, device: str = "auto") -> "Adapted":
        """Adapt to labelled images: two forward passes, one of the source as it is and one of the adapted source.

        Args:
            target: Whatever `open_target` reads.
            max_bad: The largest share of images that may be unreadable; they are left out.
            device: "auto", "cpu", "cuda" or "mps".

        Raises:
            InputError: The target holds no images, no classes, or a class without examples; or there is no such device.
            TargetError: It cannot be read, or too much of it.
        """
        opened = readable(open_target(target), max_bad=max_bad)[0]
        check_labelled_images(opened)
        _check_complete(opened)
        adapted = self.adapt_on(batches_of(opened, self.source), len(opened.classes), device=device)
        adapted.classes = opened.classes
        return adapted

    def adapt_on(self, batches: Batches, classes: int, *, device: str = "auto") -> "Adapted":
        """As `adapt_to`, in pieces and without gradients: a large task costs no more memory than a small one."""
        place = pick_device(device)
        self.to(place)
        n = len(batches.labels)
        pieces = [np.arange(start, min(n, start + CHUNK)) for start in range(0, n, CHUNK)]

        def images(piece: np.ndarray) -> Tensor:
            return to_device(batches.load(piece, None), place)  # type: ignore[return-value]  # checked: images

        with torch.no_grad():
            mean = torch.stack([self.plain(images(piece)).sum(dim=0) for piece in pieces]).sum(dim=0) / n
            film = self.film_of((mean - self.code_center) / self.code_spread)
            sums = torch.zeros(classes, len(self.center), device=place)
            counts = torch.zeros(classes, device=place)
            for piece in pieces:
                labels = batches.labels[piece].to(place)
                sums.index_add_(0, labels, self.features(images(piece), film))
                counts += torch.bincount(labels, minlength=classes)
            return Adapted(self, film, *self.head(sums / counts[:, None]))


class Adapted:
    """A source adapted to one task, called with images (b, 3, h, w) for outputs (b, C).

    It lives on its learner, which must stay where it is.
    """

    def __init__(self, learner: Cnaps, film: Mapping[str, Tensor], weights: Tensor, bias: Tensor) -> None:
        self.learner, self.film, self.weights, self.bias = learner, film, weights, bias
        self.classes: tuple[str, ...] = ()  # names of the outputs, where the task came with names

    def __call__(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) to (b, C)."""
        return self.learner.features(images, self.film) @ self.weights.T + self.bias

    def outputs(self, target: object) -> np.ndarray:
        """Outputs (n, C) on whatever labelled images `open_target` reads; the largest is the class.

        Raises:
            TargetError: The target cannot be read, or one of its images.
            InputError: It holds no images.
        """
        opened = open_target(target)
        if not MEDIA[opened.kind].pictures:
            raise InputError(f"{opened.name} holds {opened.kind}s; expected images.")
        return self._of(readable(opened, max_bad=0)[0])

    def predict(self, images: str | os.PathLike[str]) -> dict[str, str]:
        """The class of each image that can be read, by its name: of a folder, zip, table or `.npz`, or of one image.

        Raises:
            InputError: There are no images, or none can be read.
        """
        found = open_unlabelled(images, "image")
        nothing = np.zeros(len(found.ids), dtype=np.int64)
        target = Target(str(images), "image", "classification", found.examples, nothing, self.classes, found.ids)
        codes = self._of(target).argmax(axis=1)
        return {name: self.classes[code] for name, code in zip(found.ids, codes, strict=True)}

    def _of(self, target: Target) -> np.ndarray:
        return outputs_of(self, batches_of(target, self.learner.source), device=self.bias.device).numpy()


def check_labelled_images(target: Target) -> None:
    """Raises InputError unless the target holds images with one class each."""
    if not MEDIA[target.kind].pictures or not task_of(target.task).single_class:
        raise InputError(f"CNAPs needs images with one class each; {target.name} holds {target.kind}s ({target.task}).")


def _check_complete(target: Target) -> None:
    absent = np.setdiff1d(np.arange(len(target.classes)), target.labels)
    if len(absent):
        raise InputError(
            f"class `{target.classes[absent[0]]}` of {target.name} has no examples. Add one, or leave the class out."
        )
