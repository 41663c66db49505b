"""Text models: with a classifier or without, alone or padded, with their own settings, and what they cannot see."""

import logging
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tests.sources.folders import TEXTS, load, text_model, tokenizer
from torch import nn

from headstart.data import open_target
from headstart.errors import ModelError
from headstart.extract import extract
from headstart.sources import Source

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
BART = {
    "vocab_size": 40, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64,
    "pad_token_id": 0,
}  # fmt: skip
WITHOUT_A_CLASSIFIER = {
    "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(pad_token_id=0, **SMALL)),
    "roberta, masked words": lambda: transformers.RobertaForMaskedLM(
        transformers.RobertaConfig(pad_token_id=0, **SMALL)
    ),
    "xlm-roberta": lambda: transformers.XLMRobertaModel(transformers.XLMRobertaConfig(pad_token_id=0, **SMALL)),
    "distilbert": lambda: text_model("distilbert").distilbert,
    "t5": lambda: transformers.T5ForConditionalGeneration(transformers.T5Config(**T5)),
    "t5 encoder": lambda: transformers.T5EncoderModel(transformers.T5Config(**T5)),
    "bart": lambda: transformers.BartForConditionalGeneration(transformers.BartConfig(**BART)),
    "bart body": lambda: transformers.BartModel(transformers.BartConfig(**BART)),
}


def saved(model: nn.Module, folder: Path, **special: str) -> Path:
    model.save_pretrained(folder)
    tokenizer(**(special or {"pad_token": "[PAD]"})).save_pretrained(folder)
    return folder


def rows(source: Source, texts: list[str]) -> torch.Tensor:
    return source.forward(source.join([source.prepare(text) for text in texts]))[0]


@pytest.mark.parametrize("kind", WITHOUT_A_CLASSIFIER)
def test_a_text_model_without_a_classifier_is_the_mean_of_its_tokens(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = WITHOUT_A_CLASSIFIER[kind]().eval()
    source = load(saved(model, tmp_path))
    assert (source.card.kind, source.card.num_classes, source.layer) == ("text", None, "mean of the tokens")
    inner = model.get_encoder() if model.config.is_encoder_decoder else getattr(model, "roberta", model)
    for text, row in zip(TEXTS, rows(source, TEXTS), strict=True):  # padded in one batch, against each alone
        ids = tokenizer(pad_token="[PAD]")(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            torch.testing.assert_close(row, inner(ids).last_hidden_state[0].mean(dim=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "distilbert"])
def test_padding_on_the_left_changes_nothing(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = load(saved(text_model(kind), tmp_path, pad_token="[PAD]", padding_side="left"))
    torch.testing.assert_close(rows(source, TEXTS)[2:], rows(source, TEXTS[2:]), rtol=1e-5, atol=1e-5)


def test_a_text_longer_than_the_table_of_positions_is_cut(tmp_path: Path) -> None:
    config = transformers.RobertaConfig(pad_token_id=1, max_position_embeddings=20, **SMALL)
    source = load(saved(transformers.RobertaModel(config), tmp_path, pad_token="[UNK]"))
    assert source.collate(["good " * 50])["input_ids"].shape == (1, 18)
    assert rows(source, ["good " * 50]).isfinite().all()


def test_a_body_that_the_checkpoint_lacks_is_refused(tmp_path: Path) -> None:
    saved(text_model("distilbert").distilbert, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    save_file({k: v for k, v in state.items() if "ffn" not in k}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 4 tensors that the features depend on.*ffn"):
        load(tmp_path)


def notes(folder: Path, texts: list[str], cache: Path | None) -> str:
    target = open_target((texts, [i % 2 for i in range(len(texts))]))
    return " ".join(extract(target, load(folder), cache=cache).notes)


def test_what_a_model_cannot_see_of_the_texts_is_noted_also_from_the_cache(tmp_path: Path) -> None:
    config = transformers.BertConfig(max_position_embeddings=8, **SMALL)
    folder = saved(transformers.BertForSequenceClassification(config), tmp_path / "model")
    texts = ["a good film"] * 3 + ["good " * 8] + ["good " * 9, "strange words only"]
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        said = notes(folder, texts, cache)
        assert "1 of 6 texts is longer than the 8 tokens it reads" in said
        assert "11% of the tokens are unknown" in said  # 3 of 28
    assert not notes(folder, ["a good film", "good"], None)


def test_a_text_of_many_megabytes_is_cut_before_it_is_tokenized(tmp_path: Path) -> None:
    source = load(saved(text_model("bert"), tmp_path))
    seen: list[int] = []
    tokenize = source.collate.tokenize
    object.__setattr__(source.collate, "tokenize", lambda texts: seen.append(len(texts[0])) or tokenize(texts))
    source.collate(["good " * 1_000_000])
    assert seen == [512_000]


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A sentence encoder of two stages: BERT and a mean over its tokens."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    torch.manual_seed(0)
    saved(text_model("bert").bert, tmp_path / "bert")
    words = modules.Transformer(str(tmp_path / "bert"))
    pooling = modules.Pooling(words.get_embedding_dimension())
    SentenceTransformer(modules=[words, pooling, modules.Normalize()], device="cpu").save(str(tmp_path / "encoder"))
    return tmp_path / "encoder"


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({}, {}),
        ({"truncate_dim": 6}, {}),
        ({"prompts": {"ask": "a rather "}, "default_prompt_name": "ask"}, {}),
        ({"prompts": {"ask": "a rather "}, "default_prompt_name": "ask"}, {"include_prompt": False}),
    ],
)
def test_a_sentence_encoder_keeps_its_own_settings(encoder: Path, settings: dict, pooling: dict) -> None:
    from sentence_transformers import SentenceTransformer

    from headstart.sources import from_module

    module = SentenceTransformer(str(encoder), device="cpu", **settings)
    for name, value in pooling.items():
        setattr(module[1], name, value)
    plain = from_module(SentenceTransformer(str(encoder), device="cpu"))
    source = from_module(module)
    expected = module.encode(TEXTS, convert_to_tensor=True, show_progress_bar=False)
    torch.testing.assert_close(rows(source, TEXTS), expected, rtol=1e-5, atol=1e-6)
    assert (source.fingerprint == plain.fingerprint) == (settings == {})


def test_the_report_on_loaded_weights_is_for_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(text_model("bert").bert, tmp_path)
    said: list[str] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: said.append(record.getMessage()))
    logging.getLogger("transformers").addHandler(handler)
    try:
        logging.getLogger("headstart").setLevel(logging.NOTSET)  # other tests of this process may have asked
        load(tmp_path)
        quiet = list(said)
        logging.getLogger("headstart").setLevel(logging.INFO)
        load(tmp_path)
    finally:
        logging.getLogger("headstart").setLevel(logging.NOTSET)
        logging.getLogger("transformers").removeHandler(handler)
    assert not quiet
    assert "classifier.weight" in "".join(said)
