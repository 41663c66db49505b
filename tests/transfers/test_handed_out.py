"""What leaves a run: answers as tables, ONNX files, and a folder that one process holds."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.transfers.tiny import images, source, target

from headstart.errors import InputError
from headstart.transfers import transfer
from headstart.transfers.answers import as_text
from headstart.transfers.export import export_onnx
from headstart.transfers.run import Answers

HOLD = """
import sys, time
from headstart.transfers.single import only_one
with only_one(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_no_cell_is_a_formula_and_numbers_have_seven_digits() -> None:
    answers = Answers(("=1+1", "-x", "b"), ("@a", "b"), np.array([[1 / 3, 2 / 3], [0.0, 1.0], [1.0, 1e-9]]))
    lines = as_text(answers, "csv").splitlines()
    assert lines[:3] == ["id,label,p(@a),p(b)", "'=1+1,b,0.3333333,0.6666667", "'-x,b,0.0,1.0"]
    assert lines[3] == "b,'@a,1.0,1e-09"
    assert json.loads(as_text(answers, "json"))[0]["id"] == "=1+1"
    assert as_text(Answers(("x",), (), np.array([[-1.23456789]])), "csv") == "id,value\nx,-1.234568\n"


def test_an_onnx_file_says_what_it_holds_and_gives_the_values_of_the_run(tmp_path: Path) -> None:
    import onnxruntime

    run = transfer(target(), source(), method="head", cache=False)
    session = onnxruntime.InferenceSession(str(export_onnx(run, tmp_path / "model.onnx")))
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == list(run.outcome.classes)
    assert about["output"].startswith("logits")
    assert about["preprocessing"]
    pictures = images(50, seed=3)[0]
    for start, count in ((0, 1), (1, 7), (8, 42)):
        some = pictures[start : start + count]
        batch = run.source.collate([run.source.prepare(picture) for picture in some]).numpy()
        (outputs,) = session.run(None, {"input": batch})
        assert np.abs(outputs - run.logits(some)).max() < 1e-4


def test_a_folder_in_use_is_refused_at_once_by_the_process_that_holds_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            started = time.monotonic()
            with pytest.raises(InputError, match=f"is in use by process {other.pid}"):
                transfer(target(), source(), method="head", out=out, cache=False)
            assert time.monotonic() - started < 5
        finally:
            other.kill()
    run = transfer(target(), source(), method="head", out=out, cache=False)  # a killed process holds nothing
    assert (out / "outcome.json").exists()
    assert not {".lock", ".process"} & set(os.listdir(out))
    assert transfer(target(), source(), method="head", out=out, cache=False).outcome == run.outcome


def test_a_refused_call_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        transfer(target(), source(), method="head", epochs=3, out=tmp_path / "x", cache=False)
    assert not (tmp_path / "x").exists()


def test_the_model_card_names_base_licence_options_interval_and_limit(tmp_path: Path) -> None:
    run = transfer(target(80), source(), method="head", penalty=0.5, limit=40, out=tmp_path, cache=False)
    card = (tmp_path / "README.md").read_text()
    assert "limit=40" in card
    assert "licence: not stated" in card
    assert "- penalty: 0.5" in card
    right, n = run.outcome.metrics["accuracy"], run.outcome.n_test
    low, high = proportion(round(right * n), n)
    assert f"(95 % interval {low:.3f} to {high:.3f})" in card


def proportion(right: int, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(right, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
