"""`hs.run`: from data to a proven model, on toys of eight pixels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.ranking.toys import clear, dazzled, folder_of_classes, pixels

import headstart as hs
from headstart.errors import InputError
from headstart.project.whole import contenders, plan
from headstart.records import Project
from headstart.runner import Event


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def project(place: Path) -> Project:
    return hs.run(pixels(240, noise=60), [dazzled(), clear()], out=place / "p", cache=place / "cache")


def test_the_better_model_is_chosen_and_beats_training_from_scratch_or_equals_it(project: Project) -> None:
    assert project.best.source == "clear"
    tried = {(one.source, one.method) for one in project.outcomes}
    assert {("clear", "head"), ("dazzled", "head"), ("clear", "scratch")} <= tried
    values = [value for value in project.validated if value is not None]
    assert project.validated[project.chosen] == max(values)


def test_the_test_part_took_part_in_nothing_and_is_the_same_for_all(project: Project) -> None:
    assert {one.n_test for one in project.outcomes} == {60}
    assert len({one.split for one in project.outcomes}) == 1
    assert project.ranking.target.n == 180


def test_the_forecast_is_of_the_examples_that_the_head_had(project: Project) -> None:
    head = next(one for one in project.outcomes if one.method == "head")
    found = project.forecast(head)
    assert found is not None
    assert found.examples == 180
    assert found.tested == 60
    wide = next(row for row in project.ranking.rows if row.source == head.source).forecasts[0]
    assert found.high - found.low > wide.high - wide.low  # sixty examples show less than four hundred


def test_the_story_says_what_was_chosen_forecast_and_reached(project: Project) -> None:
    text = str(project)
    assert "took part in nothing before" in " ".join(text.split())
    assert ("The forecast was" in text) == (project.best.method != "scratch")
    assert "Gain: " in text
    assert "To try next" in text
    if project.best.method != "scratch":
        assert project.comparison is not None
        assert project.comparison.seeds == (0, 1, 2)
        assert "Over 3 seeds the gain over scratch is" in " ".join(text.split())
    assert "One seed of each" in str(replace(project, comparison=None))


def test_labels_are_advised_beyond_those_that_were_there_though_the_race_saw_fewer(project: Project) -> None:
    def advice(*sizes: int) -> str:
        rows = [
            replace(row, forecasts=tuple(replace(row.forecasts[0], examples=n) for n in sizes))
            for row in project.ranking.rows
        ]
        shown = str(replace(project, ranking=replace(project.ranking, rows=tuple(rows))))
        return " ".join(shown.split()).partition("To try next")[2]

    assert "label" not in advice(45, 90, 180)
    assert "label 180 more examples, 360 in all" in advice(90, 180, 360)
    assert "180 in all" not in advice(90, 180, 360)


def test_what_was_chosen_predicts_and_everything_loads_again(project: Project, place: Path) -> None:
    page = (place / "p" / "report.html").read_text(encoding="utf-8")
    assert "took part in nothing before" in page
    assert hs.load(place / "p") == project
    model = hs.load(place / "p" / "model", source=clear())
    images, labels = pixels(30, noise=10, seed=5)
    answers = model.predict(hs.open_target((images, labels)).examples)
    assert sum(a == b for a, b in zip(answers.labels, labels, strict=True)) > 20


def test_the_same_call_resumes_without_training_again(project: Project, place: Path) -> None:
    heard: list[Event] = []
    again = hs.run(
        pixels(240, noise=60), [dazzled(), clear()], out=place / "p", cache=place / "cache", progress=heard.append
    )
    assert again.outcomes == project.outcomes
    assert not [event for event in heard if event.message.startswith("epoch")]


def test_a_folder_of_another_project_is_left_as_it_is(project: Project, place: Path) -> None:
    with pytest.raises(InputError, match="holds a ranking of other examples"):
        hs.run(pixels(120, seed=5), [dazzled(), clear()], out=place / "p", cache=False)
    assert Project.load(place / "p").outcomes == project.outcomes


def test_a_stop_in_the_middle_leaves_the_best_so_far(tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event.message.startswith("epoch"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hs.run(pixels(120), [dazzled(), clear()], out=tmp_path / "p", cache=False, progress=stop)
    assert Project.load(tmp_path / "p").best.method == "head"
    assert (tmp_path / "p" / "model" / "weights.safetensors").exists()
    assert (tmp_path / "p" / "report.html").exists()


def test_a_budget_too_small_for_training_leaves_it_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.project.attempts.FEWEST_EPOCHS", 10**9)
    found = hs.run(pixels(120), [clear()], budget="60s", cache=False)
    assert {one.method for one in found.outcomes} == {"head"}
    assert any("an epoch takes about" in said for said in found.left_out)


def test_without_a_test_part_or_models_nothing_is_begun(tmp_path: Path, write_texts: Callable[[Path], Path]) -> None:
    with pytest.raises(InputError, match="too few examples to set a test part aside"):
        hs.run(pixels(3), [clear()])
    with pytest.raises(InputError, match="`models` is missing"):
        hs.run(write_texts(tmp_path))
    with pytest.raises(InputError, match="positive time"):
        hs.run(pixels(30), [clear()], budget="soon")


@pytest.fixture
def write_texts() -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "texts.csv"
        lines = [f"this is a sentence of class {i % 2},{'ab'[i % 2]}" for i in range(40)]
        path.write_text("\n".join(["text,label", *lines]))
        return path

    return write


def test_the_likeliest_is_transferred_first(project: Project) -> None:
    first, *_ = contenders(project.ranking)
    steps = list(plan(project.ranking))
    assert (steps[0].source, steps[0].method) == (first.source, "head")
    assert steps[-1].method in ("scratch", "head")


def test_a_folder_on_the_command_line(tmp_path: Path, run: Callable) -> None:
    photos = folder_of_classes(tmp_path / "photos", 48)
    place = tmp_path / "p"
    result = run("run", photos, "--models", "zoo/tiny_digits", "--budget", "10s", "--out", place)
    assert result.exit_code == 0, result.output
    assert "The forecast was" in " ".join(result.stdout.split())
    predicted = run("predict", place / "model", photos)
    assert predicted.exit_code == 0
    assert "red" in predicted.stdout


def test_a_model_that_was_chosen_on_test_examples_is_noted_and_a_project_has_none(project: Project) -> None:
    ranking = hs.rank(pixels(60), [clear()], scores="knn", cache=False)
    seen = hs.transfer(pixels(60), clear(), method="head", cache=False)
    assert not any("optimistic" in note for note in seen.outcome.notes)
    chosen = replace(ranking, rows=(replace(ranking.rows[0], source="zoo/tiny_digits"),))
    warned = hs.transfer(pixels(60), chosen, method="head", cache=False)
    assert any("15 of 15 test examples are among those" in note for note in warned.outcome.notes)
    others = hs.transfer(pixels(60, seed=9), chosen, method="head", cache=False)
    assert not any("optimistic" in note for note in others.outcome.notes)
    assert not any("optimistic" in note for one in project.outcomes for note in one.notes)


def test_a_budget_that_is_up_at_once_still_leaves_a_model() -> None:
    found = hs.run(pixels(90), [clear(), dazzled()], budget=0.001, cache=False)
    assert [one.method for one in found.outcomes] == ["head"]
    assert any("the time was up" in said for said in found.left_out)
