"""Folders of small models, as transformers saves them, over a vocabulary of a few words."""

import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from headstart.sources import Source, candidates

TEXTS = ["a good film", "a very long and rather bad film with no end in sight", "good"]
LABELS = {0: "bad", 1: "good", 2: "neither"}


def load(folder, *, trust=False) -> Source:
    (candidate,) = candidates(f"local-dir:{folder}")
    return candidate.load(trust)


def tokenizer(**special):
    words = sorted({word for text in TEXTS for word in text.split()})
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[EOS]", *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", **special)


def text_model(kind: str):
    small = {"vocab_size": 40, "num_labels": 3, "id2label": LABELS, "label2id": {v: k for k, v in LABELS.items()}}
    encoder = {**small, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    if kind == "bert":
        return transformers.BertForSequenceClassification(transformers.BertConfig(**encoder))
    if kind == "roberta":
        return transformers.RobertaForSequenceClassification(transformers.RobertaConfig(pad_token_id=0, **encoder))
    if kind == "distilbert":
        config = transformers.DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=32, **small)
        return transformers.DistilBertForSequenceClassification(config)
    config = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=64, **small)
    return transformers.GPT2ForSequenceClassification(config)
