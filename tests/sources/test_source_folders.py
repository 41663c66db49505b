"""`local-dir:` folders of the three libraries, and checkpoints that would run code."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from tests.sources.folders import LABELS, TEXTS, load, text_model, tokenizer
from timm.models import save_for_hf

from headstart.errors import ModelError
from headstart.sources import Source, candidates
from headstart.sources.adapters.st import _packaged
from headstart.sources.texts import check_padding


def by_hand(source: Source, features: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return source.module.get_submodule(source.head)(features)


@pytest.fixture
def timm_folder(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model("test_efficientnet", num_classes=4)
    config = {"label_names": ["ant", "bee", "cat", "dog"]}
    save_for_hf(model, tmp_path / "model", model_config=config, safe_serialization="both")
    return tmp_path / "model"


def test_a_timm_folder(timm_folder):
    source = load(timm_folder)
    assert source.classes == ("ant", "bee", "cat", "dog")
    assert source.card.input_size == (3, 160, 160)
    torch.manual_seed(0)
    same = timm.create_model("test_efficientnet", num_classes=4)
    assert torch.equal(source.module.classifier.weight, same.classifier.weight)


def test_a_folder_states_its_licence_in_its_config_or_its_readme(timm_folder):
    def stated():
        return candidates(f"local-dir:{timm_folder}")[0].card.license

    config = json.loads((timm_folder / "config.json").read_text())
    for held in (config, config["pretrained_cfg"]):
        held.pop("license", None)
    (timm_folder / "config.json").write_text(json.dumps(config))
    for text, licence in (("# A model", None), ("---\nlicense: mit\n---", "mit"), ("---\nlicense: [\n---", None)):
        (timm_folder / "README.md").write_text(text)
        assert stated() == licence
    config["pretrained_cfg"]["license"] = "apache-2.0"
    (timm_folder / "config.json").write_text(json.dumps(config))
    assert stated() == "apache-2.0"


def test_a_pickle_of_plain_tensors_is_read_without_trust(timm_folder):
    with_safetensors = load(timm_folder).fingerprint
    (timm_folder / "model.safetensors").unlink()
    assert load(timm_folder).fingerprint == with_safetensors


class Payload:
    """An object whose unpickling writes a file: what a malicious checkpoint would hold."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the payload's open file
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pickle_that_runs_code_is_refused_unless_trusted(timm_folder, tmp_path):
    ran = tmp_path / "ran"
    expected = load(timm_folder).fingerprint
    state = torch.load(timm_folder / "pytorch_model.bin", weights_only=True)
    torch.save({"state_dict": state, "args": Payload(ran)}, timm_folder / "pytorch_model.bin")
    assert load(timm_folder).fingerprint == expected  # the safetensors beside it are used, the pickle is not opened
    (timm_folder / "model.safetensors").unlink()

    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle.*--trust-pickle"):
        load(timm_folder)
    assert not ran.exists()
    assert load(timm_folder, trust=True).fingerprint == expected
    assert ran.exists()


@pytest.mark.parametrize("name", ["model.pth.tar", "pytorch_model.bin", "weights.ckpt"])
def test_a_safe_file_beside_it_makes_no_pickle_safe(timm_folder, name):
    ran = timm_folder / "ran"
    for file in ("model.safetensors", "pytorch_model.bin"):
        (timm_folder / file).unlink()
    torch.save({"state_dict": {}, "args": Payload(ran)}, timm_folder / name)
    with pytest.raises(ModelError, match=f"{name} is a pickle"):
        load(timm_folder)
    save_file({"x": torch.zeros(1)}, timm_folder / "decoy.safetensors")
    with pytest.raises(ModelError, match=r"is a pickle|2 checkpoints"):
        load(timm_folder)
    assert not ran.exists()


