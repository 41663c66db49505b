"""Saved transfers: the same numbers again, an interrupted run that resumes, and files that are damaged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.transfers.tiny import ON_IMAGES, Net, images, prepare, same, source, target

from headstart.errors import InputError
from headstart.runner import Event, Progress
from headstart.sources import from_module
from headstart.transfers import METHODS, load, transfer

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}
HEAD = {"cache": False}


class KilledError(Exception):
    pass


def killer(after: int) -> Progress:
    def report(event: Event) -> None:
        if event.what == "training" and event.done == after:
            raise KilledError

    return report


def options(method: str) -> dict:
    return SHORT if METHODS[method].trains else HEAD


@pytest.mark.parametrize("method", ON_IMAGES)
def test_every_method_saves_and_loads_to_bit_identical_logits(tmp_path: Path, method: str) -> None:
    run = transfer(target(), source(), method=method, out=tmp_path, **options(method))
    again = load(tmp_path, source=source())
    pictures = images(5, seed=9)[0]
    assert np.array_equal(run.logits(pictures), again.logits(pictures))
    assert again.outcome == run.outcome
    assert np.array_equal(again.predictions.outputs, run.predictions.outputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "model.json",
        "outcome.json",
        "test.safetensors",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("method", [name for name in ON_IMAGES if METHODS[name].inserts])
def test_the_added_part_alone_loads_to_the_same_logits(tmp_path: Path, method: str) -> None:
    run = transfer(target(), source(), method=method, **SHORT)
    whole, part = run.save(tmp_path / "whole"), run.save(tmp_path / "part", weights="adapter")
    pictures = images(5, seed=9)[0]
    assert np.array_equal(load(part, source=source()).logits(pictures), run.logits(pictures))
    assert (part / "weights.safetensors").stat().st_size < (whole / "weights.safetensors").stat().st_size
    with pytest.raises(InputError, match="other weights or another preprocessing"):
        load(part, source=source(seed=1))


def test_merged_updates_load_as_the_plain_network(tmp_path: Path) -> None:
    run = transfer(target(), source(), method="lora", **SHORT)
    again = load(run.save(tmp_path, weights="merged"), source=source())
    pictures = images(5, seed=9)[0]
    assert not [name for name, _ in again.network.named_parameters() if "lora" in name]
    assert np.allclose(run.logits(pictures), again.logits(pictures), atol=1e-5)
    with pytest.raises(InputError, match="method `gradual` makes none"):
        transfer(target(), source(), method="gradual", **SHORT).save(tmp_path / "x", weights="merged")
    with pytest.raises(InputError, match="changed the source itself"):
        transfer(target(), source(), method="gradual", **SHORT).save(tmp_path / "x", weights="adapter")


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"hash": "x"}', "no"])
def test_a_model_file_that_is_not_what_was_saved_is_said(tmp_path: Path, content: str) -> None:
    transfer(target(), source(), method="head", out=tmp_path, **HEAD)
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.json is damaged .* Delete the folder and run the transfer again"):
        load(tmp_path, source=source())
    with pytest.raises(InputError, match=r"model\.json is damaged"):
        transfer(target(), source(), method="head", out=tmp_path, **HEAD)


@pytest.mark.parametrize("kill", [1, 3, 5])
def test_killed_and_run_again_gives_the_same_final_numbers(tmp_path: Path, kill: int) -> None:
    settings = {**SHORT, "epochs": 3, "method": "gradual"}
    whole = transfer(target(), source(), **settings)
    with pytest.raises(KilledError):
        transfer(target(), source(), out=tmp_path, progress=killer(kill), **settings)
    assert not (tmp_path / "outcome.json").exists()
    again = transfer(target(), source(), out=tmp_path, **settings)
    assert same(whole, again)
    assert again.outcome.metrics == whole.outcome.metrics
    assert not (tmp_path / "training.safetensors").exists()


def test_a_finished_run_is_returned_and_another_one_is_not_overwritten(tmp_path: Path) -> None:
    first = transfer(target(), source(), method="fine-tune", out=tmp_path, **SHORT)
    again = transfer(target(), source(), method="fine-tune", out=tmp_path, progress=killer(1), **SHORT)
    assert same(first, again)
    with pytest.raises(InputError, match="holds another run"):
        transfer(target(), source(), method="fine-tune", out=tmp_path, seed=1, **SHORT)
    other = transfer(target(), source(), method="fine-tune", out=tmp_path, seed=1, overwrite=True, **SHORT)
    assert load(tmp_path, source=source()).outcome.seed == other.outcome.seed == 1


def test_an_unfinished_run_is_replaced_only_where_that_is_asked_for_and_goes_on_where_it_is_the_same(
    tmp_path: Path,
) -> None:
    given = {"method": "fine-tune", "out": tmp_path, **SHORT}
    with pytest.raises(KilledError):
        transfer(target(), source(), progress=killer(5), **given)
    with pytest.raises(InputError, match="belongs to a training with other data"):
        transfer(target(), source(), seed=1, **given)
    steps: list[str] = []
    again = transfer(target(), source(), overwrite=True, progress=lambda event: steps.append(event.message), **given)
    assert same(again, transfer(target(), source(), method="fine-tune", **SHORT))
    assert not [what for what in steps if "epoch 1" in what]
    with pytest.raises(KilledError):
        transfer(target(), source(), seed=2, overwrite=True, progress=killer(5), **given)
    assert transfer(target(), source(), seed=1, overwrite=True, **given).outcome.seed == 1


def test_the_training_on_other_data_before_a_replaced_run_is_replaced_too(tmp_path: Path) -> None:
    given = {"method": "head", "out": tmp_path, "epochs": 1, "cache": False}
    transfer(target(), source(), via=target(40, seed=5), **given)
    with pytest.raises(InputError, match="first-fine-tune holds another run"):
        transfer(target(), source(), via=target(40, seed=6), **given)
    transfer(target(), source(), via=target(40, seed=6), overwrite=True, **given)


def test_a_run_without_test_part_leaves_no_answers_of_the_one_it_replaces(tmp_path: Path) -> None:
    assert transfer(target(), source(), method="head", out=tmp_path, **HEAD).predictions is not None
    transfer(target(3), source(), method="head", out=tmp_path, overwrite=True, **HEAD)
    assert load(tmp_path, source=source()).predictions is None


def test_a_damaged_or_missing_file_is_said(tmp_path: Path) -> None:
    run = transfer(target(), source(), method="head", out=tmp_path, **HEAD)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"weights\.safetensors is damaged"):
        load(tmp_path, source=source())
    (tmp_path / "outcome.json").unlink()
    with pytest.raises(InputError, match="holds no finished transfer"):
        load(tmp_path)
    with pytest.raises(InputError, match="pass it as `source=`"):
        load(run.save(tmp_path / "b"))


def test_nothing_saved_is_a_pickle(tmp_path: Path) -> None:
    transfer(target(), source(), method="lora", out=tmp_path, **SHORT)
    for path in tmp_path.iterdir():
        assert path.suffix in (".json", ".md", ".safetensors")
        if path.suffix == ".json":
            json.loads(path.read_text())


def test_replacing_the_source_of_a_whole_run_by_another_architecture_is_refused(tmp_path: Path) -> None:
    transfer(target(), source(), method="fine-tune", out=tmp_path, **SHORT)
    torch.manual_seed(0)
    wide = from_module(Net(width=4).eval(), head="classifier", prepare=prepare, name="module/tiny")
    with pytest.raises(InputError, match="do not fit the network"):
        load(tmp_path, source=wide)
    assert replace(load(tmp_path, source=source()).outcome, seconds=0.0).method == "fine-tune"
