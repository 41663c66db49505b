"""The direction of the arrows: a room imports only from lower floors, and heavy libraries stay in their rooms."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import headstart
import headstart_paper

PACKAGE = Path(headstart.__file__).parent
CLIENT = Path(headstart_paper.__file__).parent  # of the public names, as any user is

FLOORS = (
    {"__main__"},
    {"cli"},
    {"loading"},
    {"adaptation", "fewshot", "project"},
    {"ranking", "meta", "clusters"},
    {"transfers"},
    {"evaluation", "report", "tracking", "zeroshot"},
    {"extract", "train"},
    {"sources"},
    {"data"},
    {"scores", "torchvision_ops"},
    {"tasks"},
    {"store", "runner", "stats"},
    {"records"},
    {"wording", "registry"},
    {"errors"},
)  # the top floor first

AT_HOME = {
    "torch": {
        "tasks",
        "data",
        "sources",
        "extract",
        "train",
        "transfers",
        "fewshot",
        "adaptation",
        "meta",
        "zeroshot",
        "torchvision_ops",
    },
    "timm": {"data", "sources", "train", "transfers"},
    "torchvision": {"data", "sources", "train", "transfers"},
    "matplotlib": {"report"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    found = [level for level, rooms in enumerate(FLOORS) if room in rooms]
    assert found, f"the room `{room}` has no floor yet: give it one in tests/test_rooms.py"
    return found[0]


def imported_modules(tree: ast.AST) -> list[str]:
    """Every module named by an import, also those inside functions, but not those only a type checker follows."""
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    names: list[str] = []
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative imports hide the direction; name the module in full"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def faults(room: str, modules: list[str]) -> list[str]:
    """What is wrong with a file of `room` that imports `modules`."""
    found = []
    for module in modules:
        first, _, rest = module.partition(".")
        if first == "headstart_paper":
            found.append(f"{room} imports headstart_paper, which is a client of headstart")
        if first == "headstart" and rest and room != "__init__":
            other = rest.split(".")[0]
            if other != room and not other.startswith("__") and floor_of(other) <= floor_of(room):
                found.append(f"{room} imports {other}, which is not below it")
        if first in AT_HOME and room not in AT_HOME[first]:
            found.append(f"{room} imports {first}, which lives in {sorted(AT_HOME[first])}")
    return found


def inner_names(modules: list[str]) -> list[str]:
    """The imports of a client that are not of a public name of a room (a package, or a file of the top folder)."""
    found = []
    for module in modules:
        first, *rest = module.split(".")
        if first != "headstart" or not rest:
            continue
        room = import_module(".".join(module.split(".")[:-1]))
        public = getattr(room, "__all__", [name for name in vars(room) if not name.startswith("_")])
        public = dir(room) if "__dir__" in vars(room) else public  # a room that says itself what is public
        is_room = hasattr(room, "__path__") or len(rest) == 2
        if not is_room or rest[-1] not in public:
            found.append(module)
    return found


@pytest.mark.parametrize("path", sorted(CLIENT.rglob("*.py")), ids=lambda path: str(path.relative_to(CLIENT)))
def test_the_reproduction_imports_public_names_only(path: Path) -> None:
    assert inner_names(imported_modules(ast.parse(path.read_text()))) == []


def test_an_inner_name_and_a_client_imported_by_the_package_are_found() -> None:
    inner = ["headstart.train.loop.fit", "headstart.train.loop", "headstart.cli._guard", "headstart.train.fit"]
    assert inner_names(inner) == inner[:3]
    assert len(faults("evaluation", ["headstart_paper.table.lines"])) == 1


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    assert faults(room_of(path), imported_modules(ast.parse(path.read_text()))) == []


def test_an_import_going_up_or_a_library_away_from_home_is_found() -> None:
    tree = ast.parse("def f():\n    from headstart.cli import app\nimport torch, numpy\nfrom headstart import errors")
    found = faults("scores", imported_modules(tree))
    assert sorted(fault.split(",")[0] for fault in found) == ["scores imports cli", "scores imports torch"]


def test_an_import_only_for_types_is_free() -> None:
    tree = ast.parse("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch")
    assert faults("scores", imported_modules(tree)) == []


def test_no_function_has_more_than_a_hundred_lines() -> None:
    lengths = {
        f"{path.stem}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > 100} == {}
