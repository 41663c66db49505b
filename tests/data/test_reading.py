"""`Reading`: one description of how data are read, flat or as an object."""

from dataclasses import fields
from typing import Any, get_type_hints

import numpy as np
import pytest

import headstart as hs
from headstart.data import Reading, open_target
from headstart.data.reading import ReadingOptions, reading_of
from headstart.errors import HeadstartError, InputError


def test_the_keywords_are_the_fields_with_the_same_types() -> None:
    assert get_type_hints(ReadingOptions) == get_type_hints(Reading)


def test_every_field_has_a_text_for_the_command_line() -> None:
    assert all(each.metadata["help"].endswith(".") for each in fields(Reading))


def test_a_keyword_wins_over_the_object() -> None:
    found = reading_of(Reading(split="test", max_bad=0.5), {"split": "val"}, open_target)
    assert found == Reading(split="val", max_bad=0.5)


def test_an_object_and_keywords_open_the_same_target() -> None:
    table = {"text": ["a", "b", "c", "d"], "kind": ["x", "y", "x", "y"], "other": ["p", "q", "q", "p"]}
    flat = open_target(table, text_column="text", label_column="other")
    assert flat.classes == ("p", "q")
    whole = open_target(table, reading=Reading(text_column="text", label_column="other"))
    assert whole.classes == flat.classes
    assert np.array_equal(whole.labels, flat.labels)


def test_rank_takes_an_object_too() -> None:
    arrays = {"features": np.random.default_rng(0).standard_normal((40, 3)), "labels": np.arange(40) % 4}
    assert hs.rank(arrays, scores="ridge_probe", reading=Reading(task="regression")).target.task == "regression"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"text_colum": "x"}, ["open_target", "text_colum", "Did you mean `text_column`"]),
        ({"tsk": "regression"}, ["tsk", "`task`"]),
        ({"max_bad": 1.5}, ["max_bad", "1.5", "between 0 and 1"]),
        ({"task": "regresion"}, ["task", "Did you mean `regression`"]),
        ({"label_column": []}, ["label_column", "empty"]),
        ({"reading": {"split": "test"}}, ["reading", "headstart.Reading", "dict"]),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_next_step(options: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(HeadstartError) as caught:
        open_target((["a", "b"], [0, 1]), **options)
    assert all(part in str(caught.value) for part in parts)


def test_a_misspelled_option_of_rank_suggests_one_of_its_own() -> None:
    with pytest.raises(InputError, match=r"`rank` has no option `limti`.*`limit`"):
        hs.rank((["a", "b"], [0, 1]), limti=3)  # type: ignore[call-arg]


def test_the_record_of_a_call_says_how_the_data_were_read() -> None:
    arrays = {"features": np.random.default_rng(0).standard_normal((40, 3)), "labels": np.arange(40) % 4}
    command = hs.rank(arrays, scores="ridge_probe", task="regression").provenance.command
    assert "task='regression'" in command