def test_transformers_reads_no_pickle_beside_a_decoy(tmp_path):
    ran = tmp_path / "ran"
    load_text(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "decoy.safetensors")
    torch.save({"args": Payload(ran)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle"):
        load(tmp_path)
    assert not ran.exists()


def test_of_several_checkpoints_one_must_be_named(timm_folder):
    (timm_folder / "pytorch_model.bin").unlink()
    (timm_folder / "model.safetensors").rename(timm_folder / "model_best.safetensors")
    other = timm.create_model("test_efficientnet", num_classes=4)
    save_file(other.state_dict(), timm_folder / "checkpoint-1.safetensors")
    with pytest.raises(ModelError, match=r"2 checkpoints: checkpoint-1\.safetensors, model_best\.safetensors"):
        load(timm_folder)
    source = load(timm_folder / "checkpoint-1.safetensors")
    assert torch.equal(source.module.classifier.weight, other.classifier.weight)
    assert load(timm_folder / "model_best.safetensors").fingerprint != source.fingerprint


def test_a_checkpoint_cut_short(timm_folder):
    (timm_folder / "model.safetensors").unlink()
    path = timm_folder / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"pytorch_model\.bin cannot be read"):
        load(timm_folder)


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(ModelError, match="there is no such folder"):
        load(tmp_path / "none")
    with pytest.raises(ModelError, match="holds no model of a known library"):
        load(tmp_path)
    for text in ("{", "[" * 100_000):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError, match="is not JSON"):
            load(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="must hold a JSON object"):
        load(tmp_path)


def test_a_folder_is_recognised_in_a_process_that_has_imported_nothing(tmp_path):
    transformers.LlamaConfig(architectures=["LlamaForSequenceClassification"]).save_pretrained(tmp_path)
    code = f"from headstart.sources import candidates; print(candidates('local-dir:{tmp_path}')[0].card.kind)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "text\n", done.stderr


def test_whatever_a_library_raises_harms_no_other_model(tmp_path, monkeypatch):
    def raising(*args, **options):
        raise ImportError("half of a library")

    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", raising)
    _, bad = candidates(["zoo/tiny_letters", f"local-dir:{tmp_path}"])
    with pytest.raises(ModelError, match=f"local-dir:{tmp_path}: it cannot be opened: ImportError: half of a library"):
        bad.load(False)


HUB = r"cannot be a name on the hub\. Expected OWNER/NAME of letters.*local-dir:PATH"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *(("hf/https://huggingface.co/x/y", HUB), ("st//abs/path", HUB), ("hf/a b", HUB), ("st/", HUB)),
        *(("hf/a/b.git@v1", HUB), ("local-dir:\0", "there is no such folder")),
    ],
)
def test_a_malformed_name_fails_on_loading_only(name, why):
    good, bad = candidates(["zoo/tiny_letters", name])
    assert good.name == "zoo/tiny_letters"
    with pytest.raises(ModelError, match=why) as caught:
        bad.load(False)
    assert caught.value.model == name
    assert name not in caught.value.reason


@pytest.fixture
def vit_folder(tmp_path):
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    config.id2label, config.label2id = LABELS, {name: i for i, name in LABELS.items()}
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    size = {"height": 32, "width": 32}
    transformers.ViTImageProcessor(size=size).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


def test_a_transformers_image_classifier(vit_folder):
    source = load(vit_folder)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    features, logits = source.forward(source.collate([source.prepare(picture)]))
    assert features.shape == (1, 16)
    torch.testing.assert_close(by_hand(source, features), logits)
    assert source.classes == ("bad", "good", "neither")
    assert source.card.input_size == (3, 32, 32)
    config = json.loads((vit_folder / "preprocessor_config.json").read_text())
    config["image_mean"] = [0.1, 0.1, 0.1]
    (vit_folder / "preprocessor_config.json").write_text(json.dumps(config))
    assert load(vit_folder).fingerprint != source.fingerprint


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "gpt2"])
def test_transformers_text_classifiers(kind, tmp_path):
    torch.manual_seed(0)
    special = {"eos_token": "[EOS]"} if kind == "gpt2" else {"pad_token": "[PAD]"}
    text_model(kind).save_pretrained(tmp_path)
    tokenizer(**special).save_pretrained(tmp_path)
    source = load(tmp_path)
    features, logits = source.forward(source.collate([source.prepare(text) for text in TEXTS]))
    assert features.shape == (3, 16)
    torch.testing.assert_close(by_hand(source, features), logits)
    alone = source.forward(source.collate([TEXTS[2]]))
    torch.testing.assert_close(features[2:], alone[0], rtol=1e-4, atol=1e-5)  # padding changes nothing
    assert source.card.kind == "text"
    assert source.classes == ("bad", "good", "neither")


