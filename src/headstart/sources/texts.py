"""Text models: sentence encoders as sources, and the faults that would go unnoticed in a text model."""

from typing import Any

import torch
from torch import nn

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.build import Preparation, finish, probe_batch
from headstart.sources.network import EmbeddingNetwork, share_weights
from headstart.sources.preparation import Texts, plain_text, tokenizer_description
from headstart.sources.source import Source

SHORT, LONG = "A short text.", "A longer text, beside which the short one is padded to the same number of tokens."
TOLERANCE = 1e-4  # of the largest feature: rounding alone stays far below, a wrong token far above


def from_sentence_transformer(module: nn.Module, card: ModelCard) -> Source:
    """A source from a loaded SentenceTransformer; it brings its own tokenizer, truncation and prompt."""
    encoder: Any = module
    prompt = encoder.prompts.get(encoder.default_prompt_name) if encoder.default_prompt_name else None
    preprocess = encoder.preprocess if hasattr(encoder, "preprocess") else encoder.tokenize

    def tokenize(texts: list[str]) -> Any:
        return preprocess([(prompt or "") + text for text in texts])

    described = f"{tokenizer_description(encoder.tokenizer, encoder.max_seq_length)} prompt {prompt!r}"
    preparation = Preparation(plain_text, Texts(tokenize), described)
    network = EmbeddingNetwork(share_weights(module).eval())
    source = finish(module, card, preparation, network, (), None, None, probe_batch(preparation, card))
    check_padding(source)
    return source


def check_tokenizer(tokenizer: Any, embeddings: int, model: str) -> None:
    """Raise ModelError for a tokenizer without words, or with more tokens than the model has `embeddings` for."""
    vocabulary = tokenizer.get_vocab()
    if set(vocabulary) <= set(tokenizer.all_special_tokens):
        raise ModelError(
            f"{model}: its tokenizer has special tokens only, so every text would look the same. Its files are missing "
            "(tokenizer.json, vocab.txt or tokenizer.model). Save them with `tokenizer.save_pretrained(folder)`."
        )
    if max(vocabulary.values()) >= embeddings:
        raise ModelError(
            f"{model}: its tokenizer has {max(vocabulary.values()) + 1} tokens and the model has embeddings for "
            f"{embeddings}: they do not belong together. Save both from the same training run."
        )


def check_padding(source: Source) -> None:
    """Raise ModelError if the features of a text change when it is padded beside a longer one."""
    alone = source.forward(source.join([source.prepare(SHORT)]))[0][0]
    padded = source.forward(source.join([source.prepare(text) for text in (SHORT, LONG)]))[0][0]
    off = float((alone - padded).abs().max() / alone.abs().max().clamp_min(torch.finfo(alone.dtype).tiny))
    if not off <= TOLERANCE:
        raise ModelError(
            f"{source.name}: the features of a text change by {off:.2g} of the largest one when it is padded beside a "
            "longer text, so they would depend on the batch size. Check that `pad_token_id` in config.json is the "
            "tokenizer's, and that the model uses the attention mask."
        )
