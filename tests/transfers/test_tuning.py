"""Rates that are not given are chosen on the validation part, at the same cost for every method."""

import json
import math
from pathlib import Path

import pytest
from tests.transfers.tiny import source, target

from headstart.errors import TrainingError
from headstart.transfers import carry_out, preview, transfer

LONG = {"epochs": 5, "cache": False}


@pytest.mark.parametrize(("method", "head"), [("fine-tune", 1e-3), ("scratch", 0.0), ("adapters", 0.0)])
def test_every_method_tries_the_same_rates_and_the_lowest_validation_loss_wins(method: str, head: float) -> None:
    run = transfer(target(), source(), method=method, **LONG)
    trials = run.outcome.trials
    slowest = [trial.options["rate"] / trial.options.get("ratio", 1.0) for trial in trials]
    assert slowest[:3] == pytest.approx([1e-4, 1e-3, 1e-2])
    losses = [trial.loss for trial in trials[:3]]
    assert min(abs(math.log10(slowest[3] / slowest[losses.index(min(losses))]) - half) for half in (-0.5, 0.5)) < 0.01
    assert [trial.options["rate"] for trial in trials] == [max(head, float(f"{rate:.2g}")) for rate in slowest]
    best = min(trials, key=lambda trial: trial.loss)
    assert {name: run.outcome.options[name] for name in best.options} == best.options
    assert any("best of 4 settings" in note and "`rate` fixes it" in note for note in run.outcome.notes)
    fixed = transfer(target(), source(), method=method, **best.options, **LONG)
    assert fixed.outcome.metrics == run.outcome.metrics
    assert fixed.outcome.trials == ()


def test_a_short_training_and_a_given_rate_are_not_tuned() -> None:
    assert transfer(target(), source(), method="fine-tune", epochs=4, cache=False).outcome.trials == ()
    assert transfer(target(), source(), method="fine-tune", rate=0.01, **LONG).outcome.trials == ()
    given = transfer(target(), source(), method="fine-tune", ratio=2, **LONG)
    assert [set(trial.options) for trial in given.outcome.trials] == [{"rate"}] * 4
    assert given.outcome.options["ratio"] == 2


def test_tuning_resumes_after_a_kill_and_a_rate_that_diverges_loses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = transfer(target(), source(), method="scratch", **LONG)
    real, count = carry_out.train_once, [0]

    def dying(*given):
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(carry_out, "train_once", dying)
    with pytest.raises(KeyboardInterrupt):
        transfer(target(), source(), method="scratch", out=tmp_path, **LONG)
    assert len(json.loads((tmp_path / "tuning.json").read_bytes())["value"]) == 2
    again = transfer(target(), source(), method="scratch", out=tmp_path, **LONG)
    assert count[0] == 5  # two before the kill, the one killed, two after
    assert (again.outcome.trials, again.outcome.metrics) == (whole.outcome.trials, whole.outcome.metrics)
    assert not (tmp_path / "tuning.json").exists()

    def diverging(setting, seen):
        if setting.method.rate > 0.0005:
            raise TrainingError("not finite")
        return real(setting, seen)

    monkeypatch.setattr(carry_out, "train_once", diverging)
    run = transfer(target(), source(), method="scratch", **LONG)
    assert [trial.loss is None for trial in run.outcome.trials] == [False, True, True, False]
    assert run.outcome.options["rate"] < 0.0005


def test_a_dry_run_says_what_the_choice_of_rates_adds() -> None:
    notes = " ".join(preview(target(100), source(), method="fine-tune").notes)
    assert "rate and ratio will be chosen by 4 short trainings first (epochs=4, " in notes
    assert "adds 80% to the training" in notes
    assert "will be chosen" not in " ".join(preview(target(100), source(), method="fine-tune", rate=0.01).notes)
