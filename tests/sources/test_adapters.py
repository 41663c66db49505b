"""The registry of adapters: a new file is a new way to name a model, everywhere."""

import subprocess
import sys
import types
from collections.abc import Iterator

import pytest
from tests.sources.tiny_models import plain, resize_to
from torch import nn

from headstart.cli._options import complete_models
from headstart.errors import InputError, MissingExtra
from headstart.records import ModelCard
from headstart.sources import ADAPTERS, Adapter, Source, adapter, candidates, from_module, list_models


@pytest.fixture
def shelf() -> Iterator[Adapter]:
    """An adapter in a module of its own, as a package of a user would bring it."""
    module = types.ModuleType("shelf_of_models")

    @adapter
    class Shelf(Adapter):
        __module__ = module.__name__
        name = "shelf"
        about = "models on a shelf"
        example = "shelf/first"
        listed = True

        def names(self) -> list[str]:
            return ["shelf/first", "shelf/second"]

        def load(self, card: ModelCard, trust_pickle: bool) -> Source:
            return from_module(plain(), prepare=resize_to(16), name=card.name)

    yield ADAPTERS["shelf"]
    del ADAPTERS._entries["shelf"]


def test_a_new_adapter_is_found_listed_completed_and_loaded(shelf: Adapter) -> None:
    found = candidates("shelf/*", kind="image")
    assert [one.name for one in found] == ["shelf/first", "shelf/second"]
    assert found[1].load(False).name == "shelf/second"
    assert [card.name for card in list_models("shelf")] == ["shelf/first", "shelf/second"]
    assert "shelf/" in complete_models("sh")
    assert complete_models("shelf/f") == ["shelf/first"]
    with pytest.raises(InputError, match="Did you mean `shelf/first`"):
        candidates("shelf/frist")


def test_a_new_adapter_is_on_the_command_line() -> None:
    code = """
import sys
from headstart.sources import Adapter, adapter
@adapter
class Shelf(Adapter):
    name, about, example = "shelf", "models on a shelf", "shelf/first"
    def load(self, card, trust_pickle): ...
from headstart.cli import app
for words in (["rank", "--help"], ["models"]):
    app(words, standalone_mode=False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    for text in ("shelf/NAME", "models on a shelf"):
        assert text in " ".join(done.stdout.split())


def test_models_are_listed_without_torch() -> None:
    code = "import sys; from headstart.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, "models"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for one in ADAPTERS.values():
        assert one.usage in done.stdout
        assert one.about in done.stdout


def test_every_adapter_says_what_it_is() -> None:
    for one in ADAPTERS.values():
        assert one.about
        assert set(one.media) <= {"image", "text", "arrays"}
        assert not one.typed or one.serves(one.example)
    assert [one.name for one in ADAPTERS.values() if one.network] == ["hf", "open_clip", "st", "timm", "torchvision"]


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ADAPTERS["st"]), "library", "no_such_library")
    with pytest.raises(MissingExtra, match=r"`st/ID` needs no_such_library\. Run: pip install 'headstart\[text\]'"):
        candidates("st/all-MiniLM-L6-v2")


def test_a_module_is_given_not_named() -> None:
    (candidate,) = candidates("module/Sequential")
    with pytest.raises(InputError, match=r"`module/Sequential`: pass the module itself"):
        candidate.load(False)
    assert candidates(nn.Sequential())[0].name == "module/Sequential"
