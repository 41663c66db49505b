"""Text models without a classifier as sources, and the faults that would go unnoticed in a text model."""

from typing import Any

import torch
from torch import nn

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.build import Preparation, finish, probe_batch
from headstart.sources.network import EmbeddingNetwork, TokenMeans, share_weights
from headstart.sources.preparation import Texts, plain_text, tokenizer_description
from headstart.sources.source import Source

SHORT, LONG = "A short text.", "A longer text, beside which the short one is padded to the same number of tokens."
TOLERANCE = 1e-4  # of the largest feature: rounding alone stays far below, a wrong token far above


def from_sentence_transformer(module: nn.Module, card: ModelCard) -> Source:
    """A source from a loaded SentenceTransformer; it brings its own tokenizer, truncation and prompt."""
    encoder: Any = module
    prompt = encoder.prompts.get(encoder.default_prompt_name) if encoder.default_prompt_name else None
    longest, width = encoder.max_seq_length, encoder.truncate_dim

    def tokenize(texts: list[Any]) -> Any:
        return encoder.preprocess(texts, prompt=prompt)

    described = f"{tokenizer_description(encoder.tokenizer, longest)} prompt {prompt!r}"
    described += "" if width is None else f" width {width}"
    preparation = Preparation(plain_text, Texts(tokenize, encoder.tokenizer, longest, prompt or ""), described)
    skipped = tokenize([SHORT]).get("prompt_length")  # tokens that a mean over tokens leaves out
    network = EmbeddingNetwork(share_weights(module).eval(), width, skipped)
    return check_padding(finish(module, card, preparation, network, (), None, None, probe_batch(preparation, card)))


def from_text_encoder(module: nn.Module, card: ModelCard, preparation: Preparation, missing: set[int]) -> Source:
    """A source from a text model of transformers without a classifier.

    Args:
        missing: Ids of the parameters that the checkpoint lacks.

    Raises:
        ModelError: One of those changes the features.
    """
    batch = probe_batch(preparation, card)
    network = TokenMeans(share_weights(module))
    if missing:
        with torch.enable_grad():
            network(batch)[0].sum().backward()
        random = [n for n, p in module.named_parameters() if id(p) in missing and p.grad is not None]
        module.zero_grad(set_to_none=True)
        if random:
            raise ModelError(
                f"its checkpoint lacks {len(random)} tensors that the features depend on, and they would "
                f"stay random: {', '.join(random[:5])}. Check that weights and config.json belong together.",
            )
    return check_padding(finish(module, card, preparation, network, (), None, None, batch))


def check_tokenizer(tokenizer: Any, embeddings: int) -> None:
    """Raise ModelError for a tokenizer without words, or with more tokens than the model has `embeddings` for."""
    vocabulary = tokenizer.get_vocab()
    if set(vocabulary) <= set(tokenizer.all_special_tokens):
        raise ModelError(
            "its tokenizer has special tokens only, so every text would look the same. Its files are missing "
            "(tokenizer.json, vocab.txt or tokenizer.model). Save them with `tokenizer.save_pretrained(folder)`.",
        )
    if max(vocabulary.values()) >= embeddings:
        raise ModelError(
            f"its tokenizer has {max(vocabulary.values()) + 1} tokens and the model has embeddings for "
            f"{embeddings}: they do not belong together. Save both from the same training run.",
        )


def check_padding(source: Source) -> Source:
    """The source; ModelError if the features of a text change when it is padded beside a longer one."""
    alone = source.forward(source.join([source.prepare(SHORT)]))[0][0]
    padded = source.forward(source.join([source.prepare(text) for text in (SHORT, LONG)]))[0][0]
    off = float((alone - padded).abs().max() / alone.abs().max().clamp_min(torch.finfo(alone.dtype).tiny))
    if not off <= TOLERANCE:
        raise ModelError(
            f"the features of a text change by {off:.2g} of the largest one when it is padded beside a "
            "longer text, so they would depend on the batch size. Check that `pad_token_id` in config.json is the "
            "tokenizer's, and that the model uses the attention mask.",
        )
    return source
