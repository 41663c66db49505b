"""Racing, halving and time budgets end to end, on small real modules whose every forward pass is counted."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.ranking.test_arrays import arrays, saved
from tests.ranking.toys import COLOURS, Blind, Eye, folder_of_classes, pixels, source, to_tensor
from torch import nn

import headstart as hs
from headstart.errors import InputError, TargetError
from headstart.ranking import Halving, Race, budget, methods
from headstart.records import Ranking
from headstart.runner import Event
from headstart.sources import Candidate

SCORES = "leep_calibrated"
BLURS = {"clear": 0.0, "hazy": 0.15, "dim": 0.4, "dazzled": 3.0}
N = 160


@pytest.fixture(autouse=True, scope="module")
def short_first_round() -> Iterator[None]:
    """Forty examples make a first round here, so that small data has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "FIRST", 40)
        yield


class Log(Counter[bytes]):
    """The pictures that a module was shown; the copies that run it write into the same one."""

    def __deepcopy__(self, memo: dict) -> "Log":
        return self


class Counted(Eye):
    """An eye that knows the three colours, more or less clearly, and notes every picture it is shown."""

    def __init__(self, blur: float = 0.0) -> None:
        super().__init__(blur)
        colours = torch.tensor(list(COLOURS.values())) / 255
        self.body, self.fc = nn.Sequential(nn.Flatten()), nn.Linear(3, 3)
        with torch.no_grad():  # the nearest colour wins
            self.fc.weight.copy_(20 * colours)
            self.fc.bias.copy_(-10 * (colours**2).sum(dim=1))
        self.shown = Log()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shown.update(picture.numpy().tobytes() for picture in x.contiguous())
        return super().forward(x)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of which no two are the same."""
    return pixels(N)


def field() -> dict[str, Counted]:
    return {name: Counted(blur) for name, blur in BLURS.items()}


def raced(modules: dict[str, Counted], **options: object) -> Ranking:
    sources = [source(module, name) for name, module in modules.items()]
    for module in modules.values():
        module.shown.clear()  # what building it showed it
    return hs.rank(pictures(), sources, **{"scores": SCORES, "cache": False, "search": "race", **options})


@dataclass
class Example:
    """One race, and the full search beside it."""

    modules: dict[str, Counted]
    race: Ranking
    whole: Ranking


@pytest.fixture(scope="module")
def example(short_first_round: None) -> Example:
    modules = field()
    return Example(modules, raced(modules), raced(field(), search="all"))


def real_pictures() -> set[bytes]:
    images = pictures()[0]
    return {to_tensor(_Picture(image)).numpy().tobytes() for image in images}


class _Picture:
    """What `to_tensor` asks of a picture."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    def resize(self, size: tuple[int, int]) -> np.ndarray:
        return self.image


def test_a_race_finds_the_winner_of_the_full_search_at_a_part_of_the_passes(example: Example) -> None:
    whole, ranking = example.whole, example.race
    search = ranking.search
    assert ranking.best == whole.best == "clear"
    assert search is not None
    assert whole.search is not None
    assert (search.method, search.error, search.margin, search.full) == ("race", 0.05, 0.01, 4 * N)
    assert (whole.search.share, whole.search.partial) == (1.0, False)
    assert search.passes == sum(row.computed for row in ranking.rows) < 0.7 * search.full
    assert search.share == search.passes / search.full
    assert [row.examples for row in whole.rows] == [N] * 4


def test_who_was_dropped_comes_later_and_says_why_and_on_how_many_examples(example: Example) -> None:
    ranking = example.race
    rows = {row.source: row for row in ranking.rows}
    assert ranking.search is not None
    assert rows["dazzled"].examples == ranking.search.rounds[0].examples == 40
    assert "dazzled" in ranking.search.rounds[0].dropped
    assert "below" in rows["dazzled"].dropped
    assert "on 40 examples" in rows["dazzled"].dropped
    seen = [row.examples for row in ranking.rows]
    assert seen == sorted(seen, reverse=True)
    assert rows["dazzled"].rank_low is not None
    assert rows["dazzled"].rank_low > 1
    assert sum(row.probability_best or 0 for row in ranking.rows) == pytest.approx(1.0)


