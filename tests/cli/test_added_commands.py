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


RUN = """
import sys
from headstart.cli import app
for line in sys.argv[1:]:
    print("$", line)
    app(line.split(), standalone_mode=False)
"""


def test_a_command_of_another_package_runs_is_listed_and_is_imported_for_itself_alone(package: Path) -> None:
    lines = ("rank --help", "--version", "greet you", "--help")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(package)!r}){RUN}", *lines],
        capture_output=True,
        text=True,
        check=True,
    )
    _, rank, version, greeting, usage = done.stdout.split("$ ")
    for other in (rank, version):
        assert "imported" not in other
        assert "hello" not in other
        assert len(other.splitlines()) > 1
    assert "Say hello." in usage
    assert greeting == "greet you\nimported\nhello you\n"
