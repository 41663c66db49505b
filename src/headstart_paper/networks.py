"""The networks of the paper's experiments, from safetensors that a user has on disk: recognised by their content.

A file's name decides nothing. The names and shapes of its tensors say which architecture it is, and every one of them
must fit that architecture. The input size is not in the weights: it is the one that each width was published with.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources import Candidate, Source, build_source, imagenet_names, timm_preparation
from headstart.sources import candidates as candidates_named
from headstart_paper.architectures import CifarResNet, as_biases, is_folded

SUFFIX = ".safetensors"
Shapes = Mapping[str, tuple[int, ...]]

# MobileNetV1: width of the first convolution -> channel multiplier, input size; ImageNet top-1 as published in
# github.com/tensorflow/models, research/slim/nets/mobilenet_v1.md (float weights)
MOBILENET_V1 = {8: (0.25, 128, 0.415), 16: (0.5, 160, 0.591), 24: (0.75, 192, 0.672)}
MOBILENET_V2_TOP1 = 0.718  # research/slim/nets/mobilenet/README.md, mobilenet_v2_1.0_224
SQUEEZENET_TOP1 = 0.575  # github.com/forresti/SqueezeNet, v1.1 as v1.0
CAFFE_MEAN = (123.68, 116.779, 103.939)  # RGB, of 0..255


@dataclass(frozen=True)
class Recognised:
    """What a file of weights holds, and how its input was prepared (as timm's data configuration has it)."""

    architecture: str  # "ResNet20", "MobileNetV1 0.25", ...
    classes: int
    make: Callable[[], nn.Module]
    head: str
    size: int
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    crop: float = 0.875
    interpolation: str = "bicubic"
    top1: float | None = None  # on ImageNet, as published for this architecture, width and input size
    swap_red_and_blue: str | None = None  # a convolution that was trained on BGR, to be turned to RGB

    def card(self, path: Path) -> ModelCard:
        return ModelCard(
            name=path.stem,
            kind="image",
            input_size=(3, self.size, self.size),
            num_classes=self.classes,
            imagenet_top1=self.top1 if self.classes == 1000 else None,
        )


def open_source(spec: str | os.PathLike[str]) -> Source:
    """Load one source: a path to safetensors, or any name that `headstart rank --models` takes (`zoo/...`).

    Args:
        spec: ResNet20, 32, 44 or 56 for CIFAR, MobileNetV1 0.25, 0.5 or 0.75, MobileNetV2 1.0, or SqueezeNet 1.1.

    Raises:
        ModelError: There is no such file or model, or its tensors are those of no known architecture.
    """
    return candidate(spec).load(False)


def candidates(specs: Sequence[str | os.PathLike[str]]) -> list[Candidate]:
    """A candidate for each path or name, in order (a glob of names gives several); files are looked at, not loaded.

    Raises:
        ModelError: There is no such file or model, or two files have one name; the same one twice is one.
    """
    found: dict[str, Candidate] = {}
    places: dict[str, Path | None] = {}
    for spec in specs:
        place = Path(spec).resolve() if _is_path(spec) else None
        for one in [candidate(spec)] if place else candidates_named(os.fspath(spec)):
            if places.setdefault(one.name, place) != place:
                raise ModelError(f"two models are called `{one.name}`; rename one of the files.")
            found.setdefault(one.name, one)
    return list(found.values())


def candidate(spec: str | os.PathLike[str]) -> Candidate:
    """The candidate for one path or name."""
    if not _is_path(spec):
        fitting = candidates_named(os.fspath(spec))
        if len(fitting) != 1:
            raise ModelError(f"`{os.fspath(spec)}` names {len(fitting)} models; name one.")
        return fitting[0]
    path = Path(spec)
    known = recognise(_shapes(path), str(path))
    return Candidate(known.card(path), lambda trust_pickle: _load(path, known))


def recognise(shapes: Shapes, where: str) -> Recognised:
    """The architecture that has these tensors.

    Raises:
        ModelError: None has; the text says what was expected.
    """
    for reader in (_cifar_resnet, _mobilenet_v1, _mobilenet_v2, _squeezenet):
        found = reader(shapes)
        if found is not None:
            _check_fit(shapes, found, where)
            return found
    some = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:4])
    raise ModelError(
        f"{where} holds weights of an unknown architecture ({len(shapes)} tensors: {some}, ...). Expected a CIFAR "
        "ResNet20, 32, 44 or 56 (`layer1.0.conv1.weight`, `linear.weight`), MobileNetV1 0.25, 0.5 or 0.75 or "
        "MobileNetV2 1.0 under timm's names, or SqueezeNet 1.1 under torchvision's. For another network, use "
        "`headstart.sources.from_module` in Python."
    )


