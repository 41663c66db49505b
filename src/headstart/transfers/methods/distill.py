"""Distillation: the network learns a teacher's soft labels beside the target's own.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. https://arxiv.org/abs/1503.02531
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from headstart.errors import InputError
from headstart.extract import extract
from headstart.records.options import option
from headstart.sources import candidates
from headstart.sources.source import Source
from headstart.tasks import task_of
from headstart.train.objectives import LABELLED, Drawn, Labels, Objective, Parts, Step, labels_loss
from headstart.transfers.method import Recipe, method
from headstart.transfers.methods.fine_tune import FineTune
from headstart.transfers.methods.head import Head
from headstart.transfers.network import Transferable
from headstart.transfers.run import Run
from headstart.transfers.saved import is_run, load
from headstart.transfers.setting import Setting


@method("distill")
@dataclass(frozen=True)
class Distill(FineTune):
    """Fine-tune on a teacher's soft labels beside the true ones (Hinton et al., 2015).

    A teacher that has no head for the target's classes gets one first, solved on its features of the training part. It
    sees every example once, without augmentation.
    """

    teacher: str | Source | None = option(None, "Folder of a saved run, or name of a model, that teaches")
    temperature: float = option(2.0, "Divides the logits of teacher and student", above=0)
    mix: float = option(0.5, "Weight of the teacher's labels; the true labels have the rest", low=0, high=1)

    def __post_init__(self) -> None:
        """Check every option."""
        super().__post_init__()
        if self.teacher is None:
            raise InputError("method `distill` needs `teacher=...`: the folder of a saved run, or the name of a model.")

    @classmethod
    def unused(cls) -> frozenset[str]:
        """Mixup would need the teacher's labels of blended images."""
        return super().unused() | {"mixup"}

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """As fine-tuning, with another objective.

        Raises:
            InputError: The task is not classification.
        """
        task = setting.parts.train.task
        if not task_of(task).single_class:
            raise InputError(f"method `distill` is for classification, and the task is {task}. Use `fine-tune`.")
        labels = labels_loss(setting.training, task, torch.as_tensor(setting.parts.train.labels))
        objective = Distillation(labels, lambda: self.logits(setting), self.temperature, self.mix)
        return replace(super().build(network, setting), objective=objective)

    def identity(self, setting: Setting) -> str:
        """The options, with the teacher's weights in place of its name."""
        teacher = self.opened(setting)
        return repr({**self.options, "teacher": teacher.identity if isinstance(teacher, Run) else teacher.fingerprint})

    def opened(self, setting: Setting) -> Run | Source:
        """The teacher, opened once for a setting: a saved run, or a source for the target's kind of data."""
        assert self.teacher is not None, "checked when the method was made"
        if "teacher" not in setting.opened:
            saved = isinstance(self.teacher, str) and is_run(self.teacher)
            found = load(str(self.teacher)) if saved else candidates(self.teacher, kind=setting.parts.train.kind)[0]
            setting.opened["teacher"] = found if isinstance(found, Run) else found.load(False)
        teacher: Run | Source = setting.opened["teacher"]
        return teacher

    def logits(self, setting: Setting) -> Tensor:
        """The teacher's logits (n, C) for the training part, in the order of the target's classes."""
        train, teacher = setting.parts.train, self.opened(setting)
        if isinstance(teacher, Run):
            if set(teacher.outcome.classes) == set(train.classes):
                return _in_order(teacher.answer(train, device=setting.device), teacher.outcome.classes, train.classes)
            teacher = teacher.as_source(f"{teacher.outcome.source} adapted to {teacher.outcome.target}")
        seen = extract(train, teacher, cache=setting.cache, device=str(setting.device), progress=setting.progress)
        if seen.logits is not None and set(teacher.classes or ()) == set(train.classes):
            return _in_order(seen.logits, teacher.classes or (), train.classes)
        head = Head().solve(seen, train, setting.seed)
        return torch.as_tensor(head.outputs(np.asarray(seen.features, dtype=np.float64)), dtype=torch.float32)


class Distillation(Objective):
    """(1 - mix) * the loss on the labels + mix * T^2 * KL(teacher || student), both softened by the temperature T.

    T^2 keeps the gradients of the soft labels on the scale of the others, as in the paper's section 2.
    """

    def __init__(self, labels: Labels, logits: Callable[[], Tensor], temperature: float, mix: float) -> None:
        self.labels, self.logits, self.temperature, self.mix = labels, logits, temperature, mix
        self.soft = torch.empty(0)  # (n, C), the teacher's

    def begin(self, network: nn.Module) -> None:
        """Ask the teacher."""
        self.soft = (self.logits() / self.temperature).softmax(dim=1)

    def loss(self, network: nn.Module, batches: Mapping[str, Drawn], step: Step) -> tuple[Tensor, Parts]:
        """The loss of a chunk; its parts are "target" and "teacher"."""
        drawn = batches[LABELLED]
        outputs = network(drawn.inputs).float()
        soft = self.soft[drawn.indices].to(outputs.device)
        hard = self.labels.of(outputs, drawn.labels)
        student = functional.log_softmax(outputs / self.temperature, dim=1)
        taught = functional.kl_div(student, soft, reduction="batchmean") * self.temperature**2
        return (1 - self.mix) * hard + self.mix * taught, {"target": hard, "teacher": taught}


def _in_order(logits: np.ndarray, given: tuple[str, ...], wanted: tuple[str, ...]) -> Tensor:
    return torch.as_tensor(np.asarray(logits, dtype=np.float32)[:, [given.index(name) for name in wanted]])
