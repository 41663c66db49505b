"""A finished transfer: its record, its answers on the test part, and the network, ready to predict and to be saved."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor

from headstart.data import open_unlabelled
from headstart.records import Outcome, Predictions
from headstart.records.shown import Shown
from headstart.records.table import View
from headstart.sources.network import TappedNetwork
from headstart.sources.source import Source
from headstart.tasks import task_of
from headstart.train.batches import batches_of
from headstart.train.outputs import outputs_of
from headstart.transfers.method import Method
from headstart.transfers.network import TransferNetwork

if TYPE_CHECKING:
    from headstart.data.target import Examples, Target
    from headstart.transfers.saved import Weights


@dataclass(frozen=True, eq=False)
class Answers:
    """Predictions for new inputs: probabilities of the classes, or values of a regression."""

    ids: tuple[str, ...]
    classes: tuple[str, ...]  # empty for regression
    outputs: np.ndarray  # (n, C) or (n, t)
    skipped: dict[str, str] = field(default_factory=dict)  # name of an input that cannot be read -> why

    @property
    def labels(self) -> tuple[str, ...]:
        """The most probable class of each input."""
        return tuple(self.classes[i] for i in self.outputs.argmax(axis=1)) if self.classes else ()


@dataclass(frozen=True, eq=False, repr=False)
class Run(Shown):
    """What `transfer` returns. The network is in evaluation mode, on the CPU."""

    outcome: Outcome
    predictions: Predictions | None  # on the test part; None without one
    network: TransferNetwork
    source: Source  # its preprocessing is the run's
    method: Method
    identity: str  # hash of everything that decided the numbers
    trained: tuple[str, ...]  # names of the parameters that trained

    def view(self) -> View:
        """The metrics on the test part as a table, and the notes."""
        return self.outcome.view()

    def logits(self, examples: "Sequence[object] | Examples", *, batch_size: int = 64) -> np.ndarray:
        """Outputs of the network (n, C) in float32 for PIL images or texts."""
        batches = _Listed(examples, self.source.prepare, self.source.join)
        return outputs_of(self.network, batches, batch_size=batch_size).numpy()

    def answer(self, target: "Target", *, device: torch.device | str = "cpu") -> np.ndarray:
        """Outputs of the network (n, C) in float32 for the examples of a target."""
        self.network.to(device)
        outputs = outputs_of(self.network, batches_of(target, self.source, memory=0), device=device).numpy()
        self.network.to("cpu")
        return outputs

    def predict(self, examples: object, ids: Sequence[str] | None = None, *, batch_size: int = 64) -> Answers:
        """Probabilities (or values) for new inputs.

        Args:
            examples: Whatever `headstart.open_target` reads, with labels or without; a list of images (PIL, arrays or
                paths) or of texts; or `Examples` that are loaded one by one. An empty list gives no answers.
            ids: Their names; by default file names, or numbers from 0.

        Raises:
            InputError: The data hold nothing that the model reads, or none of it can be read.
        """
        skipped: dict[str, str] = {}
        opened: Any = examples
        if isinstance(examples, list | tuple) and not examples:
            outputs = self.network.head.out_features
            return Answers((), self.outcome.classes, np.empty((0, outputs)))
        if not hasattr(examples, "load"):
            listed = list(examples) if isinstance(examples, tuple) else examples
            found = open_unlabelled(listed, self.source.card.kind, white_level=self.outcome.white_level)
            given = {str(row): name for row, name in enumerate(ids or ())}
            opened, skipped = found.examples, {given.get(row, row): why for row, why in found.skipped.items()}
            ids = [given.get(row, row) for row in found.ids]
        raw = self.logits(opened, batch_size=batch_size)
        names = tuple(ids) if ids is not None else tuple(str(i) for i in range(len(raw)))
        return Answers(names, self.outcome.classes, task_of(self.outcome.task).answers(raw), skipped)

    def save(self, folder: str | Path, *, weights: "Weights" = "whole") -> Path:
        """Write weights, preprocessing, plan, curves, provenance and a model card into `folder`; see `saved.py`."""
        from headstart.transfers.saved import save

        return save(self, Path(folder), weights=weights)

    def as_source(self, name: str) -> Source:
        """The adapted body as a source for a further transfer: what intermediate-task transfer stands on.

        It has no classifier: that of the source was not adapted, is not saved and so does not count in the fingerprint.
        """
        from headstart.transfers.saved import state_of

        body = copy.deepcopy(self.network.body)
        if isinstance(body, TappedNetwork):
            body.classifies = False
        kept = state_of(self.network, self, "whole")
        content = save_tensors({name: value for name, value in kept.items() if name.startswith("body.")})
        digest = blake2b(self.source.fingerprint.encode() + content, digest_size=16).hexdigest()
        card = replace(self.source.card, name=name, num_classes=None, imagenet_top1=None)
        whose = self.source.adapted_from or self.source.name
        return replace(self.source, network=body, fingerprint=digest, card=card, classes=None, adapted_from=whose)


class _Listed:
    """Examples without labels, as batches."""

    in_memory = False

    def __init__(self, examples: Any, prepare: Callable[[object], object], collate: Callable[..., object]) -> None:
        self.examples, self.prepare, self.collate = examples, prepare, collate
        self.labels = torch.zeros(len(examples))

    def load(self, indices: np.ndarray, epoch: int | None) -> Tensor:
        load = getattr(self.examples, "load", None) or self.examples.__getitem__
        return self.collate([self.prepare(load(int(i))) for i in indices])  # type: ignore[return-value]


def live_parameters(network: TransferNetwork) -> tuple[str, ...]:
    """All parameters but those of the source's own classifier, which the features do not pass through."""
    inner = getattr(network.body, "model", network.body)
    prefix = "body.model." if inner is not network.body else "body."
    dead = tuple(f"{prefix}{head}." for head in getattr(network.body, "heads", ()))
    return tuple(name for name, _ in network.named_parameters() if not name.startswith(dead or ("\0",)))