def test_no_picture_is_shown_twice_without_a_cache(example: Example) -> None:
    known = real_pictures()
    for module in example.modules.values():
        counts = [count for picture, count in module.shown.items() if picture in known]
        assert counts
        assert max(counts) == 1


def test_prefixes_are_nested_stratified_and_the_same_for_all_sources(example: Example) -> None:
    known = real_pictures()
    shown = {name: set(module.shown) & known for name, module in example.modules.items()}
    sizes = {name: len(pictures) for name, pictures in shown.items()}
    assert len(set(sizes.values())) > 1
    for smaller in shown.values():
        for larger in shown.values():
            assert smaller <= larger or larger <= smaller
    labels = dict(
        zip([to_tensor(_Picture(image)).numpy().tobytes() for image in pictures()[0]], pictures()[1], strict=True)
    )
    for held in shown.values():
        counts = Counter(labels[picture] for picture in held)
        assert max(counts.values()) - min(counts.values()) <= 2  # each class within one of its share


def test_a_later_full_search_finds_the_rows_of_the_race_in_the_cache(tmp_path: Path) -> None:
    modules = field()
    ranking = raced(modules, cache=tmp_path)
    spent = {row.source: row.computed for row in ranking.rows}
    whole = raced(field(), cache=tmp_path, search="all")
    assert {row.source: row.computed for row in whole.rows} == {name: N - rows for name, rows in spent.items()}
    again = raced(field(), cache=tmp_path)
    assert [row.computed for row in again.rows] == [0] * 4
    assert len(set(spent.values())) > 1
    assert [row.source for row in again.rows] == [row.source for row in ranking.rows]
    assert again.search is not None
    assert again.search.passes == sum(spent.values())  # counted whether the network ran or the cache had them


