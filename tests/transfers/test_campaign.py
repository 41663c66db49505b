"""Several methods and seeds together; predictions of new inputs; ONNX."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tests.transfers.tiny import images, source, target, text_source, texts
from threadpoolctl import threadpool_limits

from headstart.data import open_target, open_unlabelled
from headstart.errors import HeadstartError, InputError, TargetError
from headstart.evaluation.stored import read_runs
from headstart.runner import Event
from headstart.transfers import load, opening, transfer
from headstart.transfers.answers import as_text, write_answers
from headstart.transfers.campaign import campaign, previews
from headstart.transfers.export import export_onnx
from headstart.transfers.methods import FineTune, Head, Scratch
from headstart.transfers.parts import split_target
from headstart.transfers.run import Answers, live_parameters

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}


def test_methods_and_seeds_are_carried_out_and_compared(tmp_path: Path) -> None:
    events: list[Event] = []
    done = campaign(
        target(),
        source(),
        ["head", "lora"],
        seeds=2,
        scratch=True,
        out=tmp_path,
        progress=events.append,
        rank=2,
        **SHORT,
    )
    assert [(run.outcome.method, run.outcome.seed) for run in done.runs] == [
        (name, seed) for seed in (0, 1) for name in ("head", "lora", "scratch")
    ]
    assert Event("runs", 4, 6, "[5/6] lora-seed1") in events
    assert [c.method for c in done.comparisons] == ["head", "lora"]
    assert done.comparisons[1].seeds == (0, 1)
    assert done.comparisons[1].convergence is not None
    assert done.runs[1].method.rank == 2
    assert done.runs[0].method == Head()
    stored = read_runs([tmp_path])
    assert {run.outcome.method for run in stored} == {"head", "lora", "scratch"}
    assert load(tmp_path / "lora-seed1", source=source()).outcome == done.runs[4].outcome


def test_training_from_scratch_too_takes_the_three_seeds_of_a_verdict() -> None:
    done = campaign(target(), source(), ["head"], scratch=True, epochs=1, cache=False)
    assert [run.outcome.seed for run in done.runs] == [0, 0, 1, 1, 2, 2]
    assert done.comparisons[0].low is not None
    assert len(campaign(target(), source(), ["head"], cache=False).runs) == 1


def test_a_training_that_is_surely_behind_scratch_stops_and_one_that_is_not_runs_on() -> None:
    with pytest.raises(InputError, match="`stop_behind` compares with training from scratch; add `scratch=True`"):
        campaign(target(), source(), ["fine-tune"], stop_behind=True)
    kept: dict[str, Any] = {"batch_size": 16, "cache": False, "seeds": 1, "epochs": 5, "progress": False}
    methods = [
        FineTune(rate=1e-9, ratio=1.0),
        FineTune(rate=0.03, ratio=1.0),
        Scratch(rate=0.03),
    ]  # the first cannot learn
    done = campaign(target(100), source(), methods, stop_behind=True, **kept)
    behind, level, scratch = (run.outcome for run in done.runs)
    assert "surely behind training from scratch: validation accuracy" in behind.stopped
    assert behind.epochs < level.epochs == scratch.epochs == 5
    with pytest.raises(InputError, match="a training on the same parts"):
        transfer(target(60), source(), method="fine-tune", against=scratch, cache=False)


def refuse_weights(folder: Path) -> None:
    """Make a folder in which the weights of a run cannot be written."""
    (folder / "weights.safetensors").mkdir(parents=True)


def test_worker_processes_give_the_numbers_of_one_process_and_one_failure_leaves_the_others(tmp_path: Path) -> None:
    events: list[Event] = []
    model, options = source(), {"scratch": True, "seeds": 1, **SHORT}
    refuse_weights(tmp_path / "bitfit-seed0")
    with threadpool_limits(1):
        inline = campaign(target(), model, ["head"], **options)
        spread = campaign(
            target(), model, ["head", "bitfit"], workers=2, out=tmp_path, progress=events.append, **options
        )
    assert [one.source for one in spread.failures] == ["bitfit-seed0"]
    assert spread.folders == (tmp_path / "head-seed0", tmp_path / "scratch-seed0")
    assert inline.folders == ()
    for one, other in zip(inline.runs, spread.runs, strict=True):
        assert one.outcome.metrics == other.outcome.metrics
        losses = [[point.train_loss for point in run.outcome.curve] for run in (one, other)]
        assert losses[0] == losses[1]
        assert one.predictions is not None
        assert other.predictions is not None
        assert np.array_equal(one.predictions.outputs, other.predictions.outputs)
        for name in live_parameters(one.network):
            assert torch.equal(one.network.get_parameter(name), other.network.get_parameter(name))
    assert inline.comparisons == spread.comparisons
    runs = [event for event in events if event.what == "runs"]
    assert [(event.done, event.total) for event in runs] == [(1, 3), (2, 3), (3, 3)]
    assert {"head-seed0", "bitfit-seed0", "scratch-seed0"} == {event.message.split()[1] for event in runs}


def test_a_failed_run_leaves_the_others(tmp_path: Path) -> None:
    refuse_weights(tmp_path / "head-seed0")
    done = campaign(target(), source(), ["head", "bitfit"], out=tmp_path, epochs=1, cache=False)
    assert [run.outcome.method for run in done.runs] == ["bitfit"]
    assert done.folders == (tmp_path / "bitfit-seed0",)
    assert [one.source for one in done.failures] == ["head-seed0"]
    assert "weights.safetensors" in done.failures[0].reason
    assert "head-seed0 failed" in str(done)
    events: list[Event] = []
    with pytest.raises(HeadstartError, match=r"weights\.safetensors"):  # no run is left to report
        campaign(target(), source(), ["head"], out=tmp_path / "head-seed0", cache=False, progress=events.append)
    assert events[-1].message == "[1/1] head failed"  # the error says why, and only the error


def test_plans_of_several_methods_open_the_data_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(opening, "split_target", lambda *a, **k: opened.append(a) or split_target(*a, **k))
    plans = list(previews(target(), source(), ["head", "partial"], scratch=True, top=1.0, cache=False))
    assert [plan.method for plan in plans] == ["head", "partial", "scratch"]
    assert len(opened) == 1


def test_a_method_that_is_named_and_chosen_too_is_compared_as_both() -> None:
    done = campaign(target(), source(), ["auto", "head"], scratch=True, seeds=1, epochs=1, cache=False)
    assert [run.outcome.method for run in done.runs] == ["head", "head", "scratch"]
    assert [(c.method, c.seeds) for c in done.comparisons] == [("head", (0,)), ("head", (0,))]


def test_scratch_is_not_pulled_to_its_random_start() -> None:
    kept = {"momentum": 0.5, "optimizer": "sgd", "keep_statistics": True, **SHORT}
    done = campaign(target(), source(), ["fine-tune", "gradual"], scratch=True, seeds=1, l2_sp=0.5, warmup=0.2, **kept)
    assert [(run.outcome.options["l2_sp"], run.outcome.options["warmup"]) for run in done.runs] == [
        (0.5, 0.2),
        (0.5, 0.1),  # its schedule has a rise of its own
        (0.0, 0.2),
    ]


def test_one_run_lies_in_the_folder_itself(tmp_path: Path) -> None:
    done = campaign(target(), source(), ["head"], out=tmp_path, cache=False)
    assert done.folders == (tmp_path,)
    assert (tmp_path / "outcome.json").exists()
    assert done.comparisons == ()


def test_an_option_of_no_method_is_refused() -> None:
    with pytest.raises(InputError, match="`rank` has no effect with methods `head` and `gradual`"):
        campaign(target(), source(), ["head", "gradual"], rank=2, cache=False)
    with pytest.raises(InputError, match="`epochs` has no effect with method `head`"):
        campaign(target(), source(), ["head"], epochs=2, cache=False)
    ran: list[object] = []
    for settings in ({"epochs": 0}, {"augment": "wild"}, {"mixup": -1.0}):
        with pytest.raises(InputError, match=f"`{min(settings)}` must be"):
            campaign(target(), source(), ["head", "fine-tune"], progress=ran.append, **settings)
    assert not ran
    with pytest.raises(InputError, match="`seeds` must be a whole number of at least 1; got 0"):
        campaign(target(), source(), ["head"], seeds=0)
    with pytest.raises(InputError, match="at least one method"):
        campaign(target(), source(), [])


@pytest.fixture(scope="module")
def run() -> object:
    return transfer(target(), source(), method="fine-tune", **SHORT)


def test_a_folder_of_new_images_is_predicted_and_broken_ones_are_said(tmp_path: Path, run) -> None:
    (tmp_path / "deep").mkdir()
    pictures = images(3)[0]
    pictures[0].save(tmp_path / "b.png")
    pictures[1].convert("L").save(tmp_path / "deep" / "a.png")
    Image.new("CMYK", (5, 90)).save(tmp_path / "odd.jpg")
    (tmp_path / "broken.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("no image")
    found = open_unlabelled(tmp_path, "image")
    assert found.ids == ("b.png", "deep/a.png", "odd.jpg")
    assert list(found.skipped) == ["broken.png"]
    answers = run.predict(found.examples, found.ids)
    assert answers.outputs[0] == pytest.approx(run.predict(pictures[:1]).outputs[0], abs=1e-6)


def test_python_predicts_paths_arrays_folders_and_empty_lists(tmp_path: Path, run) -> None:
    pictures = [picture.resize((9, 9)) for picture in images(3)[0]]
    expected = run.predict(pictures)
    assert expected.ids == ("0", "1", "2")
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    arrays = [np.asarray(picture) for picture in pictures]
    for given in (paths, [str(path) for path in paths], arrays, np.stack(arrays), np.stack(arrays) / 255.0, tmp_path):
        assert run.predict(given).outputs == pytest.approx(expected.outputs, abs=1e-5)
    assert run.predict(arrays[:1]).outputs == pytest.approx(expected.outputs[:1], abs=1e-5)
    assert run.predict(tuple(pictures[:2])).ids == ("0", "1")
    assert run.predict(tmp_path).ids == ("0.png", "1.png", "2.png")
    paths[1].write_bytes(b"broken")
    answers = run.predict(paths, ["x", "y", "z"])
    assert (answers.ids, list(answers.skipped)) == (("x", "z"), ["y"])
    assert answers.outputs == pytest.approx(expected.outputs[[0, 2]], abs=1e-6)
    empty = run.predict([])
    assert (empty.ids, empty.outputs.shape, empty.labels) == ((), (0, len(run.outcome.classes)), ())
    with pytest.raises(InputError, match="the model reads images"):
        run.predict(["good", "bad"])


def test_a_zip_an_image_a_folder_and_arrays_give_the_same_answers(tmp_path: Path, run) -> None:
    pictures = [picture.resize((9, 9)) for picture in images(3)[0]]
    (tmp_path / "deep").mkdir()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for number, picture in enumerate(pictures):
            picture.save(file := tmp_path / "deep" / f"{number}.png")
            packed.write(file, f"any/where/{number}.png")
        packed.write(file, "__MACOSX/any/._2.png")
        packed.writestr("notes.txt", "no image")
    np.savez(tmp_path / "all.npz", images=np.stack([np.asarray(picture) for picture in pictures]))
    expected = run.predict(pictures).outputs
    for name, ids in (
        ("all.zip", ("any/where/0.png", "any/where/1.png", "any/where/2.png")),
        ("deep", ("0.png", "1.png", "2.png")),
        ("all.npz", ("0", "1", "2")),
        ("deep/1.png", ("1.png",)),
    ):
        found = open_unlabelled(tmp_path / name, "image")
        assert found.ids == ids
        outputs = run.predict(found.examples, found.ids).outputs
        assert np.allclose(outputs, expected if len(ids) == 3 else expected[1:2], atol=1e-6)
    np.savez(tmp_path / "texts.npz", texts=["red one", "green"], ids=["x", "y"])
    found = open_unlabelled(tmp_path / "texts.npz", "text")
    assert ([found.examples.load(i) for i in range(2)], found.ids) == (["red one", "green"], ("x", "y"))


def test_archives_without_inputs_are_said(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("notes.txt", "no image")
    np.savez(tmp_path / "f.npz", features=np.zeros((2, 3)))
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="holds no images"):
        open_unlabelled(tmp_path / "a.zip", "image")
    with pytest.raises(InputError, match="holds arrays, but the model reads images"):
        open_unlabelled(tmp_path / "f.npz", "image")
    with pytest.raises(TargetError, match=r"cannot read .* as a zip"):
        open_unlabelled(tmp_path / "b.zip", "image")


def test_tables_and_lines_are_read(tmp_path: Path) -> None:
    table, lines = tmp_path / "t.csv", tmp_path / "t.txt"
    pd.DataFrame({"id": [1, 2], "text": ["red one", "green two"]}).to_csv(table, index=False)
    lines.write_text("red one\n\ngreen two\n")
    for found in (open_unlabelled(table, "text", text_column="text"), open_unlabelled(lines, "text")):
        assert [found.examples.load(i) for i in range(2)] == ["red one", "green two"]
    images(1)[0][0].save(tmp_path / "x.png")
    pd.DataFrame({"file": ["x.png", "missing.png"]}).to_csv(tmp_path / "i.csv", index=False)
    found = open_unlabelled(tmp_path / "i.csv", "image")
    assert (found.ids, list(found.skipped)) == (("x.png",), ["missing.png"])


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda p: p / "none", "image", "does not exist"),
        (lambda p: p, "image", "holds no images"),
        (lambda p: p, "text", "holds images, but the model reads texts"),
    ],
)
def test_nothing_to_predict_is_said(tmp_path: Path, make, kind, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_unlabelled(make(tmp_path), kind)


def test_a_table_needs_its_column_named(tmp_path: Path) -> None:
    pd.DataFrame({"a": ["x"], "b": ["y"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(TargetError, match="has `a`, `b`; name it with `text_column`"):
        open_unlabelled(tmp_path / "t.csv", "text")
    with pytest.raises(TargetError, match="has no column `c`; it has `a`, `b`"):
        open_unlabelled(tmp_path / "t.csv", "text", text_column="c")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty; expected a header"),
        ("ragged.csv", b"text\na\nb,c\n", "row 2 below the header has 2 fields, but the header has 1"),
        ("short.csv", b"text,n\na,1\nb\n", "row 2 below the header has 1 fields, but the header has 2"),
        ("unclosed.csv", b'text\n"a\n', "is not a well-formed CSV"),
        ("twice.csv", b"text,text\na,b\n", "has several columns named `text`"),
        ("latin.csv", b"text\ncaf\xe9\n", "is not UTF-8: line 2 holds the byte 0xe9"),
        ("latin.txt", b"one\ncaf\xe9\n", "is not UTF-8: line 2 holds the byte 0xe9"),
        ("broken.parquet", b"PAR1", "as Parquet"),
        ("photo.png", b"\x89PNG", "holds images, but the model reads texts"),
        ("blank.txt", b"\n\n", "holds no texts"),
    ],
)
def test_what_cannot_be_read_is_said_as_for_a_ranking(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_unlabelled(tmp_path / name, "text")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bars.csv", b"text|label\nred, one|a\ngreen|b\n"),
        ("utf16.csv", 'text,label\n"red, one",a\ngreen,b\n'.encode("utf-16")),
        ("named.csv", b'id,review,picture,class,split\n1,"red, one",a.png,a,train\n2,green,b.png,b,test\n'),
        ("lines.txt", "red, one\ngreen\n".encode("utf-16")),
    ],
)
def test_texts_are_found_as_for_a_ranking(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = open_unlabelled(tmp_path / name, "text")
    assert [found.examples.load(i) for i in range(2)] == ["red, one", "green"]
    assert all("split at bars" in note or "columns guessed" in note for note in found.notes)
    assert bool(found.notes) == name.endswith(".csv")


def test_images_of_a_table_are_found_as_for_a_ranking(tmp_path: Path) -> None:
    images(1)[0][0].save(tmp_path / "x.png")
    (tmp_path / "i.csv").write_text("image,label\nx.png,a\n,b\nx.png,a\n")
    found = open_unlabelled(tmp_path / "i.csv", "image")
    assert (found.ids, found.skipped) == (("x.png", "x.png"), {"1": "there is no image in this row."})
    assert found.notes == ("columns guessed: `image` is the image (of `image`, `label`)",)
    content = (tmp_path / "x.png").read_bytes()
    pd.DataFrame({"image": [{"bytes": content, "path": None}] * 2, "y": [0, 1]}).to_parquet(tmp_path / "i.parquet")
    found = open_unlabelled(tmp_path / "i.parquet", "image")
    assert (found.ids, found.examples.load(1).size) == (("0", "1"), images(1)[0][0].size)


def test_lines_are_numbered_as_an_editor_counts_them(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes("first\n\nthird\r\nfourth\u2028half\n".encode())
    found = open_unlabelled(tmp_path / "lines.txt", "text")
    assert found.ids == ("1", "3", "4")
    assert [found.examples.load(i) for i in range(3)] == ["first", "third", "fourth\u2028half"]


def test_answers_as_csv_and_json(tmp_path: Path) -> None:
    answers = Answers(("x,1", "y"), ("a", "b"), np.array([[0.25, 0.75], [1.0, 0.0]]))
    assert as_text(answers, "csv") == 'id,label,p(a),p(b)\n"x,1",b,0.25,0.75\ny,a,1.0,0.0\n'
    assert json.loads(as_text(answers, "json"))[0] == {"id": "x,1", "label": "b", "p(a)": 0.25, "p(b)": 0.75}
    values = Answers(("x",), (), np.array([[1.5]]))
    assert as_text(values, "csv") == "id,value\nx,1.5\n"
    write_answers(values, tmp_path / "v.json")
    assert json.loads((tmp_path / "v.json").read_text()) == [{"id": "x", "value": 1.5}]
    with pytest.raises(InputError, match=r"must end in \.csv or \.json"):
        write_answers(values, tmp_path / "v.xlsx")


@pytest.mark.parametrize("method", ["adapters", "visual-prompt"])  # below, a fine-tuned text model; QLoRA has its own
def test_onnx_gives_the_same_outputs_for_any_number_of_images(tmp_path: Path, method: str) -> None:
    import onnxruntime

    done = transfer(target(), source(), method=method, **SHORT)
    path = export_onnx(done, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(path))
    pictures = images(5, seed=3)[0]
    for count in (1, 5):
        batch = done.source.collate([done.source.prepare(picture) for picture in pictures[:count]]).numpy()
        (outputs,) = session.run(None, {"input": batch})
        assert np.abs(outputs - done.logits(pictures[:count])).max() < 1e-4


def test_onnx_of_a_text_model_takes_any_length(tmp_path: Path) -> None:
    import onnxruntime

    done = transfer(open_target(texts()), text_source(), method="fine-tune", **SHORT)
    session = onnxruntime.InferenceSession(str(export_onnx(done, tmp_path / "model.onnx")))
    for batch in (["red one"], ["red one two three four", "green", "blue five"]):
        prepared = done.source.collate([done.source.prepare(text) for text in batch])
        (outputs,) = session.run(None, {name: value.numpy() for name, value in prepared.items()})
        assert np.abs(outputs - done.logits(batch)).max() < 1e-4
