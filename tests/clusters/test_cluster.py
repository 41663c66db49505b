"""Groups without labels: planted groups are found, criteria mean what they say, odd examples are listed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score, silhouette_score
from typer.testing import CliRunner

import headstart as hs
from headstart.cli import app
from headstart.clusters import cluster, criteria, oddities, partition
from headstart.clusters.criteria import against_labels, agreement
from headstart.errors import InputError
from headstart.zeroshot import open_pair, text_head
from headstart.zeroshot.pairs import unit

RNG = np.random.default_rng(0)
TRUE = np.repeat([0, 1, 2], [30, 20, 10])
BLOBS = 8 * np.eye(3)[TRUE] + RNG.standard_normal((60, 3))
NOISE = RNG.standard_normal((60, 12))


@pytest.mark.parametrize("algorithm", ["k-means", "agglomerative", "hdbscan"])
def test_planted_groups_are_found_with_their_number(algorithm: str):
    found = cluster(BLOBS, algorithm=algorithm)
    inside = np.array(found.groups) >= 0  # hdbscan may leave some out
    assert adjusted_rand_score(TRUE[inside], np.array(found.groups)[inside]) == 1
    assert found.rows[0].k == 3
    assert found.rows[0].alone == (~inside).sum() <= 12
    assert found.rows[0].stability > 0.85


def test_noise_is_said_to_be_unstable():
    found = cluster(NOISE, k=4)
    assert found.rows[0].above_chance < 0.1
    assert any("without structure" in note for note in found.notes)


def test_labels_serve_one_table_and_change_nothing_else():
    with_labels = cluster({"features": BLOBS, "labels": np.array(["a", "b", "c"])[TRUE]}, k=3)
    without = cluster(BLOBS, k=3)
    assert with_labels.groups == without.groups
    assert with_labels.rows[0].rand.value == 1
    assert without.rows[0].rand is None


def test_the_jackknife_interval_covers_the_index_of_a_large_sample():
    rng = np.random.default_rng(1)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(0, 3, n)
        return np.where(rng.random(n) < 0.3, rng.integers(0, 3, n), labels), labels

    truth = adjusted_rand_score(*draw(50_000))
    indices = [against_labels(*draw(200), seed=0)[0] for _ in range(30)]
    assert np.mean([one.low <= truth <= one.high for one in indices]) >= 0.88


def test_agreement_is_the_mean_over_the_other_sources():
    one, other, third = TRUE, 2 - TRUE, RNG.permutation(TRUE)
    pairs = adjusted_rand_score(one, third)
    assert agreement([one, other, third])[0] == pytest.approx((1 + pairs) / 2)
    assert agreement([one]) == [None]


def test_a_copy_and_an_outlier_are_listed():
    points = np.vstack([RNG.standard_normal((100, 2)), [[30.0, 30.0]]])
    points[7] = points[50] + 1e-6
    assert (7, 50) in oddities.duplicates(points)
    assert oddities.outliers(points)[0][0] == 100


def test_names_out_of_many_need_not_be_likely():
    probs = np.full((20, 1000), 0.001)
    probs[:10, 7] += 0.006
    probs[:10, 8] -= 0.006
    groups = np.repeat([0, 1], 10)
    assert oddities.names(probs, [str(name) for name in range(1000)], groups, 0) == ("7",)


def test_the_number_of_clusters_is_where_the_silhouette_exceeds_chance_most():
    points = partition.points_of(BLOBS)
    mixed = partition.unstructured(points, 0)
    assert [sorted(column) for column in mixed.T] == [sorted(column) for column in points.T]
    gap = {
        k: silhouette_score(points, partition.k_means(points, k, 0))
        - silhouette_score(mixed, partition.k_means(mixed, k, 0))
        for k in partition.counts(points)
    }
    assert partition.best_k(points, partition.k_means, 0) == max(gap, key=gap.get) == 3


def test_many_groups_of_one_source_are_preferred_to_two_stable_halves_of_another():
    groups = np.repeat(np.arange(8), 20)
    many = 8 * np.eye(8)[groups] + RNG.standard_normal((160, 8))
    halves = np.c_[RNG.standard_normal(160) * 9, RNG.standard_normal((160, 7))]  # one long axis, no groups
    stable = {
        name: criteria.stability(partition.points_of(x), partition.k_means, 2, 0)
        for name, x in (("many", many), ("halves", halves))
    }
    assert stable["halves"].value > stable["many"].value  # what the plain stability would choose
    assert stable["halves"].above_chance < 0.2


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (BLOBS, {"k": 1}, ["k", "1", "at least 2"]),
        (BLOBS, {"k": 40}, ["k", "40", "at most 30"]),
        (BLOBS, {"k": "many"}, ["k", "many", "auto"]),
        (BLOBS, {"k": 3, "algorithm": "hdbscan"}, ["k", "hdbscan"]),
        (BLOBS, {"algorithm": "kmeans"}, ["algorithm", "kmeans", "k-means"]),
        (BLOBS, {"select": "best"}, ["select", "best", "stability"]),
        (np.ones((40, 3)), {}, ["40", "same"]),
        (BLOBS[:5], {}, ["5 examples", "10"]),
        (BLOBS * np.nan, {}, ["finite"]),
    ],
)
def test_bad_input_is_a_sentence(data: np.ndarray, options: dict, words: list[str]):
    with pytest.raises(InputError) as error:
        cluster(data, **options)
    assert all(word in str(error.value) for word in words)


def test_unlabelled_pictures_are_grouped_and_shown(tmp_path: Path):
    for number in range(30):
        shade = 40 + 170 * (number % 2)
        pixels = np.clip(RNG.normal(shade, 12, (16, 16, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"picture{number:02}.png")
    page = tmp_path / "clusters.html"
    result = CliRunner().invoke(
        app,
        f"cluster {tmp_path} --models zoo/tiny_digits zoo/tiny_letters --k 2 --no-cache "
        f"--report {page} --json {tmp_path}/c.json --csv {tmp_path}/c.csv",
    )
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "c.json").read_text())
    assert {row["source"] for row in record["rows"]} == {"zoo/tiny_digits", "zoo/tiny_letters"}
    assert adjusted_rand_score([number % 2 for number in range(30)], record["groups"]) == 1
    assert page.read_text().count("<image") == 2
    assert "http" not in page.read_text().replace("http-equiv", "")
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 31


def test_a_saved_clustering_is_loaded_again(tmp_path: Path):
    found = cluster(BLOBS, k=3, out=tmp_path)
    assert hs.load(tmp_path) == found


def test_umap_draws_another_map_of_the_same_groups():
    pytest.importorskip("umap")
    found = cluster(BLOBS, k=3, map="umap")
    assert found.groups == cluster(BLOBS, k=3).groups
    assert np.isfinite(found.places).all()
    copies = np.vstack([BLOBS[[0] * 30], BLOBS[:12]])  # warnings are errors here, and umap warns of copies
    assert len({cluster(copies, k=2, map="umap").places[row] for row in range(31)}) == 1
    with pytest.raises(InputError, match="5 different examples; there are 4"):
        cluster(BLOBS[[0] * 5 + [1] * 5 + [31] * 5 + [32] * 5], k=2, map="umap")


def test_a_file_of_features_is_grouped_with_labels_or_without(tmp_path: Path):
    np.savez(tmp_path / "alone.npz", features=BLOBS)
    np.savez(tmp_path / "both.npz", features=BLOBS, labels=TRUE)
    result = CliRunner().invoke(app, ["cluster", str(tmp_path / "alone.npz"), "--k", "3", "--json", "-"])
    assert json.loads(result.stdout)["groups"] == list(cluster(BLOBS, k=3).groups)
    assert cluster(tmp_path / "both.npz", k=3).rows[0].rand.value == 1
    with pytest.raises(InputError, match="need no model"):
        cluster(tmp_path / "both.npz", "zoo")
    with pytest.raises(InputError, match=r"none.npz does not exist"):
        cluster(tmp_path / "none.npz")


def test_a_source_that_fails_leaves_the_others(tmp_path: Path):
    texts = ["good film", "bad film", "fine weather", "rain all day", "a warm day", "dull plot"] * 3
    with pytest.raises(InputError, match=r"no source could be used.*zoo/tiny_digits.*image"):
        hs.cluster((texts, ["a", "b"] * 9), "zoo/tiny_digits", cache=False)


def test_an_image_text_pair_names_the_clusters_from_the_given_names(tmp_path: Path):
    tints = [(250, 30, 30)] * 12 + [(30, 30, 250)] * 12
    shown = [Image.fromarray(np.clip(RNG.normal(tint, 12, (32, 32, 3)), 0, 255).astype(np.uint8)) for tint in tints]
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    how = {"k": 2, "name_by": "zoo/tiny_clip", "names": tmp_path / "names.txt", "cache": False}
    found = cluster(shown, "zoo/tiny_emoji", **how)
    assert found.named_by == "zoo/tiny_clip"
    assert all(set(one.names) <= {"a", "b", "c"} for one in found.clusters)
    assert any(one.names for one in found.clusters)
    pair = open_pair("zoo/tiny_clip")
    features = pair.image.forward(pair.image.join([pair.image.prepare(one) for one in shown]))[0].numpy()
    logits = text_head(pair, ("a", "b", "c"), ["a photo of a {}."])(unit(features)).numpy()
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for one in found.clusters:
        assert one.names == oddities.names(probs, ("a", "b", "c"), np.array(found.groups), one.number)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"names": ["a", "b"]}, "`names` has no effect without `name_by"),
        ({"names": ["1", "2"], "name_by": "zoo/tiny_clip"}, "'1' has no name.*with `names`"),
        ({"name_by": "zoo/tiny_digits"}, "no image-text pair"),
        ({"name_by": "zoo/tiny_clip"}, "`name_by` names images"),
    ],
)
def test_names_that_cannot_be_given_are_said(options: dict, words: str):
    with pytest.raises(InputError, match=words):
        cluster(BLOBS, **options)
