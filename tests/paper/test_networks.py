"""Networks from safetensors: told apart by their tensors, loaded exactly, and refused in plain words."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from headstart.errors import ModelError
from headstart_paper.architectures import Bias, CifarResNet, as_biases, is_folded
from headstart_paper.networks import candidate, candidates, open_source, recognise


def saved(module: nn.Module, path: Path) -> Path:
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)
    return path


def plain_option_a(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The shortcut of He et al. 2016, option A, written out: every second pixel, zeros for the new channels."""
    y = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
    if y.shape != x.shape:
        short = torch.zeros_like(y)
        start = (y.shape[1] - x.shape[1]) // 2
        for row in range(y.shape[2]):
            for column in range(y.shape[3]):
                short[:, start : start + x.shape[1], row, column] = x[:, :, 2 * row, 2 * column]
        x = short
    return torch.relu(x + y)


@pytest.mark.parametrize(("blocks", "name"), [(3, "ResNet20"), (5, "ResNet32"), (9, "ResNet56")])
def test_a_cifar_resnet_is_known_by_its_tensors_whatever_the_file_is_called(
    tmp_path: Path, blocks: int, name: str
) -> None:
    network = CifarResNet(blocks, 10).eval()
    path = saved(network, tmp_path / "mobilenetv2.safetensors")
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert recognise(shapes, "x").architecture == name
    source = open_source(path)
    assert source.card.input_size == (3, 32, 32)
    batch = torch.randn(2, 3, 32, 32)
    features, logits = source.forward(batch)
    assert features.shape == (2, 64)
    torch.testing.assert_close(logits, network(batch))


def test_the_shortcut_is_option_a() -> None:
    torch.manual_seed(0)
    block = CifarResNet(3, 10).layer2[0].eval()
    x = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(block(x), plain_option_a(block, x))


def test_resnet20_has_as_many_parameters_as_published() -> None:
    assert round(sum(p.numel() for p in CifarResNet(3, 10).parameters()), -4) == 270_000  # He et al. 2016, table 6


def test_folded_batch_norm_becomes_a_bias_that_training_cannot_move() -> None:
    import timm  # after headstart.sources, which makes torchvision load beside a CPU torch

    torch.manual_seed(0)
    network = timm.create_model("mobilenetv2_100", num_classes=5, pad_type="same", pretrained=False).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.bias, std=0.1)
    assert is_folded(network)  # as timm draws them: weight 1, mean 0, variance 1
    x = torch.randn(2, 3, 64, 64)
    before = network(x)
    as_biases(network)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    assert any(isinstance(part, Bias) for part in network.modules())
    torch.testing.assert_close(network(x), before, rtol=1e-2, atol=1e-3)  # the norm's eps is all that differs
    torch.testing.assert_close(network.train()(x), network.eval()(x))


def test_a_file_with_folded_norms_gives_a_source_without_norms(tmp_path: Path) -> None:
    import timm

    network = timm.create_model("mobilenetv2_100", num_classes=5, pad_type="same", pretrained=False)
    source = open_source(saved(network, tmp_path / "folded.safetensors"))
    assert not any(isinstance(part, nn.BatchNorm2d) for part in source.module.modules())
    assert source.card.input_size == (3, 224, 224)
    assert source.card.imagenet_top1 is None  # five classes are not ImageNet's


def test_a_norm_with_measured_statistics_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    network(torch.randn(8, 3, 4, 4))
    assert not is_folded(network)


def test_squeezenet_takes_blue_first_and_the_caffe_means(tmp_path: Path) -> None:
    from PIL import Image
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    network = squeezenet1_1(weights=None, num_classes=4).eval()
    source = open_source(saved(network, tmp_path / "s.safetensors"))
    prepared = source.prepare(Image.new("RGB", (300, 300), (255, 100, 0)))
    red, green, blue = 255 - 123.68, 100 - 116.779, 0 - 103.939
    expected = torch.tensor([red, green, blue])[:, None, None].expand(3, 227, 227)
    torch.testing.assert_close(prepared, expected, rtol=0, atol=1e-3)
    caffe = torch.tensor([blue, green, red])[None, :, None, None].expand(1, 3, 227, 227)  # as the weights were trained
    torch.testing.assert_close(source.forward(prepared[None])[1], network(caffe), rtol=1e-3, atol=1e-3)


def test_a_file_of_another_network_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    path = saved(nn.Sequential(nn.Linear(3, 2)), tmp_path / "cifar10_resnet20.safetensors")
    with pytest.raises(ModelError, match="unknown architecture") as told:
        candidate(path)
    assert "0.weight (2, 3)" in str(told.value)


def test_a_network_with_a_wrong_or_missing_tensor_is_refused_by_name(tmp_path: Path) -> None:
    state = CifarResNet(3, 10).state_dict()
    del state["layer2.1.bn2.bias"]
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"looks like ResNet20.*`layer2.1.bn2.bias` should be \(32,\), and is missing"):
        open_source(tmp_path / "a.safetensors")
    state = CifarResNet(3, 10).state_dict() | {"layer1.0.conv1.weight": torch.zeros(16, 16, 5, 5)}
    save_file(state, tmp_path / "b.safetensors")
    with pytest.raises(
        ModelError, match=r"`layer1.0.conv1.weight` should be \(16, 16, 3, 3\), and is \(16, 16, 5, 5\)"
    ):
        open_source(tmp_path / "b.safetensors")


def test_missing_and_damaged_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file"):
        open_source(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        open_source(tmp_path / "bad.safetensors")


def test_two_files_of_one_name_are_not_confused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    one = saved(CifarResNet(3, 10), tmp_path / "r.safetensors")
    two = saved(CifarResNet(3, 10), tmp_path / "a" / "r.safetensors")
    with pytest.raises(ModelError, match="two models are called `r`"):
        candidates([one, two])
    beside = one.parent / ".." / one.parent.name / one.name
    assert [found.name for found in candidates([one, beside, "zoo/tiny_digits", "zoo/tiny_d*"])] == [
        "r",
        "zoo/tiny_digits",
    ]
