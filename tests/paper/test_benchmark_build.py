"""Building the benchmark: on the smallest plan that has every step, killed, resumed and spread."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import InputError
from headstart.evaluation.benchmark import read_pairs, read_stored
from headstart.scores import knn, leep
from headstart_paper.benchmark import jobs, networks
from headstart_paper.benchmark.build import ROWS, SHIPPED, build, settings
from headstart_paper.benchmark.recipes import UNTRAINED, Plan, Recipe
from headstart_paper.benchmark.samples import Labelled

LOW, HIGH = ("0", "1"), ("2", "3", "4")
PLAN = Plan(
    sources=(Recipe("low", "sklearn/digits", LOW, "all", mirrored=False),),
    targets=(
        Recipe("high", "sklearn/digits", HIGH, "all"),
        Recipe("turns", "sklearn/digits", HIGH, "all", lesson="turns"),
    ),
    seeds=(0, 1),
    train=24,
    test=60,
    shown=320,
    epochs=1,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    said: list[str] = []
    build(folder, plan=PLAN, progress=lambda done, total, what: said.append(what))
    assert said[0] == "reading the pictures of sklearn/digits"
    return folder


def same_but_seconds(one: Path, other: Path) -> None:
    left, right = (replace(read_stored(folder), seconds={}) for folder in (one, other))
    scores = {name: replace(scored, seconds=0.0) for name, scored in left.scores.items()}
    assert replace(left, scores=scores) == replace(
        right, scores={name: replace(scored, seconds=0.0) for name, scored in right.scores.items()}
    )


def test_the_results_hold_every_pair_seed_and_score(built: Path) -> None:
    stored = read_stored(built)
    assert stored.sources == ("low", UNTRAINED)
    assert stored.targets == ("high", "turns")
    assert {kind: np.shape(values) for kind, values in stored.outcomes.items()} == {
        "head": (2, 2, 2),
        "fine-tune": (2, 2, 2),
    }
    assert stored.source_accuracy[1] is None
    assert (stored.source_classes, stored.target_classes, stored.test) == ((2, 10), (3, 4), (60, 60))
    assert {"leep", "knn", "logme", "parc"} <= set(stored.scores)
    assert "ImageNet" in stored.left_out["source_accuracy"]
    assert np.ptp(stored.outcomes["head"][0]) > 0
    assert np.isfinite(np.array(stored.outcomes["fine-tune"], dtype=float)).all()


def test_the_stored_scores_are_those_of_the_stored_arrays(built: Path) -> None:
    stored = read_stored(built)
    pairs = list(read_pairs(stored, built))
    assert len(pairs) == 4
    for pair in pairs:
        place = stored.targets.index(pair.target), stored.sources.index(pair.source)
        assert stored.scores["leep"].values[place[0]][place[1]] == pytest.approx(
            leep(pair.probs, pair.labels), rel=1e-5
        )
        assert stored.scores["knn"].values[place[0]][place[1]] == pytest.approx(
            knn(pair.features, pair.labels), rel=1e-5
        )


def test_the_stored_arrays_are_the_networks_own_within_half_a_step(built: Path) -> None:
    pair = next(iter(read_pairs(read_stored(built), built)))
    drawn = jobs.draw(jobs.target_parts(pair.target, built)[0], PLAN.train, PLAN.seed)
    network = jobs.source_network(pair.source, built)
    exact = networks.features_of(network, drawn.images)
    assert (np.abs(pair.features - exact) <= exact.max(axis=0) / 255 * 0.501 + 1e-7).all()
    logits = network(networks.normalised(drawn.images)).detach().numpy()
    assert pair.logits == pytest.approx(logits, abs=0.05)


def unfinished(built: Path, folder: Path, rows: int) -> None:
    """A folder as a build leaves it that was killed after so many rows."""
    (folder / ROWS).write_bytes(b"".join((built / ROWS).read_bytes().splitlines(keepends=True)[: 1 + rows]))
    for name in ("pictures", "sources", "targets"):
        (folder / name).symlink_to(built / name)


def test_a_killed_build_goes_on_and_ends_with_the_same_numbers(built: Path, tmp_path: Path) -> None:
    def kill(done: int, total: int, what: str) -> None:
        if done == 13:
            raise KeyboardInterrupt

    unfinished(built, tmp_path, rows=11)  # in the middle of the scores
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, plan=PLAN, progress=kill)
    assert not (tmp_path / "results.json").exists()
    steps: list[str] = []
    build(tmp_path, plan=PLAN, progress=lambda done, total, what: steps.append(what))
    assert len(steps) == (2 + 2) + 4 + 4 + 8 - 13
    same_but_seconds(built, tmp_path)
    build(tmp_path, plan=PLAN, progress=lambda done, total, what: pytest.fail(f"{what} was done twice"))


def test_a_folder_of_another_plan_is_refused_before_anything_is_read(built: Path) -> None:
    with pytest.raises(InputError, match="`epochs` is 1 there and 2 now"):
        build(built, plan=replace(PLAN, epochs=2))
    with pytest.raises(InputError, match=r"takes no data set `cats`; it takes sklearn/digits"):
        build(built, plan=PLAN, places={"cats": "x"})


def test_every_number_of_a_plan_decides_its_settings() -> None:
    base = settings(PLAN)
    assert all(settings(replace(PLAN, **{name: 7})) != base for name in ("seed", "train", "test", "shown", "epochs"))


def test_a_worker_process_changes_nothing(built: Path, tmp_path: Path) -> None:
    unfinished(built, tmp_path, rows=19)  # one training is left, so one process starts
    build(tmp_path, plan=PLAN, workers=2)
    same_but_seconds(built, tmp_path)


def test_what_a_source_learns_and_how_long_change_it() -> None:
    rng = np.random.default_rng(0)
    pictures = Labelled(rng.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8), np.arange(64) % 2, ("a", "b"))

    def weights(**changes: object) -> np.ndarray:
        options = {"shown": 64, "mirrored": False, "seed": 0} | changes
        return networks.pretrain(pictures, **options).classifier.weight.detach().numpy()  # type: ignore[arg-type]

    first = weights()
    assert (first == weights()).all()
    assert not any((first == weights(**change)).all() for change in ({"shown": 128}, {"mirrored": True}, {"seed": 1}))


def test_variation_shifts_and_mirrors_only_in_training() -> None:
    image = np.arange(32 * 32 * 3, dtype=np.uint32).reshape(1, 32, 32, 3).astype(np.uint8)
    pictures = Labelled(np.repeat(image, 50, axis=0), np.zeros(50, np.int64), ("a",))
    batches = networks.VariedBatches(pictures, mirrored=True, seed=0)
    everything = np.arange(50)
    assert (batches.load(everything, None) == networks.normalised(pictures.images)).all()
    varied, again = batches.load(everything, 3), batches.load(everything[::-1].copy(), 3)
    assert (varied == again.flip(0)).all()
    assert not (varied == batches.load(everything, 4)).all()
    plain = networks.VariedBatches(pictures, mirrored=False, seed=0).load(everything, 3)
    mirrored = [not bool((a == b).all()) and bool((a.flip(2) == b).any()) for a, b in zip(varied, plain, strict=True)]
    assert 10 < sum(mirrored) < 40


def test_the_shipped_results_are_of_the_default_plan() -> None:
    assert json.loads(json.dumps(settings(SHIPPED))) == json.loads(json.dumps(read_stored().settings))
