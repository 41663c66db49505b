"""What a ranking would cost: names, cached rows, passes, downloads and hours, with no model loaded."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.ranking.toys import folder_of_classes

import headstart as hs
from headstart.errors import InputError
from headstart.ranking.dry_run import dry_run, seconds_of_pass
from headstart.records import ModelCard
from headstart.records.table import as_text


def test_cached_rows_need_no_pass(tmp_path: Path) -> None:
    photos, cache = folder_of_classes(tmp_path / "photos", 30), tmp_path / "cache"
    models = ["zoo/tiny_digits", "zoo/tiny_letters", "timm/resnet18"]
    hs.rank(photos, models[0], scores="leep", limit=12, cache=cache)
    said = as_text(dry_run(photos, models, cache=cache, workers=2))
    lines = {line.split()[0]: line.split() for line in said.splitlines() if line.strip()}
    assert lines["zoo/tiny_digits"][1:4] == ["here", "12", "18"]
    assert lines["zoo/tiny_letters"][1:4] == ["here", "0", "30"]
    assert lines["timm/resnet18.a1_in1k"][1:3] == ["0.05", "GB"]
    assert "3 models on 30 images: 78 forward passes, 0.05 GB to download" in said
    assert "With 2 workers" in said
    assert "90 forward passes" in as_text(dry_run(photos, models, cache=cache, precision="bf16"))
    with pytest.raises(InputError, match="`precision` must be fp32 or bf16"):
        dry_run(photos, models, precision="half")


def test_the_estimate_grows_with_parameters_and_pixels_and_knows_texts() -> None:
    small, large = (ModelCard(name="x", kind="image", parameters=n, input_size=(3, 224, 224)) for n in (1e6, 2e6))
    thin, thick = (ModelCard(name="x", kind="image", products=1e9, activations=n) for n in (3e6, 30e6))
    assert (seconds_of_pass(thin), seconds_of_pass(thick)) == pytest.approx((0.0223, 0.0550), abs=1e-4)
    wide = ModelCard(name="x", kind="image", parameters=1_000_000, input_size=(3, 448, 448))
    assert seconds_of_pass(large) == 2 * seconds_of_pass(small)
    assert seconds_of_pass(wide) == 4 * seconds_of_pass(small)
    assert seconds_of_pass(ModelCard(name="x", kind="text", parameters=25_000_000)) == pytest.approx(0.064)


def test_arrays_need_no_pass_and_a_cluster_is_asked_for_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"holds arrays, .*`--dry-run`"):
        dry_run({"features": [[0.0], [1.0]] * 5, "labels": [0, 1] * 5}, "zoo")
    photos = folder_of_classes(tmp_path / "photos", 12)

    def said() -> str:
        return " ".join(as_text(dry_run(photos, "zoo/tiny_digits", workers="ray://10.0.0.1:1")).split())

    def refused(*args: object, **options: object) -> None:
        raise ConnectionError("nobody answers")

    six = SimpleNamespace(is_initialized=lambda: True, cluster_resources=lambda: {"CPU": 6.0})
    monkeypatch.setitem(sys.modules, "ray", six)
    assert "With `ray://10.0.0.1:1` on the 6 processors of the cluster: < 0.1 s" in said()
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=refused))
    assert "the size of `ray://10.0.0.1:1` is not known: Ray cannot be reached at ray://10.0.0.1:1: nobody" in said()