@pytest.mark.parametrize("seed", range(5))
def test_a_decoder_answers_by_its_last_real_token(seed, tmp_path):
    torch.manual_seed(seed)
    text_model("gpt2").save_pretrained(tmp_path)
    tokenizer(eos_token="[EOS]").save_pretrained(tmp_path)
    source = load(tmp_path)
    features, logits = source.forward(source.collate([source.prepare(text) for text in TEXTS]))
    torch.testing.assert_close(by_hand(source, features), logits)


@pytest.mark.parametrize("width", [torch.float16, torch.bfloat16])
def test_a_checkpoint_in_half_width_is_loaded_in_full(vit_folder, tmp_path, width):
    transformers.ViTForImageClassification.from_pretrained(vit_folder).to(width).save_pretrained(vit_folder)
    text_model("bert").to(width).save_pretrained(tmp_path / "bert")
    tokenizer(pad_token="[PAD]").save_pretrained(tmp_path / "bert")
    for folder in (vit_folder, tmp_path / "bert"):
        assert {p.dtype for p in load(folder).module.parameters()} == {torch.float32}


def test_a_head_that_the_checkpoint_lacks_is_never_ranked(tmp_path):
    model = text_model("bert")
    model.bert.save_pretrained(tmp_path / "encoder")
    tokenizer(pad_token="[PAD]").save_pretrained(tmp_path / "encoder")
    source = load(tmp_path / "encoder")
    features, logits = source.forward(source.collate(TEXTS))
    assert logits is None  # its classifier would be random
    assert features.shape == (3, 16)
    assert source.card.num_classes is None


def test_a_language_model_that_is_no_classifier(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    with pytest.raises(ModelError, match="whisper model, but `hf/` loads image classifiers and text models only"):
        load(tmp_path)


def test_custom_code_is_refused_without_a_question(tmp_path):
    text_model("bert").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match=r"needs code of its own, .* does not run\..*from_module"):
        load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_model_without_its_tokenizer_is_refused(tmp_path):
    text_model("bert").save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"special tokens only.*vocab\.txt"):
        load(tmp_path)


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    text_model("bert").save_pretrained(tmp_path)
    larger = tokenizer(pad_token="[PAD]")
    larger.add_tokens([f"word{i}" for i in range(40)])
    larger.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="embeddings for 40"):
        load(tmp_path)


@pytest.mark.parametrize("wrong", [0, 4, -1])
def test_a_decoder_pads_with_the_token_of_its_tokenizer(tmp_path, wrong):
    torch.manual_seed(0)
    text_model("gpt2").save_pretrained(tmp_path)
    tokenizer(eos_token="[EOS]", pad_token="[SEP]").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"pad_token_id": wrong}))
    source = load(tmp_path)
    together, alone = (source.forward(source.collate(texts)) for texts in (TEXTS, TEXTS[2:]))
    for rows, row in zip(together, alone, strict=True):
        torch.testing.assert_close(rows[2:], row, rtol=1e-5, atol=1e-5)


def load_text(folder) -> Source:
    torch.manual_seed(0)
    text_model("bert").save_pretrained(folder)
    tokenizer(pad_token="[PAD]").save_pretrained(folder)
    return load(folder)


def test_features_that_depend_on_the_padding_are_refused(tmp_path):
    source = load_text(tmp_path)

    def unmasked(texts):
        batch = source.collate(texts)
        return {**batch, "attention_mask": torch.ones_like(batch["attention_mask"])}

    check_padding(source)
    with pytest.raises(ModelError, match=r"depend on the batch size.*pad_token_id"):
        check_padding(replace(source, collate=unmasked))


def test_a_sentence_transformers_folder(tmp_path):
    folder = _packaged("all-MiniLM-L6-v2")
    shutil.copytree(folder, tmp_path / "encoder")
    source = load(tmp_path / "encoder")
    assert source.card.kind == "text"
    assert source.fingerprint == candidates("zoo/all_minilm_l6_v2")[0].load(False).fingerprint
