# ruff: noqa: RUF001 (the page prints a true minus sign)
"""Charts: what is drawn stands where the numbers say."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.report.parsed_page import Page

from headstart.records import HeadView
from headstart.records.axis import Axis, axis_over
from headstart.records.ranking_page import mark, ranking_table, score_axis
from headstart.report.heads import MOST_COLUMNS, head_views
from headstart.report.page import render
from headstart.report.panels import score_panels
from headstart.scores import SCORES

values = st.floats(-1e9, 1e9)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(st.lists(values, min_size=1, max_size=20))
def test_an_axis_holds_all_its_values_with_room_and_round_ticks(numbers):
    axis = axis_over(numbers)
    assert axis.low < min(numbers)
    assert max(numbers) < axis.high
    ticks = axis.ticks(4)
    assert 2 <= len(ticks) <= 12
    assert all(0 <= tick.at <= 100 for tick in ticks)
    assert len({tick.text for tick in ticks}) == len(ticks)


@given(values, st.floats(1e-3, 1e6))
def test_a_tick_stands_at_the_value_it_names(low, width):
    axis = Axis(low, low + width)
    for tick in axis.ticks(4):
        named = float(tick.text.replace(",", "").replace("−", "-"))
        assert axis.at(named) == pytest.approx(tick.at, abs=0.02 + 1e-6 * abs(low) / width)


def test_an_axis_without_values_still_exists():
    assert axis_over([None, math.nan, math.inf]) == Axis(0.0, 1.0)


def test_dots_and_intervals_stand_where_the_numbers_say(ranking):
    row, axis = ranking.rows[4], score_axis(ranking.rows, "leep_calibrated")
    score, placed = row.scores["leep_calibrated"], mark(row, "leep_calibrated", axis, 3)
    span = axis.high - axis.low
    for drawn, value in ((placed.low, score.low), (placed.at, score.value), (placed.high, score.high)):
        assert drawn == pytest.approx(100 * (value - axis.low) / span, abs=0.006)
    dots = [e for e in Page(render(ranking)).first("table", "ranking").inside if e.tag == "circle"]
    assert dots[4].attributes["cx"] == f"{placed.at}%"


def test_only_the_sources_that_cannot_be_told_apart_are_marked_as_leading(ranking):
    assert ranking_table(ranking).tones == ("good",) * 3 + ("plain",) * 5
    assert ranking_table(replace(ranking, tied=1)).tones.count("good") == 1


def test_the_heat_map_puts_source_classes_on_the_diagonal(ranking):
    view = HeadView(
        source_classes=("blurred", "means b", "means a", "means a a little"),
        weights=(0.4, 0.3, 0.2, 0.1),
        conditional=((0.5, 0.1, 0.9, 0.6), (0.5, 0.9, 0.1, 0.4)),
        classes=("a", "b"),
    )
    only = replace(ranking, rows=(replace(ranking.rows[0], head=view),))
    (drawn,), _ = head_views(only)
    names, strips, mass = drawn.table.columns
    assert names.cells == ("means a", "means a a little", "blurred", "means b")
    assert re.findall(r'class="h(\d+)" x="([\d.]+)%"', strips.html[0]) == [("9", "0.00"), ("1", "50.00")]
    assert re.findall(r">([.\d]+)</text>", strips.html[0]) == [".90", ".10"]
    assert "<title>a 90 %, b 10 %</title>" in strips.html[0]
    assert mass.cells[2] == "40 %"
    assert drawn.covered == "100 %"


def test_cells_too_faint_to_see_are_left_out_and_certain_ones_say_one(ranking):
    view = HeadView(("x",), (1.0,), ((0.999,), (0.001,)), ("a", "b"))
    (drawn,), _ = head_views(replace(ranking, rows=(replace(ranking.rows[0], head=view),)))
    assert re.findall(r'class="([ht]\d+)"', drawn.table.columns[1].html[0]) == ["h10", "t10"]
    assert ">1</text>" in drawn.table.columns[1].html[0]


def test_of_very_many_target_classes_those_with_most_mass_are_drawn(ranking):
    count = MOST_COLUMNS + 20
    column = tuple((2.0 if c >= 20 else 1.0,) for c in range(count))
    total = sum(value for (value,) in column)
    view = HeadView(("x",), (1.0,), tuple((v / total,) for (v,) in column), tuple(f"c{c}" for c in range(count)))
    (drawn,), _ = head_views(replace(ranking, rows=(replace(ranking.rows[0], head=view),)))
    named = re.findall(r'title="(\w+)"', drawn.table.columns[1].head)
    assert named == [f"c{c}" for c in range(20, count)]
    assert drawn.note == "20 target classes with less mass not drawn."


def test_a_page_draws_only_so_much_and_always_those_of_the_best_source(ranking):
    maps, left_out = head_views(ranking)
    assert len(maps) == 7
    assert left_out == []
    tight, left_out = head_views(ranking, room=maps[0].size)
    assert [one.source for one in tight] == [ranking.rows[0].source]
    assert left_out == [row.source for row in ranking.rows[1:7]]


def test_every_score_has_a_panel_that_says_what_it_reads(ranking):
    panels = score_panels(replace(ranking, scores=tuple(SCORES)))
    assert [panel.name for panel in panels] == list(SCORES)
    assert all("Reads " in panel.reads for panel in panels)
