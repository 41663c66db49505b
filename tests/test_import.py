"""`import headstart` is light, and every public name is there when asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import headstart

HEAVY = ("torch", "matplotlib", "torchvision", "timm", "sklearn", "scipy", "pandas", "rich", "typer")
SLOW = ("numba", "scipy.stats", "scipy.optimize", "scipy.linalg", "scipy.special", "scipy.sparse")


def loaded_by(statement: str) -> set[str]:
    """Which heavy libraries a fresh interpreter holds after `statement`."""
    code = f"{statement}\nimport sys; print(*(name for name in {HEAVY + SLOW} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_heavy_library() -> None:
    assert loaded_by("import headstart") == set()


def test_the_scores_load_no_library_that_only_some_of_them_need() -> None:
    assert not {"sklearn", "pandas", *SLOW} & loaded_by("import headstart.scores; list(headstart.scores.SCORES)")


def test_a_heavy_library_would_be_seen() -> None:
    assert "scipy" in loaded_by("import headstart; import scipy")


@pytest.mark.parametrize(
    "statement", ["import headstart.cli", "import headstart; headstart.Ranking; headstart.write_report"]
)
def test_the_command_line_and_the_records_do_without_torch(statement: str) -> None:
    assert not {"torch", "matplotlib"} & loaded_by(statement)


def test_a_command_loads_neither_the_other_commands_nor_their_records() -> None:
    code = "import sys; from headstart.cli import app; app(['scores'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = set(done.stdout.split())
    assert "headstart.cli.scores" in loaded
    assert not {"headstart.cli.rank", "headstart.records.ranking", "headstart.runner", "rich.progress"} & loaded


WITHOUT_EXTRAS = """
import importlib.util
import sys
EXTRAS = {"torch", "torchvision", "timm", "transformers", "sentence_transformers", "pandas", "pyarrow", "datasets",
          "matplotlib", "peft", "onnx", "filelock", "huggingface_hub"}
class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing)
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in EXTRAS else found(name, package)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `features.npz`."""
    folder = tmp_path_factory.mktemp("base")
    labels = np.arange(60) % 3
    features = np.eye(3)[labels] + 0.5 * np.random.default_rng(0).standard_normal((60, 3))
    np.savez(folder / "features.npz", features=features, labels=labels)
    return folder


LINES = (
    *("scores", "rank features.npz --scores knn --out ranked", "report ranked"),
    *("rank x.csv --models st/x", "transfer x.csv --model st/x"),
)
USES = f"""
import numpy as np
import headstart as hs
ranking = hs.rank(dict(np.load("features.npz")), scores="knn,logme", out="run")
assert hs.Ranking.load("run").best == ranking.best == "arrays"
print(hs.scores.leep(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])))
from headstart.cli import main
codes = []
for line in {LINES}:
    sys.argv = ["headstart", *line.split()]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code or 0)
print(codes)
"""


def test_a_base_install_ranks_arrays_reads_records_and_names_the_line_that_installs_torch(folder: Path) -> None:
    (folder / "x.csv").write_text("text,label\n" + "good,1\nbad,0\n" * 5)
    command = [sys.executable, "-c", WITHOUT_EXTRAS + USES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("-0.6931471805599453\n"), done.stderr
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 1, 1]", done.stderr
    assert (folder / "ranked" / "report.html").is_file()
    assert done.stderr.count("pip install 'headstart[text]'") == 2


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


def test_no_other_name_is_seen() -> None:
    shown = "import headstart; print(*dir(headstart), *(name for name in vars(headstart) if name[0] != '_'))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, timeout=120)
    assert set(done.stdout.split()) == set(headstart.__all__)
    assert len(headstart.__all__) <= 32


def test_no_function_has_the_name_of_a_module_of_the_package() -> None:
    """`import headstart.NAME` would put the module in the function's place."""
    modules = {path.stem for path in Path(headstart.__file__).parent.iterdir()}
    assert {name for name in headstart.__all__ if name in modules} == {"errors", "meta", "records", "scores"}


def test_names_for_type_checkers_are_those_that_are_loaded() -> None:
    tree = ast.parse(Path(headstart.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    loaded = {name: f"headstart.{home}" for home, names in headstart._HOMES.items() for name in names}
    assert {name: home for name, home in typed.items() if home != "headstart"} == loaded
    assert {*typed, "__version__"} == set(headstart.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'headstart' has no attribute 'rnak'"):
        _ = headstart.rnak
