"""Commands of other packages: found through the entry point group `headstart.commands`, imported when they are run."""

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import typer
print("imported")
app = typer.Typer()
@app.command()
def greet(name: str) -> None:
    \"\"\"Say hello.\"\"\"
    print(f"hello {name}")
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder for `sys.path` that looks like an installed package with one command."""
    (tmp_path / "greeter.py").write_text(MODULE)
    about = tmp_path / "greeter-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[headstart.commands]\ngreet = greeter:app\nrank = greeter:app\n")
    return tmp_path


def said(package: Path, *words: str) -> str:
    code = f"import sys; sys.path.insert(0, {str(package)!r}); from headstart.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    return done.stdout


def test_a_command_of_another_package_runs_and_is_listed(package: Path) -> None:
    assert said(package, "greet", "you") == "imported\nhello you\n"
    assert "Say hello." in said(package, "--help")


@pytest.mark.parametrize("words", [("rank", "--help"), ("--version",)])
def test_it_is_not_imported_for_another_command_and_never_replaces_one(package: Path, words: tuple[str, ...]) -> None:
    told = said(package, *words)
    assert "imported" not in told
    assert "hello" not in told
    assert told
