"""A new kind of task is one module: everything else finds it through the table of tasks."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from tests.transfers.tiny import images, source

import headstart as hs
from headstart.data import open_target
from headstart.errors import TargetError
from headstart.tasks import TASKS

MODULE = '''
"""Counts: whole numbers from 0, judged by how many answers are at most one off."""

import numpy as np

from headstart.errors import TargetError
from headstart.tasks import Labels, Metric, RawLabels, register
from headstart.tasks.regression import Regression


def within_one(values, answers):
    return float((np.abs(values.reshape(len(values), -1) - answers) <= 1).mean())


@register
class Counts(Regression):
    name = "counts"
    metrics = (Metric("within_one", "at most one off", within_one, 0, 1, share=True),)

    def recognises(self, values):
        return False

    def read(self, raw: RawLabels) -> Labels:
        labels = super().read(raw)
        if (labels.values < 0).any() or (labels.values % 1).any():
            raise TargetError(f"{raw.where}: counts are whole numbers from 0; got another.")
        return labels

    def loss(self, outputs, labels, *, smoothing=0.0):
        from torch.nn import functional

        return functional.smooth_l1_loss(outputs, labels.to(outputs.dtype).reshape(outputs.shape))

    def quality(self, outputs, labels):
        return -(outputs - labels.reshape(outputs.shape)).abs().mean().item()
'''
RUN = """
import sys, counts
from headstart.cli import app
for line in sys.argv[1:]:
    app(line.split(), standalone_mode=False)
    print("----")
"""


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module in a folder of its own, imported, and forgotten afterwards."""
    path = tmp_path / "counts.py"
    path.write_text(MODULE)
    known = dict(TASKS)
    monkeypatch.setattr(TASKS, "_entries", known)
    spec = spec_from_file_location("counts", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module_from_spec(spec))
    yield path
    del known["counts"]


def arrays(n: int = 60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, 4))
    return {"features": features, "labels": np.round(5 + features[:, 0]).clip(0).astype(int)}


def test_a_ranking_reads_it_and_gives_the_scores_of_the_kind_it_is_scored_as(counts: Path) -> None:
    ranking = hs.rank(arrays(), task="counts")
    assert ranking.target.task == "counts"
    assert {"logme", "ridge_probe"} & set(ranking.rows[0].scores)
    assert "leep" not in ranking.rows[0].scores
    with pytest.raises(TargetError, match="counts are whole numbers"):
        hs.rank({**arrays(), "labels": np.arange(60) - 5}, task="counts")


def test_a_transfer_uses_its_head_loss_and_metric(counts: Path) -> None:
    pictures, _ = images(60)
    means = [np.asarray(picture)[..., 0].mean() for picture in pictures]
    data = open_target((pictures, np.round(np.array(means) / 10).astype(int)), task="counts")
    solved = hs.transfer(data, source(), method="head", cache=None)
    assert (solved.outcome.task, solved.outcome.metric) == ("counts", "within_one")
    assert solved.outcome.metrics == {"within_one": pytest.approx(0.9, abs=0.11)}
    tuned = hs.transfer(data, source(), method="fine-tune", epochs=1, batch_size=16, cache=None)
    assert tuned.outcome.curve[0].valid_quality is not None
    assert -20 < tuned.outcome.curve[0].valid_quality < 0  # minus a mean error; R2 of one epoch would lie near 0
    assert tuned.predict(pictures[:2]).outputs.shape == (2, 1)


def test_the_command_line_takes_and_lists_it(counts: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "features.npz", **arrays())
    lines = ("rank features.npz --task counts --json -", "rank --help", "scores logme", "scores leep")
    command = [sys.executable, "-c", RUN, *lines]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    ranking, usage, fits, does_not = done.stdout.split("----\n")[:4]
    assert json.loads(ranking)["target"]["task"] == "counts"
    assert "counts" in usage
    assert "counts" in fits
    assert "counts" not in does_not


def test_a_file_in_the_package_needs_no_import(counts: Path, tmp_path: Path) -> None:
    code = "import headstart.tasks as t; t.__path__.append('.'); print(*t.TASKS)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["classification", "counts", "multi-label", "regression"], done.stderr


def test_a_second_kind_of_the_same_name_is_refused(counts: Path) -> None:
    with pytest.raises(ValueError, match="two entries register the task 'counts'"):
        exec(MODULE, {})
