"""docs/methods.md says what each method does on each family of networks, and this is what they do."""

import re

import pytest
import torch
from tests.transfers.families import DOCUMENT, FAMILIES, UNFIT, WORKS, outcome, source_of

from headstart.transfers import METHODS
from headstart.transfers.four_bit import is_four_bit
from headstart.transfers.methods.lora import target_layers
from headstart.transfers.network import transferable


def documented() -> dict[str, dict[str, str]]:
    """Family -> method -> what the page says."""
    text = DOCUMENT.read_text(encoding="utf-8")
    refusals = dict(re.findall(r"^(\d+)\. (.*)$", text, re.MULTILINE))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    header, _, *body = rows
    found: dict[str, dict[str, str]] = {family: {} for family in header[1:]}
    for name, *cells in body:
        for family, cell in zip(header[1:], cells, strict=True):
            found[family][name.strip("`")] = refusals[cell.strip("[]")] if cell.startswith("[") else cell or UNFIT
    return found


@pytest.mark.filterwarnings("ignore:.*lora.*initiali:UserWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_on_methods_says_what_they_do(family: str) -> None:
    """After a change on purpose: `python -m tests.transfers.families` writes the page again."""
    page = documented()[family]
    assert list(page) == list(METHODS)
    assert {name: outcome(name, family) for name in METHODS} == page


def test_a_layer_whose_caller_casts_its_input_stays_in_full_width() -> None:
    model = transferable(source_of("T5 encoder"), 3, seed=0)
    METHODS["qlora"]().insert(model)
    packed = [name for name, value in model.network.named_parameters() if is_four_bit(value)]
    assert any("SelfAttention" in name for name in packed)
    assert any(".wi" in name for name in packed)
    assert not any(".wo" in name for name in packed)


def test_lora_reaches_the_layers_of_gpt2() -> None:
    model = transferable(source_of("GPT-2"), 3, seed=0)
    assert [name.rpartition(".")[2] for name in target_layers(model)] == ["c_attn", "c_proj", "c_fc", "c_proj"]


def test_a_prefix_on_t5_changes_what_words_attend_to_and_not_their_bias() -> None:
    source = source_of("T5 encoder")
    model = transferable(source, 3, seed=0)
    METHODS["prefix"](prompt=3).insert(model)
    attention = model.network.get_submodule("body.model.encoder.block.0.layer.0.SelfAttention")
    with torch.no_grad():
        attention.prefix.keys.fill_(-1e4)  # keys that no word looks at, or all do: never both signs of one query
        attention.prefix.values.zero_()
        moved = model.network.features(model.probe)
        attention.prefix.values.fill_(1.0)
        assert not torch.allclose(moved, model.network.features(model.probe))
    assert documented()["T5 encoder"]["prefix"] == WORKS
