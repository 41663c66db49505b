"""What makes the documentation: the runner of its examples, and the pages made from code and results files."""

import pytest
import typer.main
from scripts.docs_pages import command_pages, measured, python_page, score_pages
from scripts.docs_run import BlockError, run_blocks

import headstart

PAGE = """
```python
x = 2
```
<!-- hidden -->
```python
x += 1
```
```python
print(x)
```
<!-- first 1 lines -->
```console
$ headstart scores leep
$ ls demo
```
<!-- not run: needs a network -->
```console
$ headstart rank nowhere/
```
"""


def test_a_page_shows_what_its_blocks_print(tmp_path):
    made = run_blocks(PAGE, "page", tmp_path / "page")
    assert "x += 1" not in made
    assert "print(x)\n```\n\n```text\n3\n```" in made  # one namespace a page, hidden blocks included
    assert "$ headstart scores leep\nscore    leep (LEEP)\n...\n$ ls demo\nLICENSE" in made
    assert made.endswith("```console\n$ headstart rank nowhere/\n```\n")
    assert "not run" not in made


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("```python\n1 / 0\n```", "ZeroDivisionError"),
        ("```python\nimport warnings\nwarnings.warn('old')\n```", "UserWarning: old"),
        ("```console\n$ headstart rank nowhere/ --models zoo\n```", "left with 2.\nError: .*nowhere"),
        ("```console\n$ false\n```", "left with 1"),
        ("```sh\ntrue\n```", "write ```console or ```python, or `<!-- not run: REASON -->`"),
    ],
)
def test_a_block_that_fails_ends_the_build(tmp_path, block, told):
    with pytest.raises(BlockError, match=f"(?s)^page, block .*{told}"):
        run_blocks(block + "\n", "page", tmp_path / "page")


def test_every_score_has_a_page_with_what_was_measured():
    from headstart.scores import SCORES

    pages, seen = score_pages(), measured()
    assert set(pages) == {*SCORES, "index"}
    for name, score in SCORES.items():
        assert score.citation.split("http")[0] in pages[name]
        assert (name in seen["head"]) == (name in seen["fine-tune"]), name
        assert name in seen["head"] or not score.default, name
        assert ("Not measured" in pages[name]) == (name not in {key for column in seen.values() for key in column})


def test_every_option_of_a_command_is_on_its_page():
    from headstart.cli import app

    pages = command_pages()
    names = typer.main.get_command(app).list_commands(None)
    assert set(pages) == {*names, "index"}
    for option in ("--search", "--time-budget", "TARGET"):
        assert f"`{option}" in pages["rank"]
    assert "`--rate X`" in pages["transfer"]  # an option of a method, read when the command is used


def test_every_public_name_is_on_the_page_of_python():
    page = python_page()
    assert [name for name in headstart.__all__ if f"## hs.{name}\n" not in page] == ["__version__"]
    assert "| [`leep`](../scores/leep.md) | LEEP: label log-likelihood" in page
    assert "| `meta_train` | Train CNAPs' adaptation networks" in page
