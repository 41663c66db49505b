"""`method="auto"` chooses by measurement: the layer by leave-one-out, the method by a short race."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.transfers.tiny import silent, source, target, text_source, texts

from headstart.extract import extract
from headstart.records import CurvePoint
from headstart.scores import ridge_probe
from headstart.train.loop import Fitted
from headstart.transfers import METHODS, transfer
from headstart.transfers.parts import split_target
from headstart.transfers.recommend import CHOICES, layer_quality, recommend
from headstart.transfers.setting import Setting, training_of
from headstart.transfers.taps import at_layer


def settings(n: int = 60, out: Path | None = None, noise: float = 0.0) -> dict[str, Setting]:
    parts = split_target(target(n))
    if noise:
        rng = np.random.default_rng(0)
        wrong = rng.random(len(parts.train)) < noise
        parts = replace(parts, train=replace(parts.train, labels=np.where(wrong, 0, parts.train.labels)))
    found = {}
    for name in CHOICES:
        made = METHODS[name]
        training = training_of(made, {}, 0)
        found[name] = Setting(parts, source(), made(), training, 0, torch.device("cpu"), None, out, "", silent)
    return found


def reaching(**quality: float):
    """Trains nothing: every short training reaches the quality of its method, at one loss."""

    def train_once(setting: Setting) -> Fitted:
        assert setting.training.epochs == 4  # a fifth of 20
        point = CurvePoint(1, 0.0, 0.1, 1.0, 1.0, quality[setting.method.name.replace("-", "_")], 1)
        return Fitted((point,), 1, "", 0.0, 1, 1, ())

    return train_once


@pytest.mark.parametrize("words", [False, True])
def test_every_layer_is_judged_from_one_pass_as_its_own_source_would_be(words: bool) -> None:
    from headstart.data import open_target

    data, model = (open_target(texts(40)), text_source()) if words else (target(), source())
    setting = replace(settings()["head"], parts=split_target(data), source=model)
    found = layer_quality(setting)
    train = setting.parts.train
    assert len(found) >= 3
    for layer, quality in found.items():
        alone = extract(train, at_layer(model, layer) if layer else model, cache=None)
        assert quality == pytest.approx(ridge_probe(np.asarray(alone.features, float), alone.labels), abs=1e-9)


def test_a_training_near_the_head_after_a_fifth_of_the_epochs_is_chosen() -> None:
    few = settings(noise=0.5)
    assert recommend(few, reaching(fine_tune=0.1)).method == "head"
    advice = recommend(few, reaching(fine_tune=0.9))
    assert (advice.method, advice.layer) == ("fine-tune", None)
    assert len(advice.trials) == 4
    assert "fine-tune reaches 0.900" in advice.reason


def test_scratch_is_chosen_only_where_it_is_shown_to_be_better_than_fine_tuning() -> None:
    many = settings(1800, noise=0.5)
    assert recommend(many, reaching(fine_tune=0.9, scratch=0.92)).method == "fine-tune"
    assert recommend(many, reaching(fine_tune=0.8, scratch=0.95)).method == "scratch"
    assert recommend(many, reaching(fine_tune=0.1, scratch=0.9)).method == "scratch"


def test_residual_is_advised_where_the_source_is_not_shown_to_help() -> None:
    advised = "`--method residual`"
    assert advised in recommend(settings(1800, noise=0.5), reaching(fine_tune=0.9, scratch=0.9)).reason
    assert advised not in recommend(settings(noise=0.5), reaching(fine_tune=1.0)).reason


def test_a_head_that_is_never_wrong_needs_no_race() -> None:
    advice = recommend(settings(), lambda setting: pytest.fail("trained"))
    assert (advice.method, advice.layer) == ("head", None)
    assert "1.000 by leave-one-out" in advice.reason


def test_the_choice_is_kept_in_the_output_folder(tmp_path: Path) -> None:
    first = recommend(settings(out=tmp_path, noise=0.5), reaching(fine_tune=0.9))
    assert recommend(settings(out=tmp_path, noise=0.5), lambda setting: pytest.fail("trained")) == first
    other = recommend(settings(48, out=tmp_path), lambda setting: pytest.fail("trained"))
    assert other.method == "head"


def test_auto_records_its_reason_and_takes_the_trials_over(tmp_path: Path) -> None:
    run = transfer(target(), source(), out=tmp_path, epochs=5, cache=False)
    assert any(note.startswith("method chosen: a head on") for note in run.outcome.notes)
    assert transfer(target(), source(), out=tmp_path, epochs=5, cache=False).outcome == run.outcome
