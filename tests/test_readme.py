"""The README is executed: every console command and every Python block, in order, as a reader would type them.

A block after the comment `<!-- not run: REASON -->` is left out; it needs something a test machine lacks.
"""

import re
import shlex
import zipfile
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from headstart.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"(?P<skip><!-- not run: [^>]+ -->\s*)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


def blocks(language: str) -> list[str]:
    """The runnable blocks of one language, in order."""
    return [m["text"] for m in BLOCK.finditer(README) if m["language"] == language and not m["skip"]]


def commands() -> list[str]:
    """Every `$ headstart ...` line, with its continuation lines."""
    lines = "".join(blocks("console")).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ headstart")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a fresh clone with a few pictures beside it: the demo's data is there, the cache is empty."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "demo").symlink_to(ROOT / "demo")
    with zipfile.ZipFile(ROOT / "demo" / "fashion_mnist_1000.zip") as archive:
        archive.extractall(folder / "new_photos", [name for name in archive.namelist() if name.endswith(".png")][::250])
    return folder


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside that folder, with a cache of its own."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("HEADSTART_CACHE", str(place / "cache"))
    monkeypatch.setenv("COLUMNS", "100")


def test_every_command_of_the_readme_runs() -> None:
    assert commands(), "the README shows no command"
    for command in commands():
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, f"$ {command}\n{result.output}"


def test_the_python_of_the_readme_runs() -> None:
    code = "\n".join(blocks("python"))
    assert code, "the README shows no Python"
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})


def test_a_block_marked_as_not_run_is_left_out() -> None:
    left_out = "<!-- not run: needs the network -->\n```console\n$ headstart rank x\n```\n"
    text = left_out + "```console\n$ headstart scores\n```\n"
    found = [m["text"] for m in BLOCK.finditer(text) if not m["skip"]]
    assert found == ["$ headstart scores\n"]


MADE = {"scores", "reference", "results", "_made"}  # folders of docs/ that `make docs` writes
DOCUMENTS = [page for page in sorted(ROOT.glob("docs/**/*.md")) if page.relative_to(ROOT).parts[1] not in MADE]


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:  # those of the documentation are checked where it is made
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_commands_that_are_named_exist() -> None:
    known = typer.main.get_command(app).list_commands(None)
    for page in (*ROOT.glob("*.md"), *DOCUMENTS):
        for name in re.findall(r"`headstart ([a-z][a-z-]*)", page.read_text()):
            assert name in known, (page, name)
