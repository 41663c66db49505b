"""Training the benchmark's networks: the sources themselves, and each of them fine-tuned on each target."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from headstart.sources import TinyResNet
from headstart.train import Group, TensorBatches, Training, fit, outputs_of
from headstart_paper.benchmark.samples import Labelled, draw

WIDTHS = (8, 16, 32, 64)  # 78,000 parameters, 64 features
BATCH = 64
RATE = 4e-3
SHIFT = 3  # pixels, in training of the sources
TUNING_BATCH, BODY_RATE, HEAD_RATE = 20, 2e-3, 1e-2  # of fine-tuning


class VariedBatches:
    """Pictures shifted, and mirrored where that keeps the label; each epoch anew, decided by (seed, epoch, example)."""

    in_memory = True

    def __init__(self, pictures: Labelled, *, mirrored: bool, seed: int) -> None:
        self.labels = torch.as_tensor(pictures.labels)
        self.images = np.pad(pictures.images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
        self.mirrored, self.seed = mirrored, seed
        self._drawn: tuple[int, np.ndarray, np.ndarray] | None = None

    def load(self, indices: np.ndarray, epoch: int | None) -> Tensor:
        """(b, 3, 32, 32) in [-1, 1]."""
        side = self.images.shape[1] - 2 * SHIFT
        if epoch is None:
            return normalised(self.images[indices, SHIFT : SHIFT + side, SHIFT : SHIFT + side])
        shifts, mirrors = self._draws(epoch)
        rows = shifts[indices, 0, None] + np.arange(side)
        columns = shifts[indices, 1, None] + np.where(mirrors[indices, None], np.arange(side)[::-1], np.arange(side))
        return normalised(self.images[indices[:, None, None], rows[:, :, None], columns[:, None, :]])

    def _draws(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        if self._drawn is None or self._drawn[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch, SHIFT])  # another stream than the order's
            shifts = rng.integers(0, 2 * SHIFT + 1, (len(self.labels), 2))
            mirrors = (rng.random(len(self.labels)) < 0.5) & self.mirrored
            self._drawn = epoch, shifts, mirrors
        return self._drawn[1:]


def normalised(images: np.ndarray) -> Tensor:
    """(n, h, w, 3) uint8 to (n, 3, h, w) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float().div_(127.5).sub_(1)


def untrained(classes: int, seed: int) -> TinyResNet:
    """The architecture with its first random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyResNet(WIDTHS, classes).eval()


def pretrain(pictures: Labelled, *, shown: int, mirrored: bool, seed: int) -> TinyResNet:
    """A source: AdamW with a cosine rate, over as many epochs as show `shown` pictures (of more, so many are drawn)."""
    pictures = draw(pictures, shown, seed)
    network = untrained(len(pictures.classes), seed)
    epochs = max(1, round(shown / len(pictures.labels)))
    training = Training(epochs=epochs, batch_size=BATCH, weight_decay=0.05, warmup=0.1, seed=seed)
    batches = VariedBatches(pictures, mirrored=mirrored, seed=seed)
    fit(network, [_group(network, "all", "", RATE, new=True)], batches, None, training)
    return network


def fine_tune(source: TinyResNet, pictures: Labelled, *, epochs: int, seed: int) -> TinyResNet:
    """A copy of the source with a new head, all of it trained on the pictures."""
    network = copy.deepcopy(source)
    network.classifier = untrained(len(pictures.classes), seed).classifier
    groups = [
        _group(network, "body", "", BODY_RATE, without="classifier"),
        _group(network, "head", "classifier", HEAD_RATE, new=True),
    ]
    training = Training(epochs=epochs, batch_size=TUNING_BATCH, seed=seed)
    fit(network, groups, TensorBatches(normalised(pictures.images), pictures.labels), None, training)
    return network


def features_of(network: TinyResNet, images: np.ndarray) -> np.ndarray:
    """What goes into the head, (n, 64) float32."""
    body = nn.Sequential(network.stem, network.blocks, network.pool)
    batches = TensorBatches(normalised(images), torch.zeros(len(images)))
    return outputs_of(body, batches, batch_size=250).numpy()


def accuracy_of(network: TinyResNet, pictures: Labelled) -> float:
    """Share of right labels."""
    logits = outputs_of(network, TensorBatches(normalised(pictures.images), pictures.labels), batch_size=250)
    return float((logits.argmax(dim=1).numpy() == pictures.labels).mean())


def _group(network: nn.Module, block: str, under: str, rate: float, *, without: str = "\0", new: bool = False) -> Group:
    parameters = tuple(n for n, _ in network.named_parameters() if n.startswith(under) and not n.startswith(without))
    modules = tuple(n for n, _ in network.named_modules() if n.startswith(under) and not n.startswith(without))
    return Group(block, parameters, modules, rate, new=new)
