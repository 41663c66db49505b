"""Prefix and prompt tuning: against peft where it computes the same, and what is promised where it does not."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.transfers.tiny import planned, source, target, text_source, text_source_of, texts
from torch import Tensor, nn
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from headstart.data import open_target
from headstart.errors import InputError
from headstart.sources import candidates
from headstart.sources.source import Source
from headstart.transfers import load, transfer
from headstart.transfers.network import Transferable, transferable

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}
TEXT = text_source()
SMALL = {"vocab_size": 9, "num_labels": 3, "pad_token_id": 0}
BERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def bert() -> nn.Module:
    """A BERT that does not care about positions, and whose first norm changes nothing that is normed already."""
    torch.manual_seed(0)
    module = BertForSequenceClassification(BertConfig(**BERT, **SMALL, max_position_embeddings=24)).eval()
    embeddings = module.bert.embeddings
    nn.init.zeros_(embeddings.position_embeddings.weight)
    nn.init.zeros_(embeddings.token_type_embeddings.weight)
    return module


def bert_source(module: nn.Module) -> Source:
    return text_source_of(module, "classifier", "module/bert")


def peft_model(module: nn.Module, config: object) -> nn.Module:
    import peft

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers for something by its old name
        return peft.get_peft_model(module, config).eval()


BATCH = {
    "input_ids": torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
}


def hidden_states(model: Transferable, batch: dict[str, Tensor]) -> Tensor:
    """(b, t, d) after the last layer."""
    seen: list[Tensor] = []
    hook = model.network.body.model.bert.encoder.register_forward_hook(lambda m, i, output: seen.append(output[0]))
    with torch.inference_mode():
        model.network(batch)
    hook.remove()
    return seen[0]


def test_a_prefix_computes_what_pefts_does_where_positions_do_not_matter() -> None:
    import peft

    module = bert()
    model, _ = planned("prefix", bert_source(module), prompt=3)
    theirs = peft_model(module.bert, peft.PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=3))
    parts = [m for m in model.network.modules() if type(m).__name__ == "PrefixParts"]
    flat = [part[0].transpose(0, 1).reshape(3, 16) for prefix in parts for part in (prefix.keys, prefix.values)]
    with torch.no_grad():
        theirs.prompt_encoder.default.embedding.weight.copy_(torch.cat(flat, dim=1))
        expected = theirs(**BATCH).last_hidden_state
    got = hidden_states(model, BATCH)
    assert torch.allclose(got[0], expected[0], atol=1e-5)
    assert torch.allclose(got[1, :3], expected[1, :3], atol=1e-5)  # what padding holds is nobody's matter


def test_a_prompt_computes_what_pefts_does_where_positions_do_not_matter() -> None:
    import peft

    module = bert()
    model, _ = planned("prompt", bert_source(module), prompt=3)
    theirs = peft_model(module.bert, peft.PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=3))
    with torch.no_grad():  # theirs enter before the norm of the embeddings, ours after it
        tokens = nn.functional.layer_norm(torch.randn(3, 16), (16,))
        model.network.prompt.tokens.copy_(tokens[None])
        theirs.prompt_encoder.default.embedding.weight.copy_(tokens)
        expected = theirs(**BATCH).last_hidden_state[:, 3:]
    got = hidden_states(model, BATCH)
    assert got.shape == (2, 5, 16)
    assert torch.allclose(got[0], expected[0], atol=1e-4)
    assert torch.allclose(got[1, :3], expected[1, :3], atol=1e-4)


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_the_first_word_is_pooled_and_padding_changes_nothing(name: str) -> None:
    model, _ = planned(name, TEXT)
    short, padded = TEXT.collate([[1, 2]]), TEXT.collate([[1, 2], [1, 2, 3, 4, 5]])
    pooled: list[Tensor] = []
    model.network.body.model.bert.pooler.register_forward_pre_hook(lambda m, inputs: pooled.append(inputs[0]))
    with torch.inference_mode():
        assert torch.allclose(model.network(short)[0], model.network(padded)[0], atol=1e-6)
    assert [x.shape[1] for x in pooled] == [2, 5]  # no virtual token among them


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_words_keep_their_positions_so_a_text_of_full_length_fits(name: str) -> None:
    model, _ = planned(name, TEXT)
    seen: list[int] = []
    embeddings = model.network.body.model.bert.embeddings
    embeddings.position_embeddings.register_forward_pre_hook(lambda m, inputs: seen.append(int(inputs[0].min())))
    with torch.inference_mode():
        assert model.network(TEXT.collate([[1] * 16])).shape == (1, 3)  # all of the 16 positions there are
    assert seen == [0]


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_what_trains_is_counted_and_the_network_is_frozen(name: str) -> None:
    model, groups = planned(name, TEXT, prompt=3)
    moving = {parameter: group.rate for group in groups if group.rate > 0 for parameter in group.parameters}
    sizes = {key: value.numel() for key, value in model.network.named_parameters()}
    expected = 3 * 16 * (2 * 2 if name == "prefix" else 1)  # keys and values of two layers, or one vector a token
    assert sum(sizes[key] for key in moving) == expected + 16 * 3 + 3
    assert {key.rpartition(".")[0].rpartition(".")[2] for key in moving} == {name, "head"}


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_the_number_of_tokens_and_the_rate_change_the_result(name: str) -> None:
    data = open_target(texts())
    runs = [transfer(data, text_source(), method=name, **SHORT, **o) for o in ({}, {}, {"prompt": 3}, {"rate": 0.1})]
    first, again, *others = (run.predictions.outputs for run in runs)
    assert np.array_equal(first, again)
    assert not any(np.allclose(first, other, rtol=0, atol=1e-6) for other in others)


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_it_learns_is_saved_and_leaves_the_source_alone(name: str, tmp_path: Path) -> None:
    data, of = open_target(texts()), text_source()
    before = {key: value.clone() for key, value in of.module.state_dict().items()}
    config = of.module.config._attn_implementation
    run = transfer(data, of, method=name, out=tmp_path, **{**SHORT, "epochs": 12, "rate": 0.05})
    assert run.outcome.metrics["accuracy"] > 0.9
    assert all(torch.equal(before[key], value) for key, value in of.module.state_dict().items())
    assert of.module.config._attn_implementation == config
    words = ["red one", "green two three four"]
    part = run.save(tmp_path / "part", weights="adapter")
    for place in (tmp_path, part):
        assert np.array_equal(load(place, source=text_source()).logits(words), run.logits(words))


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_onnx_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    import onnxruntime

    from headstart.transfers.export import export_onnx

    run = transfer(open_target(texts()), text_source(), method=name, **SHORT)
    session = onnxruntime.InferenceSession(str(export_onnx(run, tmp_path / "model.onnx")))
    for words in (["red one"], ["red one two three four", "green", "blue five"]):
        batch = run.source.collate([run.source.prepare(word) for word in words])
        (outputs,) = session.run(None, {key: value.numpy() for key, value in batch.items()})
        assert np.abs(outputs - run.logits(words)).max() < 1e-4


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_the_offline_sentence_encoder_takes_them(name: str) -> None:
    of = candidates("st/all-MiniLM-L6-v2", kind="text")[0].load(False)
    data = open_target((["good film", "bad film"] * 6, ["a", "b"] * 6))
    run = transfer(data, of, method=name, epochs=1, cache=False)
    assert run.outcome.trained == 8 * 384 * (12 if name == "prefix" else 1) + 384 * 2 + 2
    long = "word " * 400  # cut to the encoder's 256 tokens
    assert np.abs(run.logits(["good film", long])[0] - run.logits(["good film"])[0]).max() < 1e-5


OTHERS = {
    "roberta": (RobertaForSequenceClassification, RobertaConfig, {**BERT, "max_position_embeddings": 24}),
    "distilbert": (
        DistilBertForSequenceClassification,
        DistilBertConfig,
        {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 24},
    ),
    "gpt2": (GPT2ForSequenceClassification, GPT2Config, {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24}),
    "albert": (
        AlbertForSequenceClassification,
        AlbertConfig,
        {**BERT, "embedding_size": 8, "max_position_embeddings": 24},
    ),
    "modernbert": (
        ModernBertForSequenceClassification,
        ModernBertConfig,
        {
            **BERT,
            "max_position_embeddings": 24,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "cls_token_id": 1,
            "sep_token_id": 2,
        },
    ),
    "mpnet": (MPNetForSequenceClassification, MPNetConfig, {**BERT, "max_position_embeddings": 24}),
}


def other(kind: str) -> Source:
    model, config, settings = OTHERS[kind]
    torch.manual_seed(0)
    head = {"gpt2": "score", "roberta": "classifier.out_proj", "mpnet": "classifier.out_proj"}.get(kind, "classifier")
    return text_source_of(model(config(**settings, **SMALL)), head, f"module/{kind}")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("prefix", k) for k in ("roberta", "distilbert", "gpt2", "albert", "modernbert")]
    + [("prompt", k) for k in ("roberta", "distilbert", "gpt2")],
)
def test_other_models_of_transformers_take_them(name: str, kind: str) -> None:
    of = other(kind)
    model, groups = planned(name, of)
    plain = transferable(of, 3, seed=0)
    short, padded = TEXT.collate([[1, 2]]), TEXT.collate([[1, 2], [1, 2, 3, 4, 5]])
    with torch.inference_mode():
        got = model.network.features(padded)
        assert torch.allclose(model.network.features(short)[0], got[0], atol=1e-5)
        assert not torch.allclose(plain.network.features(padded), got, atol=1e-4)
    assert any(group.rate > 0 and group.block != "head" for group in groups)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("prefix", "mpnet", "MPNet and DeBERTa cannot.*Use `lora` or `adapters`"),
        ("prompt", "mpnet", "MPNet and DeBERTa cannot"),
        ("prompt", "albert", "uses a layer several times.*use `prefix`"),
        ("prompt", "modernbert", "take positions of their own; `prefix` may work"),
    ],
)
def test_a_model_that_cannot_take_them_says_what_does(name: str, kind: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        planned(name, other(kind))


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_images_are_refused_with_the_ways_that_work(name: str) -> None:
    with pytest.raises(InputError, match=f"`{name}` is for text data.*Methods for those: .*head.*visual-prompt"):
        transfer(target(), source(), method=name, cache=False)
    with pytest.raises(InputError, match="virtual tokens need a text model of transformers"):
        planned(name, source())
