"""Meta-training: the adaptation networks learn from episodes of several data sets; the source stays as it is."""

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from headstart.data import open_target
from headstart.data.provenance import target_hash
from headstart.data.skips import readable
from headstart.data.target import Target
from headstart.errors import InputError, TrainingError
from headstart.extract.device import pick_device
from headstart.meta.cnaps import Cnaps, check_labelled_images
from headstart.meta.episodes import MetaTraining, draw_episode, drawable
from headstart.runner.progress import Event, Progress, listener
from headstart.sources import Source, candidates
from headstart.train.batches import MEMORY, batches_of, to_device
from headstart.train.checkpoint import (
    TrainingState,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from headstart.train.outputs import out_of_memory
from headstart.train.schedule import multiplier

FORMAT = 2  # raised when the same settings would train other networks
WARMUP = 0.05
MEASURED = 256  # images from which the features' centre and spread are taken
CODES = 64  # tasks from which those of the codes are taken
EVERY = 100  # episodes between two messages


def identity_of(source: Source, targets: Sequence[Target], settings: MetaTraining) -> str:
    """Hex hash of everything that decides the result of a meta-training: source, data and settings."""
    about = [FORMAT, source.cache_key, [target_hash(target) for target in targets], asdict(settings)]
    return blake2b(json.dumps(about).encode(), digest_size=16).hexdigest()


def meta_train(
    source: str | nn.Module | Source,
    targets: Sequence[object],
    settings: MetaTraining | None = None,
    *,
    max_bad: float = 0.01,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress | bool | None = None,
) -> Cnaps:
    """Train CNAPs' adaptation networks on tasks out of several data sets.

    Args:
        source: A pretrained image model, by name or itself. It is copied, and the copy is frozen.
        targets: Data sets of labelled images, each whatever `open_target` reads: the more diverse the better, and none
            of the data that will be adapted to.
        settings: How long and on which tasks; None: the defaults.
        max_bad: The largest share of a data set's images that may be unreadable; they are left out.
        device: "auto", "cpu", "cuda" or "mps".
        checkpoint: File that keeps the state; an unfinished training found there resumes, with the same numbers.
        checkpoint_seconds: How often it is written.
        progress: None shows how far the training is, in a terminal or notebook only; True shows it everywhere, False
            nowhere. A function is called with each `headstart.runner.Event` instead.

    Raises:
        InputError: There are no data sets, one is not of images with one class each or has too few of them, or the
            checkpoint is another's.
        TargetError: A data set cannot be read, or too much of it.
        ModelError: The source cannot be found, is for texts, or has no layers that FiLM could act on.
        TrainingError: The loss is not finite, or memory runs out.

    Example:
        >>> import numpy as np
        >>> pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
        >>> tasks, new = (pixels[:24], np.arange(24) % 4), (pixels[24:], np.arange(16) % 2)
        >>> learner = meta_train("zoo/tiny_digits", [tasks], MetaTraining(episodes=2, ways=(2, 3), shots=(2, 3)))
        >>> learner.adapt(new).outputs(new).shape
        (16, 2)
    """
    settings, place = settings or MetaTraining(), pick_device(device)
    if isinstance(targets, str | os.PathLike) or len(targets) == 0:
        raise InputError("`targets` must be a list of at least one labelled data set; episodes are drawn from them.")
    found = source if isinstance(source, Source) else candidates(source, kind="image")[0].load(False)
    opened = [readable(open_target(target), max_bad=max_bad)[0] for target in targets]
    for target in opened:
        check_labelled_images(target)
        if len(drawable(target.labels)) < 2:
            raise InputError(
                f"{target.name} has fewer than two classes with two examples each. Add some, or leave it out."
            )
    training = _Training(Cnaps(found, seed=settings.seed), opened, settings, place)
    try:
        with torch.enable_grad():
            training.run(None if checkpoint is None else Path(checkpoint), checkpoint_seconds, listener(progress))
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise TrainingError("out of memory on one task. Lower `shots`, `ways` or `queries`.") from error
    return training.learner


class _Training:
    """The state of one meta-training."""

    def __init__(self, learner: Cnaps, targets: Sequence[Target], settings: MetaTraining, device: torch.device) -> None:
        self.learner, self.settings, self.device = learner.to(device), settings, device
        room = 4 * MEMORY // len(targets)  # each example comes up again and again
        self.batches = [batches_of(target, learner.source, memory=room) for target in targets]
        self.labels = [target.labels for target in targets]
        self.identity = identity_of(learner.source, targets, settings)
        self.parameters = [value for value in learner.parameters() if value.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.rate)
        self.steps = math.ceil(settings.episodes / settings.per_step)
        self.state = TrainingState()

    def run(self, checkpoint: Path | None, every: float, tell: Progress) -> None:
        if not self._resume(checkpoint):
            self._standardise()
        saved = time.monotonic()
        losses: list[float] = []
        while self.state.step < self.steps:
            losses.append(self._step())
            done = min(self.state.step * self.settings.per_step, self.settings.episodes)
            message = ""
            if done // EVERY > (done - self.settings.per_step) // EVERY or done == self.settings.episodes:
                message = f"episode {done}/{self.settings.episodes}: loss {np.mean(losses):.3f}"
                losses.clear()
            tell(Event("episodes", done, self.settings.episodes, message))
            if checkpoint is not None and time.monotonic() - saved > every:
                self._save(checkpoint)
                saved = time.monotonic()

    def _step(self) -> float:
        """One step of the optimizer over the next tasks; returns their mean loss."""
        settings, step = self.settings, self.state.step
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate * multiplier("cosine", step, self.steps, warmup=WARMUP)
        first = step * settings.per_step
        numbers = range(first, min(first + settings.per_step, settings.episodes))
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for number in numbers:
            loss = self._loss(number)
            torch.autograd.backward(loss / len(numbers))
            total += loss.item()
        if not math.isfinite(total):
            raise TrainingError(
                f"the loss is not a finite number in episode {first + 1} of {settings.episodes}. Try a rate 10 times "
                f"smaller (`rate={settings.rate / 10:.1g}`)."
            )
        torch.autograd.backward(settings.penalty * self.learner.film.penalty())
        self.optimizer.step()
        self.state.step += 1
        return total / len(numbers)

    def _loss(self, number: int) -> Tensor:
        """Cross-entropy of the queries of one task, under the source adapted to its examples."""
        episode = draw_episode(self.labels, number, self.settings)
        images = [self._images(episode.place, part) for part in (episode.support, episode.query)]
        labels = [torch.as_tensor(part, device=self.device) for part in (episode.support_labels, episode.query_labels)]
        adapted = self.learner.adapt_to(images[0], labels[0], episode.classes)
        return torch.nn.functional.cross_entropy(adapted(images[1]), labels[1])

    def _images(self, place: int, indices: np.ndarray) -> Tensor:
        return to_device(self.batches[place].load(indices, None), self.device)  # type: ignore[return-value]  # images

    def _standardise(self) -> None:
        rng = np.random.default_rng(self.settings.seed)
        share = max(1, MEASURED // len(self.batches))
        chosen = [rng.permutation(len(labels))[:share] for labels in self.labels]
        features = [self.learner.plain(self._images(place, part)) for place, part in enumerate(chosen)]
        episodes = [draw_episode(self.labels, number, self.settings) for number in range(CODES)]
        sets = [self.learner.plain(self._images(one.place, one.support)).mean(dim=0) for one in episodes]
        self.learner.standardise(torch.cat(features), torch.stack(sets))

    def _save(self, path: Path) -> None:
        tensors = {f"now/{name}": value for name, value in self.learner.adaptation().items()}
        write_checkpoint(path, self.identity, self.state, tensors | optimizer_tensors(self.optimizer))

    def _resume(self, path: Path | None) -> bool:
        found = None if path is None else read_checkpoint(path, self.identity)
        if found is None:
            return False
        self.state, tensors = found
        self.learner.take({name[4:]: value for name, value in tensors.items() if name.startswith("now/")})
        restore_optimizer(self.optimizer, tensors)
        return True
