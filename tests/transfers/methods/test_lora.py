"""LoRA and DoRA: the layers they find, what they train, and merging as peft merges."""

import pytest
import torch
from tests.transfers.tiny import planned, source, trained

from headstart.transfers.methods.lora import merge, target_layers
from headstart.transfers.network import count, transferable

IMAGE = source()


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_merged_updates_give_the_same_outputs_and_equal_pefts_own_merge(name: str) -> None:
    import peft

    model, _ = planned(name, IMAGE, rank=2, alpha=6)
    with torch.no_grad():
        for key, parameter in model.network.named_parameters():
            if ".lora_B" in key:
                parameter.normal_()
    x = torch.randn(4, 3, 8, 8)
    theirs_base = transferable(IMAGE, 3, seed=0)
    with torch.inference_mode():
        expected = model.network.features(x)
        assert not torch.allclose(expected, theirs_base.network.features(x), atol=1e-2)
    config = peft.LoraConfig(
        r=2, lora_alpha=6, target_modules=target_layers(theirs_base), use_dora=name == "dora", lora_dropout=0.0
    )
    theirs = peft.get_peft_model(theirs_base.network, config)
    ours = dict(model.network.named_parameters())
    with torch.no_grad():
        for key, parameter in theirs.base_model.model.named_parameters():
            parameter.copy_(ours[key])
    whole = theirs.merge_and_unload()
    merge(model.network)
    assert not [key for key, _ in model.network.named_parameters() if "lora" in key]
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, model.network.state_dict()[key], atol=1e-6), key
    with torch.inference_mode():
        assert torch.allclose(model.network.features(x), expected, atol=1e-4)


def test_lora_finds_its_layers_by_type_and_leaves_grouped_convolutions_out() -> None:
    targets = target_layers(transferable(IMAGE, 3, seed=0))
    assert targets == [
        "body.model.stem.0",
        *(f"body.model.stages.{i}.{n}" for i in (0, 1) for n in ("first", "second")),
    ]


def test_lora_counts_what_trains() -> None:
    model, groups = planned("lora", IMAGE, rank=2)
    added = 2 * (27 + 8) + 2 * (2 * (72 + 8) + 2 * (8 + 8))  # rank * (inputs + outputs) of each layer
    head = 8 * 3 + 3
    assert count(model.network, sorted(trained(groups))) == added + head
