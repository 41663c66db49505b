"""The arguments of `transfer`: typed, checked, and the same for every way of giving them."""

import typing
from pathlib import Path

import numpy as np
import pytest
from tests.transfers.tiny import images, network, prepare, source, target

import headstart as hs
from headstart.data import Reading, open_target
from headstart.data.reading import ReadingOptions
from headstart.errors import InputError
from headstart.records.options import options_of
from headstart.sources import from_module
from headstart.train.training import Training
from headstart.transfers import METHODS, load, transfer
from headstart.transfers.methods import FineTune, Head, Lora
from headstart.transfers.typed import TransferOptions

SHORT = {"epochs": 1, "batch_size": 16, "cache": False}


def plain(hint: object) -> set[object]:
    """The types a value may have, without None."""
    literal = typing.get_origin(hint) is typing.Literal
    return set((hint,) if literal else typing.get_args(hint) or (hint,)) - {type(None)}


def test_the_typed_keywords_are_the_options_of_the_dataclasses() -> None:
    stated = typing.get_type_hints(TransferOptions)
    own = {name: hint for name, hint in stated.items() if name not in typing.get_type_hints(ReadingOptions)}
    held: dict[str, set[object]] = {}
    for made in (*METHODS.values(), Training):
        hints = typing.get_type_hints(made)
        for name in options_of(made):
            held.setdefault(name, set()).update(plain(hints[name]))
    assert {name: plain(hint) for name, hint in own.items()} == held


def test_a_name_stands_for_one_kind_of_value_in_all_methods() -> None:
    met: dict[str, set[tuple[object, ...]]] = {}
    for made in (*METHODS.values(), Training):
        for name, one in options_of(made).items():
            met.setdefault(name, set()).add((one.type, one.low, one.above, one.high, one.below, one.choices))
            assert one.help[0].isupper()
            assert not one.help.endswith(".")
            assert one.default is not None or one.usual is not None or name == "teacher"
    assert {name for name, kinds in met.items() if len(kinds) > 1} == set()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epohcs": 3}, "there is no option `epohcs`. Did you mean `epochs`"),
        ({"mehtod": "head"}, "there is no option `mehtod`. Did you mean `method`"),
        ({"epochs": "3"}, r"`epochs` must be a whole number of at least 1; got '3' \(str\)"),
        ({"rate": "fast"}, r"`rate` must be a number greater than 0; got 'fast' \(str\)"),
        ({"keep_statistics": "yes"}, "`keep_statistics` must be True or False"),
        ({"reading": {"task": "regression"}}, "`reading` must be a headstart.Reading"),
        ({"method": FineTune(), "rate": 0.1}, r"`rate` is an option of the method.*FineTune\(rate=...\)"),
        ({"method": "sklearn"}, "unknown method 'sklearn'"),
        ({"method": 3}, "`method` must be a name or a method"),
    ],
)
def test_wrong_names_and_types_are_input_errors(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        transfer(target(), source(), cache=False, **{"method": "fine-tune", **options})


@pytest.mark.parametrize("model", [3, None, ["zoo/tiny_digits"]])
def test_what_is_no_model_is_an_input_error(model: object) -> None:
    with pytest.raises(InputError, match="`model` must be a name, a module, a source or a ranking"):
        transfer(target(), model, method="head", cache=False)


def test_a_method_with_its_options_does_what_its_name_and_flat_options_do() -> None:
    whole = transfer(target(), source(), method=FineTune(rate=0.02, ratio=5), **SHORT)
    flat = transfer(target(), source(), method="fine-tune", rate=0.02, ratio=5, **SHORT)
    assert np.array_equal(whole.predictions.outputs, flat.predictions.outputs)
    assert (whole.method, whole.outcome.options) == (flat.method, flat.outcome.options)
    assert Lora(rank=2).options == {"rate": None, "rank": 2, "alpha": None, "dropout": 0.0}


def test_a_ranking_stands_for_its_best_model(tmp_path: Path) -> None:
    data = target()
    ranking = hs.rank(data, models=["zoo/tiny_digits", "zoo/tiny_emoji"], cache=False, progress=False)
    ranking.save(tmp_path)
    runs = [transfer(data, model, method="head", cache=False) for model in (ranking, tmp_path, str(tmp_path))]
    assert {run.outcome.source for run in runs} == {ranking.best}


def test_how_data_are_read_is_given_flat_or_as_an_object(tmp_path: Path) -> None:
    pictures, labels = images(24)
    rows = ["file,first,second"]
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{labels[number]},{'ab'[number % 2]}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    for given in ({"label_column": "second"}, {"reading": Reading(label_column="second")}):
        assert transfer(tmp_path / "t.csv", source(), method="head", cache=False, **given).outcome.classes == ("a", "b")


def test_a_source_may_have_any_name(tmp_path: Path) -> None:
    named = from_module(network(), head="classifier", prepare=prepare, name="module/resnet via distillation")
    run = transfer(target(), named, method="lora", **SHORT)
    again = load(run.save(tmp_path, weights="adapter"), source=named)
    assert again.outcome == run.outcome
    assert np.array_equal(again.logits(images(3)[0]), run.logits(images(3)[0]))
    adapted = transfer(target(), source(), method="lora", via=target(40, seed=5), **SHORT)
    with pytest.raises(InputError, match="changed the source itself"):
        adapted.save(tmp_path / "x", weights="adapter")
    adapted.save(tmp_path / "y")
    with pytest.raises(InputError, match="changed the source itself"):
        load(tmp_path / "y", source=source()).save(tmp_path / "z", weights="adapter")


def test_an_open_target_is_read_as_it_is() -> None:
    assert transfer(open_target(images(30)), source(), method=Head(penalty=0.5), cache=False).method.penalty == 0.5
