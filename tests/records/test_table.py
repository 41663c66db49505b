"""A table as text, HTML and Markdown."""

import pytest
from tests.report.parsed_page import Page

from headstart.records.table import Prose, Table, as_html, as_lines, as_markdown, as_text, table

LONG = "timm/vit_large_patch14_reg4_dinov2.lvd142m_with_a_tail_that_goes_on"


def wide(*names: str) -> Table:
    rows = [[str(i), name, *(f"{i}.{place:09d}" for place in range(6))] for i, name in enumerate(names)]
    return table(("rank", "source", *(f"score{place}" for place in range(6))), rows, words=2)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_long_name_is_shortened_rather_than_wrapped(width: int) -> None:
    lines = as_text([wide(LONG, "zoo/a")], width).splitlines()
    assert max(map(len, lines)) <= width
    assert (LONG in "".join(lines)) == (width == 200)
    rows = [line for line in lines if line.startswith("0")]
    assert all("timm/" in row and "goes_on" in row for row in rows)


def test_names_that_would_look_alike_when_shortened_go_on_in_the_next_line() -> None:
    names = [f"timm/vit_{'x' * 40}{i}{'y' * 40}" for i in range(2)]
    lines = as_text([wide(*names)], 60).splitlines()
    assert max(map(len, lines)) <= 60
    shown = wide(*names).parts(60)[0].columns[1].cells
    assert [cell.replace("\n", "") for cell in shown] == names


@pytest.mark.parametrize("tail", ["", "y" * 60])
def test_long_names_make_no_more_tables_than_short_ones(tail: str) -> None:
    long = wide(*(f"local-dir:/home/someone/experiments/2026/{i}/model{tail}" for i in range(3)))
    assert len(long.parts(80)) == len(wide(*("x" * 24 for _ in range(3))).parts(80)) == 2


def test_every_column_appears_once_and_the_leading_ones_in_every_part() -> None:
    titles = [[column.title for column in part.columns] for part in wide("a", "b").parts(40)]
    assert all(part[:2] == ["rank", "source"] for part in titles)
    assert [title for part in titles for title in part[2:]] == [f"score{place}" for place in range(6)]


def test_a_cell_of_several_lines_stays_in_its_column() -> None:
    assert as_text([table(("a", "b"), [["x\ny", "1"], ["z", "2"]])]) == "a  b\nx  1\ny\nz  2"


def test_tones_follow_the_rows() -> None:
    toned = Table(table(("a",), [["x"], ["y"]]).columns, ("good", "quiet"))
    assert list(as_lines([toned])) == [("a", "title"), ("x", "good"), ("y", "quiet")]


def test_a_table_without_rows_shows_its_titles() -> None:
    assert as_text([table(("a", "b"), [])]) == "a  b"


def test_html_is_escaped_and_closed() -> None:
    view = [Prose(("<b>",), "warning", "<script>"), table(("<i>", "n"), [["<script>x</script>", "1"]])]
    page = Page(f"<body>{as_html(view)}</body>")
    assert {element.tag for element in page.elements} <= {
        "body", "div", "style", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "wbr",
    }  # fmt: skip
    assert [element.text for element in (*page.all("th")[2:], *page.all("td"))] == ["<script>x</script>", "1"]


def test_markdown_keeps_a_bar_inside_its_cell() -> None:
    view = [Prose(("a note",), title="Results"), table(("a", "b"), [["x|y", "1"]])]
    assert as_markdown(view).splitlines() == [
        "**Results**", "", "- a note", "", "| a | b |", "| --- | ---: |", "| x\\|y | 1 |",
    ]  # fmt: skip
