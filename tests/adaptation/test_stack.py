"""Several sources in one answer, against a constrained solver that is not ours."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize
from tests.ranking.toys import folder_of_classes
from torch import nn
from typer.testing import CliRunner

from headstart.adaptation import Stacked, stack
from headstart.adaptation.stack import stack_weights
from headstart.cli import app
from headstart.errors import InputError
from headstart.loading import load
from headstart.records.stack import GUESS, StackRecord
from headstart.sources import from_module

Pictures = tuple[list[Image.Image], list[str]]


def answers(rng: np.random.Generator, labels: np.ndarray, sharpness: float) -> np.ndarray:
    logits = rng.standard_normal((len(labels), 3)) + sharpness * np.eye(3)[labels]
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_the_weights_minimise_the_squared_distance_on_the_simplex() -> None:
    rng = np.random.default_rng(0)
    for size in (2, 4):
        labels = rng.integers(3, size=80)
        given = [answers(rng, labels, 3.0 / (1 + place)) for place in range(size)]
        found, truth = stack_weights(given, labels), np.eye(3)[labels]

        def distance(weights: np.ndarray, given: list[np.ndarray] = given, truth: np.ndarray = truth) -> float:
            return float(((sum(w * one for w, one in zip(weights, given, strict=True)) - truth) ** 2).sum())

        other = minimize(
            distance, np.full(size, 1 / size), method="SLSQP", bounds=[(0, 1)] * size, options={"ftol": 1e-12},
            constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        )  # fmt: skip
        assert found.sum() == pytest.approx(1)
        assert (found >= 0).all()
        assert found == pytest.approx(other.x, abs=1e-4)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Pictures of two pixels: each one's colours lean to the class."""
    rng = np.random.default_rng(1)
    labels = np.arange(240) % 3
    leaning = rng.standard_normal((240, 6)) + 1.5 * (np.eye(6)[labels] + np.eye(6)[labels + 3])
    pixels = (100 + 25 * leaning).clip(0, 255).astype(np.uint8).reshape(240, 1, 2, 3)
    return [Image.fromarray(one) for one in pixels], [str(label) for label in labels]


def prepared(image: object) -> torch.Tensor:
    assert isinstance(image, Image.Image)
    return torch.tensor(np.array(image.resize((2, 1)), dtype=np.float32).ravel() / 25)


SEEN = {"noise": lambda x: (1e3 * x[:, :3]).sin(), "broken": lambda x: (x[:, :3] - 3).sqrt()}  # not a number below 3


def looking(at: slice | None, name: str) -> object:
    """A source that sees some of the columns, or answers noise."""

    class Look(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen = SEEN[name](x) if at is None else x[:, at]
            out: torch.Tensor = self.head(seen)
            return out

    torch.manual_seed(0)
    return from_module(Look().eval(), head="head", name=name, prepare=prepared)


def test_sources_that_see_different_things_add_up_and_noise_counts_for_nothing(pictures: Pictures) -> None:
    models = [looking(slice(0, 3), "first"), looking(slice(3, 6), "second"), looking(None, "noise")]
    found = stack(pictures, models, cache=False)  # type: ignore[arg-type]
    weights = {one.source: one.weight for one in found.record.sources}
    assert weights["noise"] < 0.02 < min(weights["first"], weights["second"])
    assert sum(weights.values()) == pytest.approx(1)
    assert found.record.together is not None
    best = max(one.accuracy or 0 for one in found.record.sources)
    assert (found.record.together.accuracy or 0) > best
    assert found.record.gain is not None
    assert found.record.gain > 0
    new = found.predict(pictures[0][:30])
    assert new.outputs.sum(axis=1) == pytest.approx(1)
    mixed = sum(weights[run.outcome.source] * run.predict(pictures[0][:30]).outputs for run in found.runs)
    assert new.outputs == pytest.approx(mixed + weights[GUESS] / 3, abs=1e-6)  # three classes alike
    assert StackRecord.from_json(found.record.to_json()) == found.record
    assert "best alone by left-out examples" in " ".join(str(found).split())


def test_a_source_that_fails_leaves_the_others_and_wrong_options_are_named(pictures: Pictures, tmp_path) -> None:
    found = stack(pictures, [looking(slice(0, 3), "first"), looking(None, "broken")], cache=False)  # type: ignore[arg-type]
    assert [one.source for one in found.record.failures] == ["broken"]
    with pytest.raises(InputError, match="stacking weighs probabilities of classes"):
        stack((pictures[0], np.linspace(0, 1, 240)), looking(slice(0, 3), "first"), cache=False)  # type: ignore[arg-type]
    place = str(folder_of_classes(tmp_path / "photos", 24))
    words = ["transfer", place, "--model", "zoo/tiny_digits", "--stack", "zoo/tiny_letters"]
    wrong = CliRunner().invoke(app, [*words, "--epochs", "3"])
    assert wrong.exit_code == 2
    assert "`--epochs` has no effect with `--stack`" in " ".join(wrong.stderr.split())
    kept = tmp_path / "kept"
    done = CliRunner().invoke(app, [*words, "--no-cache", "--out", str(kept)])
    assert done.exit_code == 0, done.stderr
    assert "all, weighted" in done.stdout
    again = CliRunner().invoke(app, [*words, "--no-cache", "--out", str(kept)])
    assert f"`--out {kept}` is not empty" in again.stderr
    told = CliRunner().invoke(app, ["predict", str(kept), place, "--json"])
    assert told.exit_code == 0, told.stderr
    loaded = load(kept)
    assert isinstance(loaded, Stacked)
    expected = loaded.predict(place)
    assert [one["label"] for one in json.loads(told.stdout)] == list(expected.labels)
    weights = {row.source: row.weight for row in loaded.record.sources}
    mixed = sum(weights[run.outcome.source] * run.predict(place).outputs for run in loaded.runs)
    assert expected.outputs == pytest.approx(mixed + weights[GUESS] * np.array(loaded.record.frequencies), abs=1e-6)
