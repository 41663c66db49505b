"""multilingual-e5-small from the packages that bring it: a file of 4-bit weights, and a tokenizer.

The file: 8 bytes; 7 int32 (hidden, layers, heads, inner, vocabulary, positions, token types); a float32, an
int32; 5 int32 and a blob about its own tokenizer; then a directory of tensors: uint16 length of the name, the
name, uint8 type, uint32 elements, uint64 offset, uint64 bytes. A block of 4-bit weights holds 32 of them in
18 bytes: a float16 scale, then 16 bytes with the first 16 weights in the low and the last 16 in the high
half-bytes; a weight is (half-byte - 8) times the scale.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.build import Preparation
from headstart.sources.preparation import Texts, plain_text, tokenizer_description
from headstart.sources.source import Source
from headstart.sources.texts import from_text_encoder

PROMPT = "query: "  # with which the model was trained to see sentences
LAYER = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "intermediate.dense": "fi",
    "output.dense": "fo",
}
NORMS = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}


def load_e5(weights: Path, tokenizer: Path, card: ModelCard) -> Source:
    """The model as a source of mean-pooled sentence features.

    Raises:
        ModelError: A file is not what it should be.
    """
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    try:
        sizes, pad, tensors = _directory(weights.read_bytes())
        hidden, layers, heads, inner, vocabulary, positions, types = sizes
        config = BertConfig(
            vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
            intermediate_size=inner, max_position_embeddings=positions, type_vocab_size=types, pad_token_id=pad,
        )  # fmt: skip
        model = BertModel(config, add_pooling_layer=False)
        model.load_state_dict(
            {name: _tensor(tensors, _theirs(name), tuple(value.shape)) for name, value in model.state_dict().items()}
        )
    except (KeyError, ValueError, RuntimeError, struct.error, UnicodeDecodeError) as error:
        raise ModelError(f"{weights} does not hold the weights of the model: {error}") from error
    words = PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer), bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        unk_token="<unk>", pad_token="<pad>", mask_token="<mask>",
    )  # fmt: skip

    def tokenize(texts: list[Any]) -> Any:
        return words([PROMPT + text for text in texts], padding=True, truncation=True, max_length=positions,
                     return_token_type_ids=False, return_tensors="pt")  # fmt: skip

    described = f"{tokenizer_description(words, positions)} prompt {PROMPT!r}"
    preparation = Preparation(plain_text, Texts(tokenize, words, positions, PROMPT), described)
    return from_text_encoder(model.eval(), card, preparation, set())


def _directory(data: bytes) -> tuple[tuple[int, ...], int, dict[str, bytes]]:
    """The sizes of the network, the padding token, and the content of each tensor by name."""
    sizes = struct.unpack_from("7i", data, 8)
    at = 8 + 28 + 8
    pieces, _, _, pad, _ = struct.unpack_from("5i", data, at)
    (blob,) = struct.unpack_from("Q", data, at + 20)
    at += 28 + (pieces + 1) * 4 + pieces * 4 + blob + 4
    (normaliser,) = struct.unpack_from("I", data, at)
    at += 4 + normaliser
    (count,) = struct.unpack_from("i", data, at)
    at += 4
    found = {}
    for _ in range(count):
        (length,) = struct.unpack_from("H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        offset, size = struct.unpack_from("QQ", data, at + 2 + length + 5)
        found[name] = data[offset : offset + size]
        at += 2 + length + 5 + 16
    return sizes, pad, found


def _theirs(name: str) -> str:
    """The file's name of a tensor of the network."""
    if name.startswith("embeddings."):
        part = name.removeprefix("embeddings.")
        norm = {"LayerNorm.weight": "ln.w", "LayerNorm.bias": "ln.b"}
        return (
            f"emb.{norm.get(part, {'word': 'word', 'position': 'pos', 'token': 'type'}.get(part.split('_')[0], part))}"
        )
    _, _, layer, rest = name.split(".", 3)
    part, _, kind = rest.rpartition(".")
    return f"l{layer}.{(LAYER | NORMS)[part]}.{kind[0]}"


def _tensor(tensors: dict[str, bytes], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    content, count = tensors[name], int(np.prod(shape))
    if len(content) == 4 * count:
        return torch.from_numpy(np.frombuffer(content, np.float32).reshape(shape).copy())
    blocks = np.frombuffer(content, np.uint8).reshape(count // 32, 18)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
    return torch.from_numpy((halves * blocks[:, :2].copy().view(np.float16).astype(np.float32)).reshape(shape))