def _cifar_resnet(shapes: Shapes) -> Recognised | None:
    blocks = {int(m[1]) for name in shapes if (m := re.fullmatch(r"layer3\.(\d+)\.conv1\.weight", name))}
    if not blocks or shapes.get("conv1.weight") != (16, 3, 3, 3) or len(shapes.get("linear.weight", ())) != 2:
        return None
    count, classes = max(blocks) + 1, shapes["linear.weight"][0]
    return Recognised(
        f"ResNet{6 * count + 2}",
        classes,
        lambda: CifarResNet(count, classes),
        "linear",
        32,
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        crop=1.0,
        interpolation="bilinear",
    )


def _mobilenet_v1(shapes: Shapes) -> Recognised | None:
    stem = shapes.get("conv_stem.weight", (0,))[0]
    if stem not in MOBILENET_V1 or "blocks.0.0.conv_dw.weight" not in shapes or "conv_head.weight" in shapes:
        return None
    multiplier, size, top1 = MOBILENET_V1[stem]
    classes = shapes.get("classifier.weight", (0,))[0]

    def make() -> nn.Module:
        from timm.models import efficientnet

        builder = getattr(efficientnet, "_gen_mobilenet_v1", None)  # timm's public names have no multiplier
        if builder is None:
            raise ModelError("this timm has no `_gen_mobilenet_v1`, which builds a narrow MobileNetV1; use 1.0.31.")
        network: nn.Module = builder(
            "mobilenetv1_100", channel_multiplier=multiplier, num_classes=classes, pad_type="same"
        )
        return network

    return Recognised(f"MobileNetV1 {multiplier:g}", classes, make, "classifier", size, top1=top1)


def _mobilenet_v2(shapes: Shapes) -> Recognised | None:
    if shapes.get("conv_stem.weight") != (32, 3, 3, 3) or shapes.get("conv_head.weight") != (1280, 320, 1, 1):
        return None
    classes = shapes.get("classifier.weight", (0,))[0]

    def make() -> nn.Module:
        import timm

        network: nn.Module = timm.create_model(
            "mobilenetv2_100", num_classes=classes, pad_type="same", pretrained=False
        )
        return network

    return Recognised("MobileNetV2 1.0", classes, make, "classifier", 224, top1=MOBILENET_V2_TOP1)


def _squeezenet(shapes: Shapes) -> Recognised | None:
    if shapes.get("features.0.weight") != (64, 3, 3, 3) or "features.3.squeeze.weight" not in shapes:
        return None
    classes = shapes.get("classifier.1.weight", (0,))[0]

    def make() -> nn.Module:
        from torchvision.models import squeezenet1_1

        network: nn.Module = squeezenet1_1(weights=None, num_classes=classes)
        return network

    return Recognised(
        "SqueezeNet 1.1",
        classes,
        make,
        "classifier.1",
        227,
        tuple(value / 255 for value in CAFFE_MEAN),
        (1 / 255,) * 3,  # 0..255 minus the mean
        top1=SQUEEZENET_TOP1,
        swap_red_and_blue="features.0.weight",
    )


def _check_fit(shapes: Shapes, known: Recognised, where: str) -> None:
    if known.classes < 2:
        raise ModelError(f"{where} looks like {known.architecture}, but has no classifier ({known.head}.weight).")
    with torch.device("meta"):
        own = {name: tuple(value.shape) for name, value in known.make().state_dict().items()}
    wrong = [name for name in sorted({*own, *shapes}) if own.get(name) != shapes.get(name)]
    wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]  # some files leave the counter out
    if wrong:
        name = wrong[0]
        expected, found = own.get(name, "absent"), shapes.get(name, "missing")
        raise ModelError(
            f"{where} looks like {known.architecture}, but {len(wrong)} of its tensors do not fit: `{name}` should be "
            f"{expected}, and is {found}. The file is damaged, or of an unknown variant."
        )


def _load(path: Path, known: Recognised) -> Source:
    from safetensors.torch import load_file

    state: dict[str, Tensor] = {name: value.float() for name, value in load_file(path).items()}
    if known.swap_red_and_blue:
        state[known.swap_red_and_blue] = state[known.swap_red_and_blue].flip(1)
    module = known.make()
    counters = [name for name in module.state_dict() if name.endswith("num_batches_tracked") and name not in state]
    module.load_state_dict(state | {name: torch.tensor(0) for name in counters}, strict=True)
    module.eval()
    if is_folded(module):
        as_biases(module)
    classes = imagenet_names(known.classes) if known.classes == 1000 else None
    prepare = timm_preparation(
        {
            "input_size": (3, known.size, known.size),
            "interpolation": known.interpolation,
            "mean": known.mean,
            "std": known.std,
            "crop_pct": known.crop,
            "crop_mode": "center",
        }
    )
    return build_source(module, known.card(path), prepare, head=known.head, classes=classes)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"there is no file {path}. Name a .safetensors file, or a model: zoo/efficientnet_lite0.")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a readable safetensors file ({error}). Download it again.") from error


def _is_path(spec: str | os.PathLike[str]) -> bool:
    return isinstance(spec, os.PathLike) or spec.endswith(SUFFIX) or Path(spec).is_file()
