"""From names to candidates, and what is said of a name that is none."""

import pytest
import timm
from tests.sources.tiny_models import plain, resize_to

from headstart.errors import InputError, ModelError
from headstart.sources import candidates, from_module, list_models


def names(*models, **options):
    return [candidate.name for candidate in candidates(list(models), **options)]


def test_the_zoo_holds_what_fits_the_target():
    everything = names("zoo")
    images, texts = names("zoo", kind="image"), names("zoo", kind="text")
    assert set(texts) - {"zoo/e5_small"} == {"zoo/all_minilm_l6_v2"}
    assert sorted(images + texts) == sorted(everything)
    assert {"zoo/efficientnet_lite0", "zoo/tiny_letters", "zoo/tiny_emoji", "zoo/tiny_digits"} <= set(images)


def test_globs_take_pretrained_models_only():
    found = names("timm/resnet*")
    assert set(found) == {f"timm/{name}" for name in timm.list_models("resnet*", pretrained=True)}
    assert names("timm/resnet18") == ["timm/resnet18.a1_in1k"]  # what timm calls default
    assert names("timm/resnet18.tv_in1k") == ["timm/resnet18.tv_in1k"]
    assert set(names("timm/resnet18")) < set(names("timm/resnet18.*"))
    assert "torchvision/resnet18" in names("torchvision/resnet*")


def test_a_model_named_twice_comes_once():
    assert names("zoo/tiny_digits", "zoo/tiny_*").count("zoo/tiny_digits") == 1


def test_nothing_is_loaded_by_finding(monkeypatch):
    monkeypatch.setattr(timm, "create_model", None)
    assert len(candidates("timm/*")) > 1000


def test_modules_sources_and_candidates():
    source = from_module(plain(), prepare=resize_to(16), name="mine")
    (candidate,) = candidates("zoo/tiny_digits")
    assert names(source, candidate, plain(), plain()) == [
        "mine",
        "zoo/tiny_digits",
        "module/Sequential",
        "module/Sequential-2",
    ]
    assert candidates(source)[0].load(False) is source
    assert candidates([source, source])[1].load(False).name == "mine-2"


def test_a_bare_module_without_preprocessing_fails_alone_and_says_why():
    first, second = candidates([plain(), timm.create_model("test_efficientnet", num_classes=5)])
    with pytest.raises(InputError, match=r"`prepare` is needed.*from_module"):
        first.load(False)
    assert second.load(False).name == "module/EfficientNet"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zoo/tiny_leters", "Did you mean `zoo/tiny_letters`"),
        ("zoo/giant_*", "zoo has no model `zoo/giant_*`"),
        ("timm/resnte18", "timm has no model `resnte18`. Did you mean `timm/resnet18`"),
        ("timm/resnet18.none_such", "timm has no weights `none_such` for resnet18"),
        ("timm/botnet50ts_256", "a random network has nothing to transfer"),
        ("timm/zzz*", "no pretrained timm model fits"),
        ("torchvision/resnet81", "Did you mean `torchvision/resnet18`"),
        ("resnet18", "Did you mean `timm/resnet18`?"),
        ("zo/tiny_letters", "no model is called `zo/tiny_letters`. Did you mean `zoo/tiny_letters`"),
        ("nonsense", "one of `local-dir:`, `zoo/`, `hf/`, `open_clip/`, `st/`, `timm/`, `torchvision/`."),
    ],
)
def test_a_name_that_does_not_exist(name, text):
    with pytest.raises(ModelError) as caught:
        candidates(name)
    assert text in str(caught.value)


def test_wrong_kinds_of_models():
    with pytest.raises(InputError, match="`models` is empty"):
        candidates([])
    with pytest.raises(InputError, match="got int"):
        candidates([3])
    with pytest.raises(ModelError, match="no model of `timm/resnet18\\*` reads text data"):
        candidates("timm/resnet18*", kind="text")


def test_a_model_of_the_other_kind_fails_on_loading():
    (candidate,) = candidates("zoo/all_minilm_l6_v2", kind="image")
    with pytest.raises(ModelError, match="reads text data, but the target holds image data"):
        candidate.load(False)


def test_the_list_of_models():
    cards = {card.name: card for card in list_models()}
    assert len(cards) > 1500
    assert cards["zoo/tiny_digits"].local
    assert cards["timm/resnet18.tv_in1k"].imagenet_top1 == 0.6976
    assert cards["torchvision/resnet18"].imagenet_top1 == 0.69758
    assert cards["timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k"].trained_on == "ImageNet-21k, then ImageNet-1k"
    assert [card.name for card in list_models("zoo/tiny_*")] == sorted(n for n in cards if n.startswith("zoo/tiny_"))
    assert [card.name for card in list_models("zoo")] == [n for n in cards if n.startswith("zoo/")]
    with pytest.raises(ModelError, match=r"no model fits `zoo/tiny_leters`\. Did you mean"):
        list_models("zoo/tiny_leters")
