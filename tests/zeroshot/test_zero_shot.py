"""Image-text pairs: a real small one from transformers, and the one that ships."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from typer.testing import CliRunner

import headstart as hs
import headstart.torchvision_ops
from headstart.cli import app
from headstart.errors import InputError, ModelError, ModelNameError
from headstart.records import ModelCard
from headstart.sources import candidates
from headstart.sources.names import TEXT, embedded
from headstart.zeroshot import open_pair, predict_unseen, rank_by_names, text_head
from headstart.zeroshot.descriptions import learn_descriptions, signatures_of
from headstart.zeroshot.entry import fitted_temperature, share
from headstart.zeroshot.pairs import unit

WORDS = ["[PAD]", "[UNK]", "a", "photo", "of", ".", "red", "blue", "green", "cat", "dog", "[EOS]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of random weights as transformers saves it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("clip") / "tiny"
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**small, "vocab_size": len(WORDS), "max_position_embeddings": 16}
    text |= {"bos_token_id": 2, "eos_token_id": 11, "pad_token_id": 0}
    vision = {**small, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).eval().save_pretrained(place)
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(single="$A [EOS]", special_tokens=[("[EOS]", 11)])
    PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", eos_token="[EOS]", model_max_length=16
    ).save_pretrained(place)
    size = {"shortest_edge": 32}
    CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32}).save_pretrained(place)
    return place


def pictures(count: int = 18) -> tuple[list[Image.Image], list[str]]:
    rng = np.random.default_rng(0)
    names = ["red", "blue", "green"]
    hues = np.array([[200, 30, 30], [30, 30, 200], [30, 200, 30]])
    shown = [
        Image.fromarray(np.clip(rng.normal(hues[i % 3], 20, (32, 32, 3)), 0, 255).astype(np.uint8))
        for i in range(count)
    ]
    return shown, [names[i % 3] for i in range(count)]


def test_answers_are_those_of_the_model_itself(folder: Path):
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    shown, labels = pictures()
    found = hs.zero_shot((shown, labels), f"local-dir:{folder}", cache=False)
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    texts = [f"a photo of a {name}." for name in found.classes]
    with torch.inference_mode():
        whole = model(
            pixel_values=AutoImageProcessor.from_pretrained(folder)(images=shown, return_tensors="pt")["pixel_values"],
            **{
                k: v
                for k, v in tokenizer(texts, padding="max_length", max_length=16, return_tensors="pt").items()
                if k != "token_type_ids"
            },
        ).logits_per_image
    assert list(found.answers) == whole.argmax(dim=1).tolist()
    temperature = found.rows[0].temperature
    assert found.probabilities == pytest.approx(torch.softmax(whole / temperature, dim=1).amax(dim=1).numpy(), abs=1e-4)


def test_the_text_head_is_a_linear_head_bit_for_bit(folder: Path):
    pair = open_pair(f"local-dir:{folder}")
    head = text_head(pair, ["red", "blue"], ["a {}", "a photo of a {}."])
    rows = np.random.default_rng(0).standard_normal((5, 12))
    each = [pair.texts([f"a {name}", f"a photo of a {name}."]).mean(dim=0) for name in ("red", "blue")]
    weights = torch.nn.functional.normalize(torch.stack(each), dim=1) * pair.scale
    assert torch.equal(head(unit(rows)), unit(rows) @ weights.T)


def test_each_template_set_has_an_accuracy_and_so_has_their_mean(folder: Path, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("my {}\n")
    found = hs.zero_shot(pictures(), f"local-dir:{folder}", templates=f"names,{tmp_path / 'mine.txt'}", cache=False)
    assert list(found.rows[0].accuracy) == ["names", "mine", "all sets"]
    assert found.prompts["mine"] == ("my blue",)
    assert "my blue" in str(found)


def test_a_fitted_temperature_is_the_best_of_a_grid():
    rng = np.random.default_rng(0)
    logits, labels = 5 * rng.standard_normal((50, 4)), rng.integers(0, 4, 50)
    temperature, before, after = fitted_temperature(logits, labels)

    def mean(t: float) -> float:
        scaled = logits / t - np.log(np.exp(logits / t).sum(axis=1, keepdims=True))
        return scaled[np.arange(50), labels].mean()

    assert before == pytest.approx(mean(1.0))
    assert after == pytest.approx(max(mean(t) for t in np.geomspace(0.05, 100, 2000)), abs=1e-4)
    assert after == pytest.approx(mean(temperature))


def test_the_exact_interval_agrees_with_the_binomial():
    from scipy.stats import binomtest

    expected = binomtest(7, 20).proportion_ci()
    found = share(np.arange(20) < 7)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_shipped_pair_recognises_things_by_name_alone():
    """Drawn here, so in a style that it never saw; a wrong answer for one of four would have accuracy 0.75."""

    def drawn(paint: Callable[[ImageDraw.ImageDraw], object]) -> Image.Image:
        picture = Image.new("RGB", (64, 64), "white")
        paint(ImageDraw.Draw(picture))
        return picture

    def face(on: ImageDraw.ImageDraw) -> None:
        on.ellipse((4, 4, 60, 60), fill="#ffcc33")
        on.ellipse((18, 20, 26, 30), fill="#663300")
        on.ellipse((38, 20, 46, 30), fill="#663300")
        on.arc((16, 22, 48, 50), 20, 160, fill="#663300", width=4)

    def flag(on: ImageDraw.ImageDraw) -> None:
        for place, colour in enumerate(("#002395", "#ffffff", "#ed2939")):
            on.rectangle((2 + 20 * place, 12, 22 + 20 * place, 52), fill=colour)

    def heart(on: ImageDraw.ImageDraw) -> None:
        on.ellipse((6, 8, 34, 36), fill="#dd2233")
        on.ellipse((30, 8, 58, 36), fill="#dd2233")
        on.polygon([(8, 28), (56, 28), (32, 58)], fill="#dd2233")

    shown = {"face": face, "flag": flag, "heart": heart}
    found = hs.zero_shot(([drawn(paint) for paint in shown.values()], list(shown)), "zoo/tiny_clip", cache=False)
    assert [found.classes[code] for code in found.answers] == list(shown)
    assert "zoo/tiny_clip" not in [one.name for one in candidates("zoo", kind="image")]  # it has no classifier


def test_pictures_without_labels_get_answers(folder: Path, tmp_path: Path):
    shown, _ = pictures(6)
    for number, picture in enumerate(shown):
        picture.save(tmp_path / f"{number}.png")
    (tmp_path / "names.txt").write_text("red\nblue\n")
    result = CliRunner().invoke(
        app,
        f"zero-shot {tmp_path} --models local-dir:{folder} --class-names {tmp_path}/names.txt --no-cache "
        f"--csv {tmp_path}/answers.csv",
    )
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    assert lines[0] == "id,class,probability"
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("model", "words"),
    [("zoo/efficientnet_lite0", "image-text pair"), ("local-dir:nowhere", "no such folder"), ("clip", "zoo/tiny_clip")],
)
def test_what_is_no_pair_is_refused(model: str, words: str):
    with pytest.raises(ModelNameError, match=words):
        open_pair(model)
    with pytest.raises(InputError, match="no model could be used"):
        hs.zero_shot(pictures(), model, cache=False)


def test_half_a_pair_and_one_larger_than_memory_are_refused(folder: Path, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "half")
    state = load_file(folder / "model.safetensors")
    vision = {name: value for name, value in state.items() if not name.startswith("text")}
    save_file(vision, tmp_path / "half" / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks \d+ tensors of a clip model.*random: text_"):
        open_pair(f"local-dir:{tmp_path / 'half'}")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["vocab_size"] = 10**12
    (tmp_path / "half" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="describes a network of at least"):
        open_pair(f"local-dir:{tmp_path / 'half'}")


def test_unseen_classes_are_learnt_from_names():
    target = hs.open_target(pictures(60))
    with pytest.raises(InputError, match=r"`unseen`.*'gren'.*green"):
        predict_unseen(target, "zoo/tiny_letters", ["gren", "red"])
    with pytest.raises(InputError, match="two classes on either side"):
        predict_unseen(target, "zoo/tiny_letters", ["red", "green"])


def test_names_alone_order_sources():
    cards = [ModelCard("vehicles", "image"), ModelCard("animals", "image")]
    found = rank_by_names(["Spaniel", "siamese_cat"], [(cards[0], ["lorry", "ship"]), (cards[1], ["dog", "cat"])])
    assert [one.source for one in found] == ["animals", "vehicles"]
    assert found[0].nearest == (("Spaniel", "dog"), ("siamese_cat", "cat"))
    with pytest.raises(InputError, match="vehicles"):
        rank_by_names(["cat"], [(cards[0], [])])


def test_labelled_examples_calibrate_the_temperature(folder: Path):
    shown, labels = pictures(24)
    alone = hs.zero_shot((shown, labels), f"local-dir:{folder}", cache=False)
    same = hs.zero_shot(
        shown, f"local-dir:{folder}", class_names=["blue", "green", "red"], labelled=(shown, labels), cache=False
    )
    assert alone.rows[0].temperature == pytest.approx(same.rows[0].temperature)
    assert not same.labelled
    assert any("24 of 24 examples are also in `labelled`" in note for note in same.notes)
    grey = hs.zero_shot(([shown[0]] * 6, labels[:6]), f"local-dir:{folder}", class_names={"red": "cat"}, cache=False)
    assert "All 6 examples have the same content." in grey.notes
    assert any("no name for 2 of 3 classes" in note for note in grey.notes)
    with pytest.raises(InputError, match=r"classifies images, and .* holds texts"):
        hs.zero_shot((["good", "bad"] * 6, labels[:12]), f"local-dir:{folder}", cache=False)
    assert not any("also in" in note for note in alone.notes)
    assert same.answers == alone.answers
    assert same.probabilities == pytest.approx(alone.probabilities)


def test_an_image_model_without_texts_learns_names_from_labelled_examples(folder: Path):
    shown, labels = pictures(24)
    found = hs.zero_shot(shown, "zoo/tiny_emoji", class_names=["red", "yellow"], labelled=(shown, labels), cache=False)
    assert found.rows[0].temperature > 0
    source = candidates("zoo/tiny_emoji", kind="image")[0].load(False)
    rows = source.forward(source.join([source.prepare(one) for one in shown]))[0].numpy()
    names = ["blue", "green", "red"]
    learnt = learn_descriptions(rows, np.array([names.index(one) for one in labels]), embedded(names, TEXT))
    expected = learnt.predict(rows, embedded(["red", "yellow"], TEXT))
    assert list(found.answers) == expected.tolist()
    with pytest.raises(InputError, match="no image-text pair"):
        hs.zero_shot(shown, "zoo/tiny_emoji", class_names=["red", "yellow"], cache=False)
    both = hs.zero_shot(
        (shown, labels), ["zoo/tiny_emoji", f"local-dir:{folder}"], labelled=(shown, labels), cache=False
    )
    assert {row.source: list(row.accuracy) for row in both.rows} == {
        "zoo/tiny_emoji": ["names"], f"local-dir:{folder}": ["plain"]
    }  # fmt: skip
    assert both.prompts == {"names": ("blue",), "plain": ("a photo of a blue.",)}
    assert "names" in str(both)


def test_a_described_class_is_the_mean_over_templates_and_each_set_is_learnt_for_itself():
    shown, labels = pictures(24)
    lines = ["a {}", "some {} thing"]
    both = np.mean([embedded([line.format(name) for name in ("red", "sky")], TEXT) for line in lines], axis=0)
    assert signatures_of(["red", "sky"], lines, TEXT) == pytest.approx(both, abs=1e-6)
    found = hs.zero_shot(
        (shown, labels), "zoo/tiny_emoji", labelled=(shown, labels), templates="names,plain", cache=False
    )
    assert list(found.rows[0].accuracy) == ["names", "plain", "all sets"]


def test_the_command_judges_unseen_classes(tmp_path: Path):
    shown, labels = pictures(30)
    for place, (picture, label) in enumerate(zip(shown, labels, strict=True)):
        name = label if place < 15 else f"dark {label}"
        (tmp_path / name).mkdir(exist_ok=True)
        picture.save(tmp_path / name / f"{place}.png")
    words = ["zero-shot", str(tmp_path), "--models", "zoo/tiny_emoji", "--unseen", "red, dark red", "--no-cache"]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    assert "Among the 2 unseen classes alone" in done.output
    assert "harmonic mean" in done.output
    many = [*words[:3], "zoo/tiny_emoji", "zoo/tiny_digits", "st/all-MiniLM-L6-v2", *words[4:], "--json", "-"]
    done = CliRunner().invoke(app, many)
    assert done.exit_code == 3, done.output
    assert "st/all-MiniLM-L6-v2" in done.stderr
    found = json.loads(done.stdout)
    assert [one["model"] for one in found] == ["zoo/tiny_emoji", "zoo/tiny_digits"]
    (tmp_path.parent / "odd.txt").write_text("not at all {}, but night and snow\n")
    other = [*words, "--json", "-", "--templates", str(tmp_path.parent / "odd.txt")]
    done = CliRunner().invoke(app, other)
    assert json.loads(done.stdout) != found[0]
    done = CliRunner().invoke(app, [*words[:5], "rad,blue"])
    assert "`unseen` names 'rad'" in " ".join(done.output.split())
    for option in ("--labelled", "--out", "--csv"):
        done = CliRunner().invoke(app, [*words, option, str(tmp_path / "other")])
        assert f"`{option}` has no effect with `--unseen`" in " ".join(done.output.split())


def test_the_command_orders_models_by_class_names(tmp_path: Path):
    for name in ("seven", "eight"):
        (tmp_path / name).mkdir()
        for place in range(2):
            Image.new("RGB", (8, 8), (40 * place, 0, 0)).save(tmp_path / name / f"{place}.png")
    done = CliRunner().invoke(app, ["models", "zoo/tiny_*", "--near", str(tmp_path)], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert done.output.splitlines()[2].split() == ["seven", "~", "7"]  # below the first model's first pair
    lines = [line for line in done.output.splitlines() if line.startswith("zoo/")]
    assert len(lines) == 4
    assert lines[0].endswith("eight ~ 8")
    assert any("all ~ 1479 emoji pictures" in line for line in lines)  # a description, named once
    assert lines[0].startswith(("zoo/tiny_digits", "zoo/tiny_letters"))


def test_braces_in_a_template_beside_the_name_are_text(folder: Path, tmp_path: Path):
    (tmp_path / "odd.txt").write_text("a {} in {braces}")
    found = hs.zero_shot(pictures(6), f"local-dir:{folder}", templates=str(tmp_path / "odd.txt"), cache=False)
    assert found.prompts["odd"] == ("a blue in {braces}",)
    (tmp_path / "latin.txt").write_bytes(b"\xe9 {}")
    with pytest.raises(InputError, match=r"latin.txt cannot be read as text in UTF-8"):
        hs.zero_shot(pictures(6), f"local-dir:{folder}", templates=str(tmp_path / "latin.txt"), cache=False)


def test_rows_from_a_file_give_no_warning():
    rows = np.ones((2, 4), dtype=np.float32)
    rows.setflags(write=False)
    assert unit(rows).numpy() == pytest.approx(rows / 2)
