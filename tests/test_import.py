"""`import headstart` is light, and every public name is there when asked for."""

import subprocess
import sys

import pytest

import headstart

HEAVY = ("torch", "matplotlib", "torchvision", "timm", "sklearn", "scipy", "pandas", "rich", "typer")


def loaded_by(statement: str) -> set[str]:
    """Which heavy libraries a fresh interpreter holds after `statement`."""
    code = f"{statement}\nimport sys; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_heavy_library() -> None:
    assert loaded_by("import headstart") == set()


def test_a_heavy_library_would_be_seen() -> None:
    assert "scipy" in loaded_by("import headstart; import scipy")


@pytest.mark.parametrize("statement", ["import headstart.cli", "import headstart; headstart.Ranking; headstart.report"])
def test_the_command_line_and_the_records_do_without_torch(statement: str) -> None:
    assert not {"torch", "matplotlib"} & loaded_by(statement)


def test_importing_the_package_takes_less_than_a_third_of_a_second() -> None:
    code = "import time; start = time.perf_counter(); import headstart; print(time.perf_counter() - start)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout) for _ in range(3)
    ]
    assert min(runs) < 0.3


@pytest.mark.parametrize("name", headstart.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(headstart, name) is not None
    assert name in dir(headstart)


def test_every_error_is_public() -> None:
    found = vars(headstart.errors).items()
    errors = {name for name, value in found if isinstance(value, type) and issubclass(value, headstart.HeadstartError)}
    assert "TrainingError" in errors
    assert errors <= set(headstart.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'headstart' has no attribute 'rnak'"):
        _ = headstart.rnak
