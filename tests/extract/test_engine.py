"""Engines: the same rows from each, the rule that chooses, and no failure of an engine that costs the pass."""

import importlib.util

import numpy as np
import pytest
import torch
from tests.extract.toys import Net, pictures, plainly, source

from headstart.errors import MissingExtra
from headstart.extract import engine, extract, onnx
from headstart.extract.engine import export_pays
from headstart.sources import Source

needs_onnx = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in onnx.PACKAGES), reason="the extra `speed` is not installed"
)


@pytest.fixture(scope="module")
def exports() -> dict[str, bytes]:
    return {}


@pytest.fixture
def exported_once(exports: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Export networks of equal layers once; here they have equal weights too."""
    real = onnx.exported

    def exported(one: Source, batch: torch.Tensor) -> bytes:
        if (layers := str(one.network)) not in exports:
            exports[layers] = real(one, batch)
        return exports[layers]

    monkeypatch.setattr(onnx, "exported", exported)


@needs_onnx
@pytest.mark.usefixtures("exported_once")
@pytest.mark.parametrize("classifier", [True, False])
def test_onnxruntime_gives_the_same_rows(classifier: bool):
    target, one = pictures(range(50)), source(Net(classifier=classifier))
    found = extract(target, one, engine="onnxruntime")
    features, logits = plainly(target, one, range(50))
    assert found.engine == "eager, then onnxruntime"
    assert found.notes == ()
    np.testing.assert_allclose(found.features, features, rtol=1e-4, atol=1e-6)
    assert (found.logits is None) == (logits is None)
    if logits is not None:
        np.testing.assert_allclose(found.logits, logits, rtol=1e-4, atol=1e-6)


def test_eager_gives_the_same_bits_twice():
    first, second = (extract(pictures(range(50)), source(Net()), engine="eager") for _ in range(2))
    assert np.array_equal(first.logits, second.logits)


class Disagrees(Net):
    """Computes something else while it is exported."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        features, logits = super().forward(batch)
        return features * 1.001 if torch.compiler.is_exporting() else features, logits


class Branches(Net):
    """Cannot be exported: its path depends on the data."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return super().forward(batch if float(batch.sum()) > 0 else -batch)


@needs_onnx
@pytest.mark.parametrize(
    ("network", "why"),
    [(Disagrees(), "its results differ from torch's by 1.0e-03"), (Branches(), "its export failed (")],
    ids=["disagrees", "branches"],
)
def test_an_engine_that_does_not_fit_is_refused_and_the_pass_goes_on(network: Net, why: str):
    target, one = pictures(range(30)), source(network)
    found = extract(target, one, engine="onnxruntime", batch_size=8)
    assert found.engine == "eager"
    assert len(found.notes) == 1
    assert why in found.notes[0]
    np.testing.assert_allclose(found.features, plainly(target, one, range(30))[0], rtol=1e-4, atol=1e-6)


@needs_onnx
@pytest.mark.usefixtures("exported_once")
def test_an_engine_that_breaks_in_mid_run_is_left(monkeypatch: pytest.MonkeyPatch):
    real, runs = onnx.Onnx.run, []

    def breaks(self: onnx.Onnx, batch: torch.Tensor, count: int) -> tuple:
        runs.append(count)
        if len(runs) > 3:
            raise RuntimeError("bad allocation")
        return real(self, batch, count)

    monkeypatch.setattr(onnx.Onnx, "run", breaks)
    target, one = pictures(range(60)), source(Net())
    found = extract(target, one, engine="onnxruntime", batch_size=8)
    assert "it failed after some batches (RuntimeError: bad allocation)" in found.notes[0]
    np.testing.assert_allclose(found.features, plainly(target, one, range(60))[0], rtol=1e-4, atol=1e-6)


@needs_onnx
@pytest.mark.usefixtures("exported_once")
def test_the_pass_switches_by_itself_once_the_rest_pays_for_it(monkeypatch: pytest.MonkeyPatch):
    target, one = pictures(range(60)), source(Net())
    assert extract(target, one, batch_size=8).engine == "eager"
    monkeypatch.setattr(engine, "EXPORT_SECONDS", 0.0)
    monkeypatch.setattr(engine, "EXPORT_SECONDS_PER_MODULE", 0.0)
    monkeypatch.setattr(engine, "GAIN", 0.0)
    found = extract(target, one, batch_size=8)
    assert found.engine == "eager, then onnxruntime"
    np.testing.assert_allclose(found.features, plainly(target, one, range(60))[0], rtol=1e-4, atol=1e-6)
    monkeypatch.setattr(engine, "GAIN", 1e9)
    assert "it is not faster for this source" in extract(target, one, batch_size=8).notes[0]


def test_the_rule_never_risks_more_than_a_tenth_of_what_remains():
    for modules in (10, 100, 1000):
        expected = engine.EXPORT_SECONDS + engine.EXPORT_SECONDS_PER_MODULE * modules
        assert export_pays(10.1 * expected, modules)
        assert not export_pays(9.9 * expected, modules)


def test_onnxruntime_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onnx, "PACKAGES", ("no_such_package",))
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[speed\]'"):
        extract(pictures(range(3)), source(Net()), engine="onnxruntime")
    assert extract(pictures(range(3)), source(Net())).engine == "eager"
