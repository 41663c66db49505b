"""Results of transfers as tables: by class, and bounds for those who ask."""

import logging
from dataclasses import replace

import pytest
from tests.evaluation.test_compare import run

from headstart.records import Bound, as_text
from headstart.records.outcome import ClassResult


def test_a_run_shows_each_class_and_what_was_taken_for_what():
    results = (ClassResult("cat", 3, 0.5, 2 / 3, 0.571), ClassResult("dog", 2, None, 0.0, None))
    shown = str(replace(run("head", 0, None).outcome, by_class=results, confusion=((2, 1), (2, 0))))
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "cat 3 0.667 0.500 0.571" in lines
    assert "dog 2 0.000 - -" in lines
    assert "cat 2 1" in lines


def test_bounds_that_do_not_hold_are_told_to_those_who_ask(caplog: pytest.LogCaptureFixture):
    outcome = replace(run("head", 0, None).outcome, bounds=(Bound("a <= b", 2.0, 1.0, False, "too few examples"),))
    with caplog.at_level(logging.WARNING, logger="headstart"):  # a command with `--verbose` may have run before
        assert "a <= b" not in as_text(outcome.view())
    with caplog.at_level(logging.INFO, logger="headstart"):
        assert "a <= b" in as_text(outcome.view())
