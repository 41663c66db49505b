"""`benchmark`: what it says of scores whose worth is known, and that the results which ship hold what they promise."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import headstart as hs
from headstart.cli import app
from headstart.errors import InputError
from headstart.evaluation.benchmark import Pair, Standing, Stored, benchmark, read_pairs, read_stored
from headstart.evaluation.benchmark.standing import ACCURACY, CEILING, CHANCE, CLASSES, STATIC, static_list
from headstart.evaluation.benchmark.stored import Scored, quantised, write_stored
from headstart.runner import Event
from headstart.scores import leep

SOURCES, TARGETS = ("a", "b", "c", "d"), ("x", "y", "z")
RNG = np.random.default_rng(0)
TRUTH = np.round(RNG.random((3, 4)), 3)
NOISY = np.round(TRUTH + 0.05 * RNG.standard_normal((3, 3, 4)), 3)  # three seeds


def listed(values: np.ndarray) -> tuple:
    return tuple(tuple(row) for row in values.tolist())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of four sources and three targets, with one stored score that is the outcome of the second seed."""
    stored = Stored(
        sources=SOURCES,
        targets=TARGETS,
        source_accuracy=(0.9, 0.8, 0.7, None),
        source_classes=(2, 3, 4, 5),
        target_classes=(2, 2, 2),
        shared={},
        train=10,
        test=(5, 5, 5),
        outcomes={
            "head": tuple(listed(seed) for seed in NOISY),
            "fine-tune": (listed(1 - TRUTH),),
        },
        scores={"leep": Scored(listed(NOISY[1]), listed(NOISY[1] * 0), 1.0)},
        left_out={"random": "a reason"},
        settings={},
        created="2026-11-21",
    )
    arrays = {f"weight {s}": RNG.standard_normal((3, 8)) for s in range(4)} | {
        f"bias {s}": np.zeros(3) for s in range(4)
    }
    for t in range(3):
        parts = [quantised(RNG.random((10, 8))) for _ in SOURCES]
        arrays |= {f"features {t}": np.stack([p[0] for p in parts]), f"scale {t}": np.stack([p[1] for p in parts])}
        arrays[f"labels {t}"] = np.arange(10, dtype=np.uint8) % 2
    write_stored(stored, arrays, tmp_path)
    return tmp_path


def row(rows: tuple[Standing, ...], name: str) -> Standing:
    return next(one for one in rows if one.score == name)


def of_mean(pair: Pair) -> float:
    return float(NOISY.mean(axis=0)[TARGETS.index(pair.target), SOURCES.index(pair.source)])


def np_leep(pair: Pair) -> float:
    return leep(pair.probs, pair.labels)


def test_a_score_that_knows_the_outcome_is_perfect_and_its_reverse_is_not(folder: Path) -> None:
    found = benchmark({"knows": of_mean, "reversed": lambda pair: -of_mean(pair)}, results=folder)
    knows, backward = (row(found.of("head"), name) for name in ("knows", "reversed"))
    values = (knows.weighted_tau.value, knows.kendall.value, knows.regret.value, knows.top1.value)
    assert values == pytest.approx((1, 1, 0, 1))
    assert (backward.kendall.value, backward.top1.value) == pytest.approx((-1, 0))
    means = NOISY.mean(axis=0)
    assert backward.regret.value == pytest.approx(100 * np.ptp(means, axis=1).mean())
    assert found.of("head")[0].score == "knows"  # the best first
    assert knows.weighted_tau.low is None  # three targets are too few for an interval


def test_standings_print_as_tables_and_repr_is_short(folder: Path) -> None:
    found = benchmark("leep", results=folder)
    printed = str(found).splitlines()
    assert printed[0].startswith(f"Outcome: {found.rows[0].outcome} (")
    tau = row(found.of(found.rows[0].outcome), "leep").weighted_tau.value
    assert next(line for line in printed if line.startswith("leep")).split()[1] == f"{tau:.2f}"
    assert "Correlation(" not in str(found)
    assert len(repr(found).splitlines()) <= 5
    assert repr(found).startswith("Standings(")


