"""What every method of transfer does on every family of networks: small random networks, one step each.

`python -m tests.transfers.families` writes docs/methods.md.
"""

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from tests.transfers.tiny import _codes, _padded, planned, prepare, text_source_of
from torch import Tensor, nn

import headstart.torchvision_ops  # noqa: F401 (torchvision imports beside a CPU-only torch)
from headstart.errors import InputError
from headstart.records import ModelCard
from headstart.sources import Source, from_module
from headstart.sources.build import Preparation
from headstart.sources.texts import from_text_encoder
from headstart.train.batches import TensorBatches
from headstart.train.loop import fit
from headstart.train.training import Training
from headstart.transfers import METHODS
from headstart.transfers.network import transferable
from headstart.transfers.saved import _put, state_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "methods.md"
WORKS, UNFIT = "works", "for other data"
TOLERANCE = 1e-5


def _timm(name: str, side: int, **options: Any) -> Source:
    import timm

    module = timm.create_model(name, num_classes=4, **options).eval()
    return from_module(module, prepare=lambda image: prepare(image).repeat(1, side // 8, side // 8), name=name)


def _bert() -> Source:
    from transformers import BertConfig, BertForSequenceClassification

    shape = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    return text_source_of(BertForSequenceClassification(BertConfig(vocab_size=9, **shape)), "classifier", "bert")


def _distilbert() -> Source:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(vocab_size=9, dim=64, n_layers=1, n_heads=2, hidden_dim=64)
    return text_source_of(DistilBertForSequenceClassification(config), "classifier", "distilbert")


def _gpt2() -> Source:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    config = GPT2Config(n_embd=64, n_layer=1, n_head=2, n_positions=24, vocab_size=9, num_labels=3, pad_token_id=0)
    return text_source_of(GPT2ForSequenceClassification(config), "score", "gpt2")


def _llama() -> Source:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    shape = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = LlamaConfig(vocab_size=9, num_labels=3, pad_token_id=0, **shape)
    return text_source_of(LlamaForSequenceClassification(config), "score", "llama")


def _t5() -> Source:
    from transformers import T5Config, T5EncoderModel

    module = T5EncoderModel(T5Config(vocab_size=9, d_model=64, d_kv=32, d_ff=64, num_layers=1, num_heads=2)).eval()
    return from_text_encoder(module, ModelCard(name="t5", kind="text"), Preparation(_codes, _padded, "codes"), set())


FAMILIES: dict[str, Callable[[], Source]] = {
    "ViT": lambda: _timm("vit_tiny_patch16_224", 8, img_size=8, patch_size=4, embed_dim=64, depth=1, num_heads=2),
    "Swin": lambda: _timm(
        "swin_tiny_patch4_window7_224", 32, img_size=32, window_size=4, embed_dim=32, depths=(1, 1), num_heads=(1, 2)
    ),
    "ConvNeXt": lambda: _timm("convnext_atto", 32, depths=(1, 1, 1, 1), dims=(8, 16, 32, 64)),
    "ResNet": lambda: _timm("resnet10t", 32, channels=(8, 16, 32, 64)),
    "MobileNetV3": lambda: _timm("mobilenetv3_small_050", 32),
    "BERT": _bert,
    "DistilBERT": _distilbert,
    "GPT-2": _gpt2,
    "Llama": _llama,
    "T5 encoder": _t5,
}


@cache
def source_of(family: str) -> Source:
    torch.manual_seed(0)
    return FAMILIES[family]()


def outcome(name: str, family: str) -> str:
    """`works`, or the text of the refusal.

    Raises:
        AssertionError: The source was edited, or a network that was saved, or merged, answers otherwise.
    """
    source, method = source_of(family), METHODS[name]
    if source.card.kind not in method.kinds:
        return UNFIT
    before = {key: value.clone() for key, value in source.module.state_dict().items()}
    options = {"teacher": source} if name == "distill" else {}
    try:
        model, groups = planned(name, source, epochs=1, **options)
    except InputError as error:
        return str(error)
    labels = np.arange(2)
    fit(model.network, groups, TensorBatches(model.probe, labels), None, Training(epochs=1, batch_size=2, warmup=0.0))
    expected = _answers(model.network, model.probe)
    assert all(torch.equal(before[key], value) for key, value in source.module.state_dict().items()), "base edited"
    trained = tuple(parameter for group in groups if group.rate > 0 for parameter in group.parameters)
    run: Any = SimpleNamespace(trained=trained)
    for weights in ("whole", "adapter") if method.inserts else ("whole",):
        again = transferable(source, 3, seed=1)
        method(**options).insert(again)
        _put(again.network, state_of(model.network, run, weights), Path(), complete=weights == "whole")
        _alike(_answers(again.network.eval(), model.probe), expected, f"saved as {weights}")
    if method.merges:
        merged = copy.deepcopy(model.network)
        method().merge(merged)
        _alike(_answers(merged.eval(), model.probe), expected, "merged")
    return WORKS


def _answers(network: nn.Module, batch: Any) -> Tensor:
    with torch.inference_mode():
        return network(batch)


def _alike(found: Tensor, expected: Tensor, what: str) -> None:
    off = float((found - expected).abs().max() / expected.abs().max())
    assert off <= TOLERANCE, f"{what}: {off:.1e} of the largest answer"


def page() -> str:
    """The table as Markdown: a row per method, a column per family, and the refusals below it."""
    refusals: dict[str, int] = {}
    lines = [
        "# Methods and families of networks",
        "",
        "Each method on a small random network of each family, one training step. *works*: the source is not edited,",
        f"and the network answers the same to {TOLERANCE} after saving and loading, and after merging. A number points",
        "to the refusal below the table; an empty cell is for another kind of data.",
        "",
        f"| method | {' | '.join(FAMILIES)} |",
        f"|---|{'---|' * len(FAMILIES)}",
    ]
    for name in METHODS:
        cells = []
        for family in FAMILIES:
            found = outcome(name, family)
            mark = (
                found
                if found == WORKS
                else ""
                if found == UNFIT
                else f"[{refusals.setdefault(found, len(refusals) + 1)}]"
            )
            cells.append(mark)
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {text}" for text, number in refusals.items()), ""])


if __name__ == "__main__":
    DOCUMENT.write_text(page(), encoding="utf-8")
