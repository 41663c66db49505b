"""Schedules against the published formula and against torch's own."""

import pytest
import torch

from headstart.train.schedule import multiplier, slanted_triangular


def published(t: int, steps: int, cut_frac: float = 0.1, ratio: float = 32) -> float:
    """Howard and Ruder 2018, eq. 3, written as printed."""
    cut = int(steps * cut_frac)
    p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
    return (1 + p * (ratio - 1)) / ratio


@pytest.mark.parametrize("steps", [50, 100, 1000])
def test_the_slanted_triangle_is_the_published_one(steps: int) -> None:
    for t in range(steps):
        assert slanted_triangular(t, steps) == pytest.approx(published(t, steps), rel=1e-12)


def test_the_slanted_triangle_stays_positive_for_any_number_of_steps() -> None:
    for steps in range(1, 40):
        values = [slanted_triangular(t, steps) for t in range(steps)]
        assert min(values) >= 1 / 32
        assert max(values) <= 1


def test_cosine_is_torchs_cosine() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
    for step in range(30):
        assert multiplier("cosine", step, 30) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_warm_up_rises_to_the_peak_and_hands_over() -> None:
    values = [multiplier("constant", step, 10, warmup=0.4) for step in range(10)]
    assert values == [0.2, 0.4, 0.6, 0.8] + [1.0] * 6