def test_progress_counts_the_scores(folder: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    benchmark(
        {"one": lambda pair: 0.0, "two": lambda pair: 1.0},
        results=folder,
        progress=lambda e: seen.append((e.what, e.done, e.total)),
    )
    assert seen == [("scores", 0, 2), ("scores", 1, 2), ("scores", 2, 2)]


def test_workers_give_the_standings_of_one_process_to_the_last_digit(folder: Path) -> None:
    inline = benchmark({"knows": of_mean, "leep": np_leep}, results=folder)
    assert benchmark({"knows": of_mean, "leep": np_leep}, results=folder, workers=2) == inline


def test_kendall_and_regret_are_those_of_plain_loops(folder: Path) -> None:
    means = NOISY.mean(axis=0)
    found = row(benchmark("leep", results=folder).of("head"), "leep")
    assert found.kendall.value == pytest.approx(
        np.mean([stats.kendalltau(s, o).statistic for s, o in zip(NOISY[1], means, strict=True)])
    )
    assert found.weighted_tau.value == pytest.approx(
        np.mean([stats.weightedtau(s, o).statistic for s, o in zip(NOISY[1], means, strict=True)])
    )
    assert found.regret.value == pytest.approx(
        100 * np.mean([max(o) - o[int(np.argmax(s))] for s, o in zip(NOISY[1], means, strict=True)])
    )


def test_a_score_that_never_varies_has_no_tau_and_stands_last(folder: Path) -> None:
    last = benchmark({"constant": lambda pair: 1.0}, results=folder).of("head")[-1]
    assert (last.score, last.weighted_tau.value, last.kendall.value) == ("constant", None, None)
    mean = NOISY.mean(axis=0)  # (targets, sources); all sources tie, so that of a draw among all is expected
    assert last.regret.value == pytest.approx(100 * (mean.max(axis=1) - mean.mean(axis=1)).mean())


def test_the_static_list_never_sees_its_target() -> None:
    expected = np.array([[np.mean([TRUTH[u, s] for u in range(3) if u != t]) for s in range(4)] for t in range(3)])
    assert static_list(TRUTH) == pytest.approx(expected)


def test_baselines_and_the_ceiling_stand_beside_every_score(folder: Path) -> None:
    found = benchmark("leep", results=folder)
    heads = {one.score: one.kind for one in found.of("head")}
    assert heads == {
        "leep": "score",
        STATIC: "baseline",
        ACCURACY: "baseline",
        CLASSES: "confound",
        CHANCE: "baseline",
        CEILING: "ceiling",
    }
    ranked = [stats.kendalltau((0.9, 0.8, 0.7, 0.0), o).statistic for o in NOISY.mean(axis=0)]
    assert row(found.of("head"), ACCURACY).kendall.value == pytest.approx(np.mean(ranked))
    ceiling = np.mean(
        [
            stats.kendalltau(NOISY[i, t], NOISY[[j for j in range(3) if j != i], t].mean(axis=0)).statistic
            for i in range(3)
            for t in range(3)
        ]
    )
    assert row(found.of("head"), CEILING).kendall.value == pytest.approx(ceiling)


def test_one_seed_no_ceiling(folder: Path) -> None:
    names = [one.score for one in benchmark("leep", results=folder).of("fine-tune")]
    assert CEILING not in names


def test_options_change_the_result(folder: Path) -> None:
    def found(**options: object) -> tuple[object, ...]:
        one = row(benchmark("leep", results=folder, **options).of("fine-tune"), "leep")  # type: ignore[arg-type]
        return one.weighted_tau, one.regret

    first = found()
    assert first == found()
    assert found(weights="score") != first
    half, most = (row(benchmark("leep", level=level).of("head"), "leep").kendall for level in (0.5, 0.95))
    assert half.high - half.low < most.high - most.low
    chance = [row(benchmark("leep", results=folder, seed=seed).of("head"), CHANCE) for seed in (0, 1)]
    assert chance[0] != chance[1]


def test_a_score_of_the_table_that_is_not_stored_is_computed(folder: Path) -> None:
    found = row(benchmark(["knn"], results=folder).of("head"), "knn")
    own = {"mine": lambda pair: hs.scores.knn(pair.features, pair.labels)}
    assert found.kendall == row(benchmark(own, results=folder).of("head"), "mine").kendall


def how_many(folder: Path, *scores: str) -> int:
    """How many scores would be compared."""
    totals: list[int] = []

    def stop(event: Event) -> None:
        totals.append(event.total)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        benchmark(*scores, results=folder, progress=stop)
    return totals[0]


def test_blank_names_are_skipped(folder: Path) -> None:
    assert benchmark("knn, ,", results=folder) == benchmark(["knn"], results=folder)
    assert len({how_many(folder, *scores) for scores in (("all,",), ())}) == 1
    for blank in ("", " , ", [""]):
        with pytest.raises(InputError, match='`scores` must name at least one score, or be "all"; got'):
            benchmark(blank, results=folder)


def test_bad_scores_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"unknown score `leap`. Did you mean `leep`"):
        benchmark("leap", results=folder)
    with pytest.raises(InputError, match=r"`mine` must return one finite number; got nan for a on x"):
        benchmark({"mine": lambda pair: float("nan")}, results=folder)
    for value in ("a", None, [1.0, 2.0]):
        with pytest.raises(InputError, match=r"`mine` must return one finite number; got .* for a on x"):
            benchmark({"mine": lambda pair, value=value: value}, results=folder)  # type: ignore[dict-item]
    for odd in (3, ["leep", 4]):
        with pytest.raises(InputError, match="`scores` must be names, or functions by name; got"):
            benchmark(odd, results=folder)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is the name of a baseline"):
        benchmark({STATIC: of_mean}, results=folder)
    with pytest.raises(InputError, match=r"no results\.json in .*reproduce benchmark --out FOLDER"):
        benchmark(results=folder / "nowhere")
    assert benchmark("random", results=folder).left_out == {"random": "a reason"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 2}, r"`level` must lie between 0 and 1; got 2"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0; got -1"),
        ({"weights": "mine"}, "`weights` must be outcome, score or both; got 'mine'"),
    ],
)
def test_options_out_of_range_are_refused_before_a_score_is_computed(folder: Path, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        benchmark({"mine": lambda pair: pytest.fail("computed")}, results=folder, **options)


def test_the_shipped_results_are_small() -> None:
    stored = read_stored()
    assert len(stored.sources) >= 12
    assert len(stored.targets) >= 8
    shipped = Path(hs.__file__).parent / "evaluation/benchmark/shipped"
    assert sum(file.stat().st_size for file in shipped.iterdir()) < 3.4e6
    assert {kind: len(seeds) for kind, seeds in stored.outcomes.items()} == {"head": 3, "fine-tune": 3}


def test_no_static_list_wins_on_the_shipped_outcomes() -> None:
    stored = read_stored()
    for kind in stored.outcomes:
        outcomes = np.mean(stored.outcomes[kind], axis=0)
        pairs = zip(static_list(outcomes), outcomes, strict=True)
        assert np.mean([stats.kendalltau(listed, reached).statistic for listed, reached in pairs]) <= 0.4


def test_the_shipped_scores_follow_from_the_shipped_arrays() -> None:
    stored = read_stored()
    for place, pair in enumerate(read_pairs(stored)):
        if place % 40 == 7:
            t, s = stored.targets.index(pair.target), stored.sources.index(pair.source)
            for name, array in (("leep", pair.probs), ("knn", pair.features), ("regularized_h_score", pair.features)):
                again = getattr(hs.scores, name)(array, pair.labels)
                assert stored.scores[name].values[t][s] == pytest.approx(again, rel=1e-4), (name, pair.source)


def test_the_command_prints_every_score_and_writes_json(tmp_path: Path) -> None:
    files = ["--json", str(tmp_path / "b.json"), "--markdown", str(tmp_path / "b.md")]
    result = CliRunner().invoke(app, ["benchmark", *files])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "b.md").read_text()
    for name in (*read_stored().scores, STATIC, ACCURACY, CLASSES, CHANCE, CEILING, "Outcome: head"):
        assert name in result.output
        assert name in page
    assert max(map(len, result.output.splitlines()[:37])) <= 80  # nothing is cut, and nothing wraps
    found = hs.benchmark("logme").of("head")
    tau = next(row for row in found if row.score == "logme").weighted_tau
    assert f"{tau.value:.2f} [{tau.low:.2f},{tau.high:.2f}]" in result.output
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert {row["score"] for row in rows} >= {*read_stored().scores, STATIC, ACCURACY, CLASSES, CHANCE, CEILING}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scores", "leap"], "Did you mean `leep`"),
        (["--scores", "leep", "--weights", "mine"], "outcome, score or both"),
    ],
)
def test_wrong_usage_is_said_and_ends_with_2(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["benchmark", *arguments])
    assert result.exit_code == 2
    assert says in result.output


def test_comparing_stored_scores_needs_no_torch() -> None:
    code = "import sys, headstart; headstart.benchmark('leep'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
