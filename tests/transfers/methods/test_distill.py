"""Distillation: its loss against numpy, its teachers, and what it does to a student."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.transfers.tiny import images, network, prepare, source, target, text_source, texts
from torch import nn

from headstart.data import open_target
from headstart.errors import InputError
from headstart.sources import from_module
from headstart.sources.source import Source
from headstart.train.batches import TensorBatches
from headstart.train.groups import Group
from headstart.train.loop import fit
from headstart.train.objectives import LABELLED, Drawn, Labels, Step
from headstart.train.training import Training
from headstart.transfers import transfer
from headstart.transfers.methods import Distill, Distillation

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_the_loss_is_the_papers_formula() -> None:
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(5, 3)), rng.normal(size=(9, 3))
    labels, rows, temperature, mix = np.array([0, 2, 1, 1, 0]), np.array([8, 0, 3, 3, 5]), 3.0, 0.7
    objective = Distillation(Labels("classification"), lambda: torch.tensor(teacher), temperature, mix)
    objective.begin(nn.Identity())
    drawn = Drawn(torch.tensor(student), torch.tensor(labels), torch.tensor(rows))
    loss, parts = objective.loss(nn.Identity(), {LABELLED: drawn}, Step(0, 1, 0, rng))
    p, q = softmax(teacher[rows] / temperature), softmax(student / temperature)
    divergence = (p * (np.log(p) - np.log(q))).sum(axis=1).mean() * temperature**2
    hard = -np.log(softmax(student)[np.arange(5), labels]).mean()
    assert loss.item() == pytest.approx((1 - mix) * hard + mix * divergence, rel=1e-5)
    assert parts["target"].item() == pytest.approx(hard, rel=1e-5)
    assert parts["teacher"].item() == pytest.approx(divergence, rel=1e-5)


def test_a_student_without_labels_of_its_own_becomes_its_teacher() -> None:
    torch.manual_seed(0)
    x, teacher, student = torch.randn(64, 4), nn.Linear(4, 3), nn.Linear(4, 3)
    wrong = TensorBatches(x, torch.zeros(64, dtype=torch.long))
    objective = Distillation(Labels("classification"), lambda: teacher(x).detach(), 2.0, 1.0)
    group = Group("all", ("weight", "bias"), ("",), 0.05)
    fit(student, [group], wrong, None, Training(epochs=60, weight_decay=0.0, warmup=0.0), objective=objective)
    with torch.no_grad():
        assert torch.allclose(student(x).softmax(1), teacher(x).softmax(1), atol=0.02)


def test_a_saved_run_teaches_in_the_order_of_the_targets_classes(tmp_path: Path) -> None:
    data = open_target(images(90))
    transfer(data, "zoo/tiny_digits", method="head", out=tmp_path, cache=False)
    renamed = open_target((images(90)[0], [{"class 0": "z", "class 1": "y", "class 2": "x"}[y] for y in images(90)[1]]))
    run = transfer(data, source(), method=Distill(teacher=str(tmp_path), mix=1.0, rate=0.02), **SHORT | {"epochs": 15})
    assert run.outcome.metrics["accuracy"] > 0.8  # it saw the teacher's labels only
    assert run.outcome.options["teacher"] == str(tmp_path)
    assert run.outcome.curve[-1].parts.keys() == {"teacher"}
    other = transfer(
        renamed, source(), method=Distill(teacher=str(tmp_path), mix=1.0, rate=0.02), **SHORT | {"epochs": 15}
    )
    assert other.outcome.metrics["accuracy"] > 0.8  # no class in common: a head is solved first


@pytest.mark.parametrize("fits", [True, False])
def test_a_source_teaches_with_its_own_head_where_that_has_the_targets_classes(fits: bool) -> None:
    data = target()
    found = from_module(network(3), head="classifier", prepare=prepare, name="module/teacher")
    classes = (*data.classes[::-1], "other", "another")
    teacher = Source(**{**vars(found), "classes": classes[:3] if fits else classes})
    if fits:
        net = network(3)
        net.classifier = nn.Linear(8, 3)
        found = from_module(net.eval(), head="classifier", prepare=prepare, name="module/teacher")
        teacher = Source(**{**vars(found), "classes": classes[:3]})
    runs = [
        transfer(data, source(), method="distill", teacher=teacher, cache=False, epochs=1, mix=mix)
        for mix in (0.0, 1.0)
    ]
    plain = transfer(data, source(), method="fine-tune", cache=False, epochs=1)
    outputs = [run.predictions.outputs for run in (*runs, plain)]
    assert np.allclose(outputs[0], outputs[2])
    assert not np.allclose(outputs[1], outputs[2], atol=1e-6)


def test_temperature_changes_the_result_and_a_resumed_run_is_the_same(tmp_path: Path) -> None:
    given = {"method": "distill", "teacher": source(1), **SHORT}
    first, other = (transfer(target(), source(), temperature=t, **given) for t in (2.0, 8.0))
    assert not np.allclose(first.predictions.outputs, other.predictions.outputs, atol=1e-7)

    class KilledError(Exception):
        pass

    def kill(event: object) -> None:
        if (event.what, event.done) == ("training", 4):
            raise KilledError

    with pytest.raises(KilledError):
        transfer(target(), source(), out=tmp_path, progress=kill, **given)
    again = transfer(target(), source(), out=tmp_path, **given)
    assert np.array_equal(again.predictions.outputs, first.predictions.outputs)
    with pytest.raises(InputError, match="holds another run"):
        transfer(target(), source(), out=tmp_path, **given | {"teacher": source(2)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "method `distill` needs `teacher=...`"),
        ({"teacher": "x", "temperature": 0.0}, "`temperature` must be a number greater than 0"),
        ({"teacher": "x", "mix": 1.5}, r"`mix` must be a number in \[0, 1\]"),
        ({"teacher": 3}, "`teacher` must be text"),
        ({"teacher": "zoo/tiny_digitz"}, "tiny_digits"),
    ],
)
def test_what_does_not_fit_is_an_error(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        transfer(target(), source(), method="distill", **options, **SHORT)


def test_values_and_mixup_are_refused() -> None:
    values = open_target((images(60)[0], np.linspace(0, 1, 60)))
    with pytest.raises(InputError, match="is for classification, and the task is regression"):
        transfer(values, source(), method="distill", teacher=source(), **SHORT)
    with pytest.raises(InputError, match="`mixup` has no effect with method `distill`"):
        transfer(target(), source(), method="distill", teacher=source(), mixup=0.2, **SHORT)


def test_texts_are_distilled_too() -> None:
    run = transfer(open_target(texts()), text_source(), method="distill", teacher=text_source(), **SHORT)
    assert run.outcome.method == "distill"
