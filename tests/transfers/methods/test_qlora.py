"""QLoRA on a CPU: what 4 bits hold, what trains, what is saved; against NF4 written out by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.transfers.tiny import images, planned, prepare, source, target, text_source, texts
from torch import Tensor, nn

import headstart.torchvision_ops  # noqa: F401 (torchvision imports beside a CPU-only torch)
from headstart.data import open_target
from headstart.errors import InputError, MissingExtra
from headstart.sources import from_module
from headstart.sources.source import Source
from headstart.transfers import load, transfer
from headstart.transfers.four_bit import is_four_bit
from headstart.transfers.network import transferable
from headstart.transfers.run import Run

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}
WORDS = ["red one", "green two three four"]

# The 16 values of NF4, as printed in the paper's appendix E.
NF4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]  # fmt: skip


def vit() -> Source:
    import timm

    torch.manual_seed(0)
    net = timm.create_model("vit_tiny_patch16_224", img_size=8, patch_size=4, embed_dim=64, depth=2, num_heads=2)
    return from_module(net.eval(), prepare=prepare, name="module/vit")


def bert() -> Source:
    """As in `tiny.py`, but wide enough for blocks of 64."""
    return text_source(64)


def in_blocks(weight: Tensor) -> Tensor:
    return nn.functional.pad(weight.flatten(), (0, -weight.numel() % 64)).reshape(-1, 64)


def by_hand(blocks: Tensor) -> Tensor:
    """NF4 in blocks of 64, with exact scales."""
    scale = blocks.abs().amax(dim=1, keepdim=True)
    values = torch.tensor(NF4)
    return values[(blocks[..., None] / scale[..., None] - values).abs().argmin(dim=-1)] * scale


@pytest.mark.parametrize("of", [bert, vit])
def test_the_base_is_nf4(of) -> None:
    from bitsandbytes.functional import dequantize_4bit

    plain = dict(transferable(of(), 3, seed=0).network.named_parameters())
    packed = [(n, p) for n, p in planned("qlora", of())[0].network.named_parameters() if is_four_bit(p)]
    assert len(packed) >= 8
    for name, parameter in packed:
        weight = plain[name.replace(".base_layer", "")].detach()
        held = dequantize_4bit(parameter.data, parameter.quant_state)
        assert parameter.numel() == (weight.numel() + 1) // 2  # two to a byte
        held, expected = in_blocks(held), by_hand(in_blocks(weight))
        rounding = held.abs().amax(dim=1, keepdim=True) / expected.abs().amax(dim=1, keepdim=True)
        assert (rounding - 1).abs().max() < 0.03  # the scales are rounded too, to 8 bits
        assert torch.allclose(held, expected * rounding, atol=1e-6)


@pytest.mark.parametrize("of", [bert, vit])
def test_updates_and_head_train_and_all_numbers_are_counted(of) -> None:
    model, groups = planned("qlora", of(), rank=2)
    whole, lora = planned("lora", of(), rank=2)
    moving, expected = ({n for g in some for n in g.parameters if g.rate > 0} for some in (groups, lora))
    if of is bert:  # the same layers; a vision transformer's patch embedding is a convolution
        assert moving == expected
    from headstart.transfers.network import count

    every, alike = ([n for g in some for n in g.parameters] for some in (groups, lora))
    assert count(model.network, every) == count(whole.network, alike)  # packed numbers count as what they stand for


def test_the_base_stays_bit_for_bit() -> None:
    before = planned("qlora", bert())[0].network
    run = transfer(open_target(texts()), bert(), method="qlora", **SHORT)
    after = dict(run.network.named_parameters())
    packed = [n for n, p in before.named_parameters() if is_four_bit(p)]
    assert packed
    assert all(torch.equal(before.get_parameter(n), after[n]) for n in packed)
    assert run.outcome.trained < run.outcome.parameters / 2


def test_each_option_changes_the_result() -> None:
    data = open_target(texts())
    given = ({}, {"rank": 2}, {"alpha": 1.0}, {"dropout": 0.5}, {"rate": 0.01})
    first, *others = (transfer(data, bert(), method="qlora", **SHORT, **o).predictions.outputs for o in given)
    assert not any(np.allclose(first, other, rtol=0, atol=1e-9) for other in others)
    lora = transfer(data, bert(), method="lora", **SHORT).predictions.outputs
    assert not np.allclose(first, lora, rtol=0, atol=1e-9)
    assert np.allclose(first, lora, atol=0.05)  # 4 bits are near the whole


def learned(of: Source, data: object) -> Run:
    return transfer(data, of, method="qlora", **{**SHORT, "epochs": 12, "rate": 0.02})


@pytest.mark.parametrize(("of", "inputs"), [(bert, WORDS), (vit, images(4, seed=9)[0])])
def test_it_learns_and_every_form_of_weights_loads_back(tmp_path: Path, of, inputs) -> None:
    run = learned(of(), open_target(texts()) if of is bert else target())
    assert run.outcome.metrics["accuracy"] > 0.9
    places = {kind: run.save(tmp_path / kind, weights=kind) for kind in ("whole", "adapter", "merged")}
    logits = {kind: load(place, source=of()).logits(inputs) for kind, place in places.items()}
    assert np.array_equal(logits["whole"], run.logits(inputs))
    assert np.array_equal(logits["adapter"], run.logits(inputs))
    assert np.allclose(logits["merged"], run.logits(inputs), atol=1e-4)  # float32 again: no second rounding
    merged = load(places["merged"], source=of()).network
    assert not [n for n, p in merged.named_parameters() if "lora" in n or is_four_bit(p)]


def test_whole_weights_do_not_depend_on_the_sources(tmp_path: Path) -> None:
    run = learned(bert(), open_target(texts()))
    other = text_source.__wrapped__(64)  # its own, since it is changed
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.mul_(1.5)
    assert np.array_equal(load(run.save(tmp_path), source=other).logits(WORDS), run.logits(WORDS))


def test_onnx_gives_the_same_outputs(tmp_path: Path) -> None:
    import onnxruntime

    from headstart.transfers.export import export_onnx

    run = transfer(target(), vit(), method="qlora", **SHORT)
    session = onnxruntime.InferenceSession(str(export_onnx(run, tmp_path / "model.onnx")))
    pictures = images(3, seed=3)[0]
    batch = run.source.collate([run.source.prepare(picture) for picture in pictures]).numpy()
    assert np.abs(session.run(None, {"input": batch})[0] - run.logits(pictures)).max() < 1e-4


@pytest.mark.parametrize("of", [source, text_source])
def test_a_network_without_layers_that_fit_says_what_serves(of) -> None:
    with pytest.raises(InputError, match=r"4 bits are for linear layers with a multiple of 64 inputs.*Use `lora`"):
        planned("qlora", of())


def test_without_the_library_the_line_to_run_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[qlora\]'"):
        planned("qlora", bert())
