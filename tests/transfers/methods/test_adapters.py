"""Bottleneck adapters: two in each transformer layer, where Houlsby et al. put them; one after each other block."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.transfers.tiny import planned, prepare, source, target, text_source, text_source_of
from torch import Tensor, nn
from transformers import GPT2Config, GPT2ForSequenceClassification

import headstart.torchvision_ops  # noqa: F401 (torchvision imports beside a CPU-only torch)
from headstart.sources import from_module
from headstart.sources.source import Source
from headstart.transfers import transfer
from headstart.transfers.methods.adapters import Adapter
from headstart.transfers.network import Transferable, count, transferable


def image_source(module: nn.Module) -> Source:
    return from_module(module.eval(), prepare=prepare, name="module/image")


def vit() -> Source:
    import timm

    torch.manual_seed(0)
    return image_source(
        timm.create_model("vit_tiny_patch16_224", img_size=8, patch_size=4, embed_dim=32, depth=2, num_heads=2)
    )


def torchvision_vit() -> Source:
    import torchvision

    torch.manual_seed(0)
    shape = {"patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 128, "num_classes": 3}
    return image_source(torchvision.models.VisionTransformer(image_size=8, **shape))


def mixed() -> Source:
    import timm

    torch.manual_seed(0)
    return from_module(
        timm.create_model("mobilevit_xxs").eval(),
        prepare=lambda image: prepare(image).repeat(1, 8, 8),
        name="module/mixed",
    )


def gpt2() -> Source:
    torch.manual_seed(0)
    config = GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=24, vocab_size=9, num_labels=3, pad_token_id=0)
    return text_source_of(GPT2ForSequenceClassification(config), "score", "module/gpt2")


def shaken(model: Transferable) -> Transferable:
    """Adapters that do something."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.network.adapters.parameters():
            parameter.normal_(std=0.3)
    return model


PAIRS = {
    text_source: (
        "body.model.bert.encoder.layer.{}",
        {"attention": "attention.output.dense", "feed_forward": "output.dense"},
    ),
    vit: ("body.model.blocks.{}", {"attention": "attn.proj", "feed_forward": "mlp.fc2"}),
    gpt2: ("body.model.transformer.h.{}", {"attention": "attn.c_proj", "feed_forward": "mlp.c_proj"}),
}


@pytest.mark.parametrize("of", PAIRS)
def test_each_layer_computes_what_the_paper_draws(of: Callable[[], Source]) -> None:
    """Against the same adapters put behind the two projections by hand, where the layer adds nothing yet."""
    model = shaken(planned("adapters", of())[0])
    theirs = transferable(of(), 3, seed=0).network
    layer, ends = PAIRS[of]
    for number in (0, 1):
        for part, end in ends.items():
            name = f"{layer.format(number)}.{end}"
            key = layer.format(number).removeprefix("body.model.").replace(".", "_")
            adapter = model.network.adapters[f"{key}_{part}"]
            theirs.set_submodule(name, nn.Sequential(theirs.get_submodule(name), adapter))
    assert len(model.network.adapters) == 4
    plain = transferable(of(), 3, seed=0).network
    with torch.inference_mode():
        expected = theirs.features(model.probe)
        assert torch.allclose(model.network.features(model.probe), expected, atol=1e-6)
        assert not torch.allclose(expected, plain.features(model.probe), atol=1e-3)


def test_torchs_own_attention_is_adapted_too() -> None:
    model, _ = planned("adapters", torchvision_vit())
    assert len(model.network.adapters) == 4
    seen: list[Tensor] = []
    model.network.adapters["encoder_layers_encoder_layer_0_attention"].register_forward_hook(
        lambda m, inputs, output: seen.append(output)
    )
    with torch.inference_mode():
        model.network(model.probe)
    assert [x.shape for x in seen] == [(2, 5, 32)]  # four patches and the class token


def test_two_adapters_a_layer_are_counted() -> None:
    model, groups = planned("adapters", text_source(), bottleneck=3)
    trained = [name for group in groups if group.rate > 0 for name in group.parameters]
    each = 16 * 3 + 3 + 3 * 16 + 16
    assert count(model.network, trained) == 2 * 2 * each + 16 * 3 + 3
    assert [group.block for group in groups if group.rate > 0] == [
        "bert.encoder.layer.0",
        "bert.encoder.layer.1",
        "head",
    ]


def test_a_convolutional_network_has_one_after_each_block() -> None:
    model, _ = planned("adapters", source())
    assert list(model.network.adapters) == ["stem", "stages_0", "stages_1", "depthwise"]
    assert all(isinstance(adapter.down, nn.Conv2d) for adapter in model.network.adapters.values())


def test_a_mixed_network_has_both() -> None:
    model, _ = planned("adapters", mixed())
    kinds = {name: type(adapter.down) for name, adapter in model.network.adapters.items()}
    assert kinds["stem"] is nn.Conv2d
    assert kinds["stages_2_1_attention"] is kinds["stages_2_1_feed_forward"] is nn.Linear
    assert "stages_2_1" not in kinds


@pytest.mark.parametrize("of", [vit, torchvision_vit, mixed, text_source, gpt2])
def test_the_network_starts_as_it_came(of: Callable[[], Source]) -> None:
    model, plain = planned("adapters", of())[0], transferable(of(), 3, seed=0)
    with torch.inference_mode():
        assert torch.equal(model.network.features(model.probe), plain.network.features(model.probe))


@pytest.mark.parametrize("options", [{"bottleneck": 3}, {"dropout": 0.5}, {"rate": 0.02}])
def test_each_option_changes_the_result_of_a_transformer(options: dict) -> None:
    runs = [transfer(target(), vit(), method="adapters", epochs=2, cache=False, **o) for o in ({}, options)]
    first, other = (run.predictions.outputs for run in runs)
    assert not np.allclose(first, other, rtol=0, atol=1e-6)


def test_a_transformer_learns_by_its_adapters() -> None:
    run = transfer(target(90), vit(), method="adapters", epochs=15, rate=0.02, cache=False)
    assert run.outcome.metrics["accuracy"] > 0.9
    assert run.outcome.trained < run.outcome.parameters / 3


def test_an_adapter_is_its_formula() -> None:
    adapter = Adapter(4, 2, image=False, dropout=0.0)
    torch.manual_seed(0)
    with torch.no_grad():
        adapter.up.weight.normal_()
    x = torch.randn(3, 5, 4)
    inner = x @ adapter.down.weight.T + adapter.down.bias
    gelu = inner * (1 + torch.erf(inner / 2**0.5)) / 2
    assert torch.allclose(adapter(x), x + gelu @ adapter.up.weight.T + adapter.up.bias, atol=1e-6)
