"""Meta-training: it learns, it leaves the source alone, and a killed one goes on to the same numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.transfers import tiny

from headstart import from_module
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


def two_domains(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures whose class is their red in one domain and their green in the other; blue says which domain it is."""
    rng = np.random.default_rng(seed)
    labels = np.arange(80) % 4
    found = []
    for domain in (0, 1):
        means = np.full((80, 3), 200.0 if domain else 50.0)
        means[:, domain] = 40 + 50 * labels + rng.normal(0, 8, 80)
        means[:, 1 - domain] = rng.uniform(0, 255, 80)  # says nothing, and is as loud
        pixels = means[:, None, None] + np.zeros((1, 4, 4, 1))
        found.append((pixels.clip(0, 255).astype(np.uint8), labels))
    return found


def four_by_four(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.resize((4, 4)), dtype=np.float32)).permute(2, 0, 1) / 255


def test_film_follows_the_set_so_that_the_code_of_another_set_costs_accuracy() -> None:
    body = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    source = from_module(torch.nn.Sequential(*body, torch.nn.Linear(3, 2)), prepare=four_by_four)
    settings = MetaTraining(episodes=160, ways=(3, 4), shots=(3, 6), queries=6, rate=1e-2)
    learner = meta_train(source, two_domains(0), settings)
    reached = {"right": [], "wrong": [], "none": []}
    for pixels, labels in two_domains(1):
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        codes = torch.from_numpy(labels)
        other = learner.code_of(images * torch.tensor([1, 1, 0.25 if images[0, 2, 0, 0] > 0.5 else 4])[:, None, None])
        for name, code in (("right", None), ("wrong", other), ("none", torch.zeros(3))):
            with torch.no_grad():
                adapted = learner.adapt_to(images[:20], codes[:20], 4, code=code)
                reached[name].append(float((adapted(images[20:]).argmax(dim=1) == codes[20:]).float().mean()))
    right, wrong, none = (np.mean(reached[name]) for name in ("right", "wrong", "none"))
    print(right, wrong, none)
    assert right > 0.85
    assert wrong < right - 0.2
    assert none < right - 0.05
