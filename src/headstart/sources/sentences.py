"""Sentence encoders of the usual shape without importing sentence-transformers, whose trainers take seconds to import.

The usual shape is a network of transformers, the mean over its tokens and, in most, unit length. The parameters have
the names, and the features the values, that sentence-transformers would give them; any other shape is left to it.
"""

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from headstart.sources.preparation import sides

TYPES = {"bert", "distilbert", "mpnet", "roberta", "xlm-roberta"}
SHAPES = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
LIBRARY = "sentence_transformers."
WORDS: dict[str, object] = {  # what may be written in sentence_bert_config.json, beside the length
    "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": "token_embeddings",
}
POOLING: dict[str, object] = {"pooling_mode_mean_tokens": True, "pooling_mode": "mean", "include_prompt": True}
WIDTHS = ("word_embedding_dimension", "embedding_dimension")
UNIT: dict[str, object] = dict.fromkeys(("module_input_name", "module_output_name"), "sentence_embedding")
WHOLE: dict[str, object] = {"model_type": "SentenceTransformer"}
BESIDE = ("__version__", "prompts", "similarity_fn_name")  # they change no embedding without a default prompt


class UsualEncoder(nn.Sequential):
    """What `texts.from_sentence_transformer` reads of a SentenceTransformer, for an encoder of the usual shape."""

    prompts: dict[str, str] = {}  # noqa: RUF012  none is used
    default_prompt_name = truncate_dim = None

    def __init__(self, where: Path, network: nn.Module, tokenizer: Any, *, unit: bool) -> None:
        super().__init__(_States(network), _Mean(), *([_Unit()] if unit else []))
        self.tokenizer, self.max_seq_length = tokenizer, int(tokenizer.model_max_length)
        self._where = where  # private: a fingerprint does not depend on the place

    def preprocess(self, texts: list[Any], prompt: str | None = None) -> Any:
        """A batch of tensors of texts, or of pairs of texts."""
        return self.tokenizer(*sides(texts), padding=True, truncation=True, return_tensors="pt")


class _States(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return self.model(**batch).last_hidden_state, batch["attention_mask"]


class _Mean(nn.Module):
    def forward(self, found: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        states, mask = found[0], found[1].unsqueeze(-1).to(found[0].dtype)
        return {"sentence_embedding": (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)}


class _Unit(nn.Module):
    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": nn.functional.normalize(batch["sentence_embedding"], dim=-1)}


def usual_encoder(folder: Path, trust_pickle: bool) -> UsualEncoder | None:
    """The encoder in a folder that sentence-transformers wrote, in eval mode; None if it has another shape.

    Raises:
        ModelError, OSError, RuntimeError, ValueError: Its network or its tokenizer cannot be loaded.
    """
    shape = _shape(folder)
    if shape is None:
        return None
    from transformers import AutoModel, AutoTokenizer

    from headstart.sources.adapters import hf

    config = hf.config_in(str(folder))
    network, _ = hf.pretrained(AutoModel, str(folder), config, trust_pickle)
    longest = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    given = {} if longest is None else {"model_max_length": longest}
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, **hf.NO_CODE, **given)
    if longest is None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)
    return UsualEncoder(folder, network, tokenizer, unit="Normalize" in shape).eval()


def _shape(folder: Path) -> list[str] | None:
    """The kinds of its modules, if they are usual and every setting in the folder is known to change nothing."""
    try:
        parts = json.loads((folder / "modules.json").read_bytes())
        types = [str(part["type"]) for part in parts]
        _, pooling, *unit = [folder / str(part["path"]) / "config.json" for part in parts]
        words, whole = _read(folder / "sentence_bert_config.json"), folder / "config_sentence_transformers.json"
        usual = (
            [name.rpartition(".")[2] for name in types] in SHAPES
            and all(name.startswith(LIBRARY) for name in types)
            and parts[0]["path"] == ""
            and _read(folder / "config.json").get("model_type") in TYPES
            and not (folder / "adapter_config.json").exists()
            and _only(words, WORDS, ("max_seq_length",))
            and isinstance(words.get("max_seq_length"), int | None)
            and _only(_read(pooling), POOLING, WIDTHS)
            and any(_read(pooling).get(key) == POOLING[key] for key in ("pooling_mode_mean_tokens", "pooling_mode"))
            and all(_only(_read(part), UNIT, ()) for part in unit if part.exists())
            and (not whole.exists() or _only(_read(whole), WHOLE, BESIDE))
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # the library says what it is
        return None
    return [name.rpartition(".")[2] for name in types] if usual else None


def _only(written: dict[str, object], known: dict[str, object], free: tuple[str, ...]) -> bool:
    """Whether every setting is unset, one of `free`, or as in `known`."""
    return all(not value or key in free or value == known.get(key) for key, value in written.items())


def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = dict(json.loads(file.read_bytes()))
    return read