def test_a_source_that_goes_through_everything_has_the_scores_of_the_full_search(example: Example) -> None:
    whole, ranking = example.whole, raced(field(), search=Race(error=1e-30, margin=0.0))
    assert [row.examples for row in ranking.rows] == [N] * 4
    assert ranking.search is not None
    assert ranking.search.ended == "whole"
    for one, other in zip(ranking.rows, whole.rows, strict=True):
        assert one.source == other.source
        assert one.scores[SCORES].value == pytest.approx(other.scores[SCORES].value, abs=1e-6)
        assert one.scores[SCORES].standard_error == pytest.approx(other.scores[SCORES].standard_error, rel=1e-3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four sources as arrays, of growing noise."""
    folder = tmp_path_factory.mktemp("files")
    for seed, noise in enumerate((0.3, 0.4, 0.6, 3.0)):
        np.savez(folder / f"noise {noise}.npz", **arrays(noise, seed=seed, n=N))
    return sorted(folder.iterdir())


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Race(error=0.4), Race(error=1e-30)),
        (Race(error=1e-30, margin=50.0), Race(error=1e-30, margin=0.0)),
        (Halving(share=0.5), Halving(share=0.9)),
        ("race", "all"),
    ],
)
def test_every_option_of_a_search_changes_what_it_spends(files: list[Path], less: object, more: object) -> None:
    spent = [hs.rank(files, scores=SCORES, search=search).search for search in (less, more)]  # type: ignore[arg-type]
    assert spent[0] is not None
    assert spent[1] is not None
    assert spent[0].share < spent[1].share


def test_sources_alike_end_the_race_within_the_margin_and_it_says_so() -> None:
    ranking = raced({"one": Counted(), "two": Counted()})
    assert ranking.search is not None
    assert ranking.search.ended == "margin"
    assert ranking.search.share < 1
    assert ranking.sureness == (
        "one is the best by leep_calibrated at 95 %, or within 0.01 of it; "
        "two cannot be told apart from it on the images that both saw."
    )


def test_halving_keeps_the_better_half_each_round() -> None:
    ranking = raced(field(), search=Halving(share=0.5))
    assert ranking.search is not None
    assert [round_.sources for round_ in ranking.search.rounds] == [4, 2]
    assert set(ranking.search.rounds[0].dropped) == {"dim", "dazzled"}
    assert (ranking.best, ranking.search.ended) == ("clear", "budget")
    assert ranking.search.share == pytest.approx(0.5, abs=0.01)


def test_halving_two_sources_is_one_round_on_a_stratified_part() -> None:
    images, labels = pictures()
    by_class = np.argsort(labels, kind="stable")  # the first forty are all of one class
    module = Counted()
    models = [source(module, "clear"), source(Counted(3.0), "dazzled")]
    ranking = hs.rank((images[by_class], labels[by_class]), models, scores=SCORES, cache=False, search="halving")
    assert ranking.search is not None
    assert [(round_.examples, round_.sources) for round_ in ranking.search.rounds] == [(40, 2)]
    label_of = {
        to_tensor(_Picture(image)).numpy().tobytes(): label for image, label in zip(images, labels, strict=True)
    }
    counts = Counter(label_of[picture] for picture in module.shown if picture in label_of)
    assert sorted(counts.values()) == [13, 13, 14]


def test_one_source_alone_sees_everything() -> None:
    for search in ("race", "halving"):
        assert raced({"only": Counted()}, search=search).rows[0].examples == N


def test_a_broken_source_is_left_out_and_the_others_race_on() -> None:
    models = [source(Counted(), "clear"), source(Blind(), "blind"), source(Counted(2.0), "dazzled")]
    ranking = hs.rank(pictures(), models, scores=SCORES, cache=False, search="race")
    assert [failure.source for failure in ranking.failures] == ["blind"]
    assert ranking.best == "clear"


def test_those_dropped_because_of_a_source_that_fails_later_come_back() -> None:
    class Tiring(Counted):
        """The clearest of all, until it has seen too much."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = super().forward(x)
            return out * float("nan") if sum(self.shown.values()) > 60 else out

    ranking = raced({"tiring": Tiring(), "hazy": Counted(0.15), "dim": Counted(0.4)})
    assert [failure.source for failure in ranking.failures] == ["tiring"]
    assert ranking.search is not None
    first, second = ranking.search.rounds[:2]
    assert (first.sources, first.dropped) == (3, ("dim",))  # on account of the leader
    assert (second.examples, second.sources) == (80, 2)
    assert ranking.best == "hazy"
    assert next(row.examples for row in ranking.rows if row.source == "dim") == 80


def test_ctrl_c_ends_a_race_and_what_was_computed_stays(tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if event.message.startswith("Round 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        raced(field(), cache=tmp_path, progress=interrupt)
    assert [row.computed for row in raced(field(), cache=tmp_path, search="all").rows] == [N - 40] * 4


def test_as_many_unreadable_examples_are_allowed_as_in_a_full_search(tmp_path: Path) -> None:
    folder = folder_of_classes(tmp_path / "photos", 120)
    for path in sorted((folder / "red").iterdir())[:10]:
        path.write_bytes(path.read_bytes()[:50])
    models = [source(Counted(), "clear"), source(Counted(3.0), "dazzled")]
    ranking = hs.rank(folder, models, scores=SCORES, search=Race(error=1e-30, margin=0.0), max_bad=0.09, cache=False)
    assert len(ranking.target.skipped) == 10
    assert (ranking.rows[0].examples, ranking.failures) == (110, ())
    with pytest.raises(TargetError):
        hs.rank(folder, models, scores=SCORES, search="race", max_bad=0.0, cache=False)


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(budget.Deadline.after.__func__, "__defaults__", (clock,))
    return clock


def ticking(clock: Clock, seconds: float) -> dict[str, Counted]:
    """The field, each picture of which takes its time."""

    class Slow(Counted):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            clock.now += seconds * len(x)
            return super().forward(x)

    return {name: Slow(blur) for name, blur in BLURS.items()}


@pytest.mark.parametrize("search", ["all", "race", "halving"])
def test_a_time_budget_ends_any_search_with_an_answer(clock: Clock, search: str) -> None:
    ranking = raced(ticking(clock, 1.0), search=search, time_budget=250)  # 40 pictures each take 160 s
    record = ranking.search
    assert record is not None
    assert (record.ended, record.time_budget, record.unreached) == ("time", 250.0, ())
    assert ranking.best == "clear"
    assert len(ranking.rows) == 4
    assert max(row.examples or 0 for row in ranking.rows) < N
    assert 160 <= (record.seconds or 0) <= 250 + 32  # no further than one batch
    assert "at 95 %" in ranking.sureness
    assert "because the time was up" in str(ranking).replace("\n", " ")


def test_the_last_round_is_cut_to_the_time_that_is_left(clock: Clock) -> None:
    record = raced(ticking(clock, 1.0), search="all", time_budget=400).search
    assert record is not None
    assert record.rounds[0].examples == 40
    assert 40 < record.rounds[-1].examples < 80 + 20
    assert record.ended == "time"


def test_sources_that_were_not_reached_are_listed_and_the_others_answer(clock: Clock) -> None:
    ranking = raced(ticking(clock, 1.0), time_budget="100s")
    assert ranking.search is not None
    assert [row.source for row in ranking.rows] == ["clear", "hazy"]
    assert ranking.search.unreached == ("dim", "dazzled")
    assert ranking.best == "clear"
    shown = str(ranking).replace("\n", " ")
    assert "Two sources were not reached in time: dim and dazzled." in shown
    assert "clear comes first of those reached, but at 95 % hazy cannot be told apart" in shown
    assert ranking.to_dataframe()["source"].tolist() == ["clear", "hazy", "dim", "dazzled"]


def test_a_budget_too_short_for_anything_says_so_and_writes_nothing(clock: Clock, tmp_path: Path) -> None:
    ranking = raced(ticking(clock, 1.0), time_budget=1, out=tmp_path / "run")
    assert ranking.rows == ()
    assert ranking.search is not None
    assert ranking.search.unreached == ("clear", "hazy", "dim", "dazzled")
    assert "No model could be ranked." in str(ranking)
    assert not (tmp_path / "run").exists()


def test_rows_made_before_the_time_was_up_are_in_the_cache(clock: Clock, tmp_path: Path) -> None:
    raced(ticking(clock, 1.0), time_budget=1, cache=tmp_path, batch_size=8)
    later = raced(ticking(clock, 1.0), cache=tmp_path, search="all")
    assert {row.source for row in later.rows if row.computed < N} == {"clear"}


def test_enough_time_changes_nothing(clock: Clock, example: Example) -> None:
    timed, free = raced(ticking(clock, 0.0), time_budget="1h"), example.race
    assert [row.source for row in timed.rows] == [row.source for row in free.rows]
    whole = raced(ticking(clock, 0.0), time_budget="1h", search="all")
    assert whole.search is not None
    assert (whole.search.ended, whole.search.partial) == ("whole", False)
    assert [row.examples for row in whole.rows] == [N] * 4


def test_arrays_race_too(tmp_path: Path) -> None:
    paths = saved(tmp_path / "scans", near=0.1, far=5.0)
    ranking = hs.rank(paths, scores=SCORES, search="race")
    assert ranking.best == "near"
    assert [row.examples for row in ranking.rows] == [40, 40]
    assert ranking.search is not None
    assert (ranking.search.ended, ranking.search.passes) == ("one left", 80)


def test_a_source_without_the_score_is_set_aside_after_the_first_round() -> None:
    bare = hs.from_module(Eye().body, head=None, prepare=lambda image: to_tensor(image).mean((1, 2)), name="bare")
    models = [source(Counted(), "clear"), bare, source(Counted(2.0), "dazzled")]
    ranking = hs.rank(
        pictures(), models, scores=["leep_calibrated", "knn"], sort="leep_calibrated", cache=False, search="race"
    )
    rows = {row.source: row for row in ranking.rows}
    assert (rows["bare"].rank, rows["bare"].examples) == (None, 40)
    assert "it has no leep_calibrated" in rows["bare"].dropped
    assert ranking.best == "clear"


def test_progress_tells_of_rounds() -> None:
    events: list[Event] = []
    raced(field(), progress=events.append)
    rounds = [event.message for event in events if event.message.startswith("Round")]
    assert rounds[0] == "Round 1: 4 models on 40 examples"
    assert rounds[1].endswith("on 80 examples")


def test_the_command_that_is_recorded_names_the_search() -> None:
    assert raced(field()).provenance.command.endswith("seed=0, search='race')")
    assert "time_budget=3600" in raced({"only": Counted()}, time_budget="1h").provenance.command


def test_small_sources_are_loaded_once_for_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: Counter[str] = Counter()

    def candidate(name: str, blur: float) -> Candidate:
        made = source(Counted(blur), name)

        def load(trust_pickle: bool) -> hs.Source:
            loads[name] += 1
            return made

        return Candidate(made.card, load)

    def run() -> int:
        loads.clear()
        models = [candidate("clear", 0.0), candidate("hazy", 0.2)]
        hs.rank(pictures(), models, scores=SCORES, cache=False, search=Race(error=1e-30, margin=0.0))
        return max(loads.values())

    assert run() == 1
    monkeypatch.setattr("headstart.ranking.attempt.SHELF", 0)
    assert run() > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"search": "races"},
            r"`search` must be one of all, race, halving, fine-tune, or headstart.ranking.Race\(...\) or Halving",
        ),
        ({"search": None}, "`search` must be one of"),
        ({"time_budget": "soon"}, "`time_budget` must be a positive time such as 90 .* 1h; got 'soon'"),
        ({"time_budget": 0}, "`time_budget` must be a positive time"),
        ({"time_budget": "-5s"}, "`time_budget` must be a positive time"),
        ({"time_budget": True}, "`time_budget` must be a positive time"),
        (
            {"scores": "source_accuracy"},
            "`search` race needs a score that is measured on examples; source_accuracy is not",
        ),
        ({"sort": "random"}, "`search` race needs a score that is measured on examples; random is not"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_any_work(options: dict, message: str) -> None:
    modules = {"only": Counted()}
    with pytest.raises(InputError, match=message):
        raced(modules, **options)
    assert not modules["only"].shown


def test_numbers_of_a_method_that_do_not_fit_are_refused() -> None:
    for error in (0.0, 0.5, float("nan")):
        with pytest.raises(InputError, match="`error` of a race must lie between 0 and 1/2"):
            Race(error=error)
    with pytest.raises(InputError, match="`margin` of a race must be 0 or above"):
        Race(margin=-0.1)
    with pytest.raises(InputError, match="`share` of a halving must be above 0"):
        Halving(share=0.0)


@pytest.mark.parametrize(
    ("text", "seconds"), [(90, 90.0), ("90", 90.0), ("60s", 60.0), ("5m", 300.0), ("1h", 3600.0), ("1.5 H", 5400.0)]
)
def test_a_time_budget_is_read_with_its_unit(text: object, seconds: float) -> None:
    assert budget.seconds_of(text) == seconds  # type: ignore[arg-type]


def test_the_record_of_a_race_is_the_same_after_a_round_trip(tmp_path: Path) -> None:
    ranking = raced(field(), out=tmp_path / "run", report=tmp_path / "page.html")
    assert Ranking.load(tmp_path / "run") == ranking
    page = (tmp_path / "page.html").read_text()
    assert "forward passes spent" in page
    assert "scored on 40 images; dropped: at least" in page
    frame = ranking.to_dataframe().set_index("source")
    assert frame.loc["dazzled", "examples"] == 40
    assert "below" in frame.loc["dazzled", "dropped"]
