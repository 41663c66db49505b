"""Sentence encoders of the usual shape: what sentence-transformers makes of their folder, without it."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from tests.sources.folders import TEXTS, load, text_model, tokenizer

import headstart as hs
from headstart.sources.adapters.st import as_the_library_loads
from headstart.sources.sentences import TYPES, UsualEncoder, usual_encoder
from headstart.transfers.saved import load as load_run

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
NETWORKS = {
    "bert": lambda: text_model("bert").bert,
    "distilbert": lambda: text_model("distilbert").distilbert,
    "mpnet": lambda: transformers.MPNetModel(transformers.MPNetConfig(pad_token_id=0, **SMALL)),
    "roberta": lambda: text_model("roberta").roberta,
    "xlm-roberta": lambda: transformers.XLMRobertaModel(transformers.XLMRobertaConfig(pad_token_id=0, **SMALL)),
}
LONG = [*TEXTS, "good " * 50, ""]
POOLING, WORDS = "1_Pooling/config.json", "sentence_bert_config.json"


def written(folder: Path, kind: str = "bert", *, old: bool = False) -> Path:
    """A folder that today's sentence-transformers wrote, or one with the settings as `old` versions wrote them."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    torch.manual_seed(0)
    NETWORKS[kind]().save_pretrained(folder / "network")
    tokenizer(pad_token="[PAD]").save_pretrained(folder / "network")
    words = modules.Transformer(str(folder / "network"), max_seq_length=12)
    pooling = modules.Pooling(words.get_embedding_dimension())
    unit = [] if old else [modules.Normalize()]
    place = folder / "encoder"
    SentenceTransformer(modules=[words, pooling, *unit], device="cpu").save(str(place))
    if old:
        (place / WORDS).write_text('{"max_seq_length": 12, "do_lower_case": false}')
        (place / POOLING).write_text('{"word_embedding_dimension": 16, "pooling_mode_mean_tokens": true}')
    return place


@pytest.mark.parametrize(("kind", "old"), [*((kind, False) for kind in sorted(TYPES)), ("bert", True)])
def test_names_and_features_are_those_of_the_library(kind: str, old: bool, tmp_path: Path) -> None:
    source = load(written(tmp_path, kind, old=old))
    theirs = as_the_library_loads(source, False)
    assert isinstance(source.module, UsualEncoder)
    assert type(theirs.module).__name__ == "SentenceTransformer"
    assert [n for n, _ in source.network.named_parameters()] == [n for n, _ in theirs.network.named_parameters()]
    assert source.snapshot.weights == theirs.snapshot.weights
    for examples in (LONG, [(text, "a film") for text in LONG]):
        ours, expected = (
            one.forward(one.join([one.prepare(example) for example in examples]))[0] for one in (source, theirs)
        )
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
    assert as_the_library_loads(theirs, False) is theirs


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        (WORDS, {"do_lower_case": True}),
        (WORDS, {"max_seq_length": "12"}),
        (POOLING, {"pooling_mode": "cls"}),
        (POOLING, {"pooling_mode_max_tokens": True}),
        ("2_Normalize/config.json", {"module_input_name": "token_embeddings"}),
        ("config_sentence_transformers.json", {"truncate_dim": 6}),
        ("config_sentence_transformers.json", {"default_prompt_name": "ask"}),
        ("config.json", {"model_type": "t5"}),
        ("adapter_config.json", {"r": 1}),
    ],
)
def test_a_setting_of_another_shape_is_left_to_the_library(file: str, changed: dict, shared_folder: Path) -> None:
    assert usual_encoder(shared_folder, False) is not None
    place = shared_folder / file
    before = place.read_text() if place.exists() else None
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(json.loads(before or "{}") | changed))
    try:
        assert usual_encoder(shared_folder, False) is None
    finally:
        place.unlink() if before is None else place.write_text(before)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("usual"))


def test_what_was_added_to_the_librarys_own_module_still_loads(shared_folder: Path, tmp_path: Path) -> None:
    source = load(shared_folder)
    theirs = as_the_library_loads(source, False)
    assert theirs.fingerprint != source.fingerprint
    data = {"texts": [f"{'good' if i % 2 else 'bad'} film" for i in range(24)], "labels": [i % 2 for i in range(24)]}
    run = hs.transfer(data, theirs, method="lora", epochs=1, cache=False)
    again = load_run(run.save(tmp_path / "run", weights="adapter"))
    assert (again.logits(TEXTS) == run.logits(TEXTS)).all()
