"""Self-training: the network's confident answers on the new domain become its labels, round by round.

Zou et al., "Unsupervised Domain Adaptation for Semantic Segmentation via Class-Balanced Self-Training", ECCV 2018.
https://arxiv.org/abs/1810.07911
Xie et al., "Self-training with Noisy Student improves ImageNet classification", CVPR 2020.
https://arxiv.org/abs/1911.04252
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from headstart.adaptation.afterwards import Afterwards
from headstart.adaptation.method import adaptation
from headstart.adaptation.statistics import reestimate
from headstart.errors import InputError
from headstart.records.options import option
from headstart.tasks import softmax, task_of
from headstart.train.batches import Batch, Batches, batches_of
from headstart.train.groups import Group
from headstart.train.objectives import LABELLED, Drawn, Labels, Objective, Parts, Step, labels_loss
from headstart.train.outputs import outputs_of
from headstart.transfers.method import Recipe
from headstart.transfers.network import Transferable, TransferNetwork
from headstart.transfers.setting import Setting

LABELLED_DOMAIN = "labelled-domain"
DROPPED = 0.5  # share of the features that a noisy student does not see, as in the paper's section 3.1


def pseudo_labels(probs: np.ndarray, share: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """(rows, labels): of each class the most confident share of the answers (n, C) above a threshold.

    Args:
        share: Of the answers of each class, rounded up.
        threshold: Only answers whose probability is above it are taken; with 1 there are none.

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.3, 0.7]])
        >>> rows, labels = pseudo_labels(probs, 0.5, 0.5)
        >>> rows.tolist(), labels.tolist()
        ([0, 2, 3], [0, 0, 1])
    """
    labels, sure = probs.argmax(axis=1), probs.max(axis=1)
    chosen = []
    for code in np.unique(labels):
        members = np.flatnonzero(labels == code)
        best = members[np.argsort(-sure[members], kind="stable")][: int(np.ceil(share * len(members)))]
        chosen.append(best[sure[best] > threshold])
    rows = np.sort(np.concatenate(chosen))
    return rows, labels[rows]


class Chosen:
    """Some of a stream's examples, with labels of their own."""

    def __init__(self, whole: Batches, rows: np.ndarray, labels: np.ndarray) -> None:
        self.whole, self.rows, self.in_memory = whole, rows, whole.in_memory
        self.labels = torch.as_tensor(labels)

    def load(self, indices: np.ndarray, epoch: int | None) -> Batch:
        """The inputs of some of them."""
        return self.whole.load(self.rows[indices], epoch)


class Student(Objective):
    """The loss on the labelled domain's labels, and trade_off times that on the pseudo-labels."""

    def __init__(self, labels: Labels, trade_off: float, *, noisy: bool) -> None:
        self.labels, self.trade_off, self.noisy = labels, trade_off, noisy

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        """Both losses; the part "pseudo-labels" is the second."""
        old, new = batches[LABELLED_DOMAIN], batches[LABELLED]
        hard = self.labels.of(network(old.inputs).float(), old.labels)
        whole = cast(TransferNetwork, network)
        features = whole.features(new.inputs)
        features = dropout(features, DROPPED) if self.noisy else features
        outputs = whole.head(features.to(whole.head.weight.dtype))
        taught = Labels(self.labels.task).of(outputs.float(), new.labels)
        return hard + self.trade_off * taught, {"target": hard, "pseudo-labels": taught}


@adaptation("self-training")
@dataclass(frozen=True)
class SelfTraining(Afterwards):
    """Fine-tune, then train on confident answers as well, as labels of the new domain (Zou et al., 2018).

    Each round takes the same share of the answers of every class; the share grows from round to round to all of them.
    """

    rounds: int = option(3, "How often the pseudo-labels are estimated anew", low=1)
    passes: int = option(2, "Passes over the chosen examples in each round", low=1)
    threshold: float = option(0.8, "Answers with at most this probability are left out", low=0, high=1)
    trade_off: float = option(1.0, "Weight of the loss on the pseudo-labels", low=0)
    noisy_student: bool = option(
        False, "Drop half of the features while the pseudo-labels are learnt (Noisy Student); see also `augment`"
    )

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """As fine-tuning, with rounds on pseudo-labels.

        Raises:
            InputError: The task has no classes.
        """
        if not task_of(setting.parts.train.task).single_class:
            raise InputError(f"method `self-training` is for classification, not {setting.parts.train.task}.")
        return super().build(network, setting)

    def adapt(self, network: TransferNetwork, groups: Sequence[Group], setting: Setting) -> Mapping[str, float]:
        """The rounds; they end where no answer is confident."""
        new, train, shares = setting.unlabelled(), setting.parts.train, [0.0]
        source = replace(setting.source, channels_last=False)  # as every network takes them while it trains
        old = batches_of(train, source, seed=setting.seed)
        labels = labels_loss(setting.training, train.task, torch.as_tensor(train.labels))
        student = Student(labels, self.trade_off, noisy=self.noisy_student)
        for number in range(self.rounds if self.trade_off else 0):
            teacher = copy.deepcopy(network)
            _settle(teacher, new, setting)
            probs = softmax(outputs_of(teacher, new, device=setting.device).numpy())
            rows, codes = pseudo_labels(probs, (number + 1) / self.rounds, self.threshold)
            if len(rows) < 2:
                break
            shares.append(len(rows) / len(probs))
            chosen = Chosen(new, rows, codes)
            self.further(network, groups, setting, chosen, student, self.passes, {LABELLED_DOMAIN: old})
        if len(shares) > 1:
            _settle(network, new, setting)
        return {"pseudo_labelled": shares[-1]}


def _settle(network: nn.Module, new: Batches, setting: Setting) -> None:
    if not setting.training.keep_statistics:
        reestimate(network, new)
