"""Meta-training: it learns, it leaves the source alone, and a killed one goes on to the same numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.transfers import tiny

from headstart.errors import InputError, TrainingError
from headstart.meta import Cnaps, MetaTraining, meta_train
from headstart.meta import training as room
from headstart.runner import Event

SHORT = MetaTraining(episodes=12, ways=(2, 3), shots=(2, 4), queries=3, per_step=2)


def same(one: Cnaps, other: Cnaps) -> bool:
    """Bit for bit."""
    theirs = other.adaptation()
    return all(torch.equal(value, theirs[name]) for name, value in one.adaptation().items())


def loss_of(learner: Cnaps, seed: int) -> float:
    """Mean loss on tasks that no training here has drawn."""
    settings = MetaTraining(ways=(2, 3), shots=(3, 3), queries=6, seed=seed)
    made = room._Training(learner, [tiny.target(90, seed=5)], settings, torch.device("cpu"))
    with torch.no_grad():
        return float(np.mean([made._loss(number).item() for number in range(20)]))


def test_training_lowers_the_loss_on_tasks_it_has_not_seen() -> None:
    targets = [tiny.target(60), tiny.target(60, seed=1)]
    settings = MetaTraining(episodes=160, ways=(2, 3), shots=(2, 4), queries=4, rate=3e-3)
    begun, learnt = meta_train(tiny.source(), targets, SHORT), meta_train(tiny.source(), targets, settings)
    assert loss_of(learnt, 9) < 0.9 * loss_of(begun, 9)
    assert learnt.film.strength.abs().mean() > 2 * begun.film.strength.abs().mean()


def test_the_same_seed_gives_the_same_networks_and_another_gives_others() -> None:
    one, again = (meta_train(tiny.source(), [tiny.target()], SHORT) for _ in range(2))
    other = meta_train(tiny.source(), [tiny.target()], MetaTraining(**{**vars(SHORT), "seed": 1}))
    assert same(one, again)
    assert not same(one, other)


def test_a_killed_training_goes_on_to_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = meta_train(tiny.source(), [tiny.target()], SHORT)
    step, path = room._Training._step, tmp_path / "state"

    def killed(training: room._Training) -> float:
        if training.state.step == 4:
            raise KeyboardInterrupt
        return step(training)

    with monkeypatch.context() as patch:
        patch.setattr(room._Training, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            meta_train(tiny.source(), [tiny.target()], SHORT, checkpoint=path, checkpoint_seconds=0)
    steps = []
    monkeypatch.setattr(room._Training, "_step", lambda training: steps.append(1) or step(training))
    resumed = meta_train(tiny.source(), [tiny.target()], SHORT, checkpoint=str(path))
    assert len(steps) == 2
    assert same(resumed, whole)
    with pytest.raises(InputError, match="belongs to a training with other data"):
        meta_train(tiny.source(), [tiny.target(seed=3)], SHORT, checkpoint=path)


def test_progress_is_told_and_the_last_word_is_all_of_it() -> None:
    told: list[Event] = []
    settings = MetaTraining(episodes=230, ways=(2, 2), shots=(1, 1), queries=1, per_step=3)
    meta_train(
        tiny.source(), [tiny.target()], settings, progress=lambda event: told.append(event) if event.message else None
    )
    assert [event.done for event in told] == [102, 201, 230]
    assert all(event.total == 230 and "loss " in event.message for event in told)


def test_what_cannot_be_learnt_from_is_refused() -> None:
    with pytest.raises(InputError, match="`targets` must be a list of at least one labelled data set"):
        meta_train(tiny.source(), [])
    with pytest.raises(InputError, match="`targets` must be a list of at least one labelled data set"):
        meta_train(tiny.source(), "photos.zip")
    one_class = tiny.target(30).subset(np.arange(0, 30, 3))
    with pytest.raises(InputError, match="fewer than two classes with two examples"):
        meta_train(tiny.source(), [tiny.target(), one_class], SHORT)


def test_a_loss_that_is_no_number_ends_in_a_sentence() -> None:
    settings = MetaTraining(**{**vars(SHORT), "rate": 1e30, "episodes": 40})
    with pytest.raises(TrainingError, match=r"not a finite number in episode \d+ of 40\. Try a rate 10 times smaller"):
        meta_train(tiny.source(), [tiny.target()], settings)
