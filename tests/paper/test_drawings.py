"""Drawings are written as PNG and SVG, show what they were given, and are the same each time."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.errors import MissingExtra, WriteError
from headstart.report.plots import COLOURS
from headstart_paper.drawings import (
    MARKERS,
    Candidates,
    Cloud,
    LevelCurve,
    draw_convergence,
    draw_levels,
    draw_scatter,
    draw_selection,
)

X = np.linspace(-2, -1, 12)
CLOUDS = {"one source": [Cloud("head (12)", X, X / 2 + 1.4), Cloud("fine-tuned (12)", X, X / 4 + 1.2)]}
CURVES = {"one source": [LevelCurve(level, 3, np.linspace(-0.1, level / 10, 4), np.full(4, 0.01)) for level in (1, 5)]}
CHOICE = {
    "LEEP": Candidates(["net a", "net b", "net c"], np.array([-2.0, -1.5, -1.0]), np.array([0.3, 0.4, 0.6])),
    "top-1": Candidates(["net a", "net c"], np.array([0.5, 0.7]), np.array([0.3, 0.6])),
}
BINNED = {"one source": [[(0.5, 0.05, 3), (None, None, 0), (0.6, None, 1), (0.7, 0.1, 5), (0.9, 0.1, 3)]] * 2}


def levels(stem: Path) -> list[Path]:
    return draw_levels(CLOUDS, BINNED, stem, title="Five levels", y_label="F1")


DRAWINGS = {
    "scatter": (lambda stem: draw_scatter(CLOUDS, stem, title="Many tasks"), ["Many tasks", "head (12)", "one source"]),
    "levels": (levels, ["Five levels", "F1", "fine-tuned (12)"]),
    "convergence": (lambda stem: draw_convergence(CURVES, stem, title="Speed"), ["Speed", "level 5 (3)", "epoch"]),
    "selection": (lambda stem: draw_selection(CHOICE, stem, title="Choice"), ["Choice", "net b", "top-1"]),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_both_files_are_written_and_hold_the_words(tmp_path: Path, name: str) -> None:
    draw, words = DRAWINGS[name]
    png, svg = draw(tmp_path / "new" / "figure")
    with Image.open(png) as image:
        pixels = np.asarray(image.convert("L"))
    assert min(pixels.shape) > 300
    assert (pixels < 128).mean() > 0.002  # something is drawn
    text = svg.read_text()
    assert all(word in text for word in words)


def test_a_place_that_takes_no_drawing_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(WriteError, match=r"levels\.png cannot be written"):
        levels(tmp_path / "taken" / "levels")


def test_the_same_drawing_is_the_same_file(tmp_path: Path) -> None:
    one = draw_scatter(CLOUDS, tmp_path / "a", title="t")[1].read_text()
    two = draw_scatter(CLOUDS, tmp_path / "b", title="t")[1].read_text()
    assert one == two


def test_the_users_settings_of_matplotlib_stay(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw_scatter(CLOUDS, tmp_path / "a", title="t")
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[plots\]'"):
        draw_scatter(CLOUDS, tmp_path / "a", title="t")


def test_many_candidates_have_a_sign_each() -> None:
    signs = [(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]) for place in range(40)]
    assert len(set(signs)) == 40


def test_a_long_title_over_a_single_panel_is_not_cut_off(tmp_path: Path) -> None:
    title = "Five levels of LEEP, meta-transfer to CIFAR-100; here CIFAR-10, or still other data, in its place"
    png, _ = draw_levels(CLOUDS, BINNED, tmp_path / "figure", title=title, y_label="F1")
    with Image.open(png) as image:
        over = np.asarray(image.convert("L"))[: image.height // 8]  # the title alone
    assert (over < 255).any()
    assert (over[:, [0, 1, 2, -3, -2, -1]] == 255).all()
