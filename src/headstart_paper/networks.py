"""The networks of the paper's experiments, from safetensors that a user has on disk: told apart by what is in them.

A file's name decides nothing. The names and shapes of its tensors say which architecture it is; they must then fit that
architecture to the last entry. The input size is not in the weights: it is the one that each width was published with.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources import Candidate, Source, build_source, imagenet_names, timm_preparation
from headstart.sources import candidates as candidates_named
from headstart_paper.cifar_resnet import CifarResNet
from headstart_paper.folded import as_biases, is_folded

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
    """What a file of weights holds."""

    architecture: str  # "ResNet20", "MobileNetV1 0.25", ...
    classes: int
    make: Callable[[], nn.Module]
    head: str
    preprocessing: dict[str, Any]  # a timm data config
    imagenet_top1: float | None  # published for this architecture, width and input size; None: no ImageNet classifier
    swap_red_and_blue: str | None = None  # a convolution that was trained on BGR, to be turned to RGB


def open_source(spec: str | os.PathLike) -> Source:
    """Load one source: a path to safetensors, or any name that `headstart rank --models` takes (`zoo/...`).

    Args:
        spec: ResNet20, 32, 44 or 56 for CIFAR, MobileNetV1 0.25, 0.5 or 0.75, MobileNetV2 1.0, or SqueezeNet 1.1.

    Raises:
        ModelError: There is no such file or model, or its tensors are those of no known architecture.
    """
    return candidate(spec).load(False)


def candidates(specs: Sequence[str | os.PathLike]) -> list[Candidate]:
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


def candidate(spec: str | os.PathLike) -> Candidate:
    """The candidate for one path or name."""
    if not _is_path(spec):
        fitting = candidates_named(os.fspath(spec))
        if len(fitting) != 1:
            raise ModelError(f"`{os.fspath(spec)}` names {len(fitting)} models; name one.")
        return fitting[0]
    path = Path(spec)
    known = recognise(_shapes(path), str(path))
    return Candidate(_card(path, known), lambda trust_pickle: _load(path, known))


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
        f"{where} holds the weights of no known architecture ({len(shapes)} tensors: {some}, ...). Expected a CIFAR "
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
        architecture=f"ResNet{6 * count + 2}",
        classes=classes,
        make=lambda: CifarResNet(count, classes),
        head="linear",
        preprocessing=_preprocessing(32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1.0, "bilinear"),
        imagenet_top1=None,
    )


def _mobilenet_v1(shapes: Shapes) -> Recognised | None:
    stem = shapes.get("conv_stem.weight", (0,))[0]
    if stem not in MOBILENET_V1 or "blocks.0.0.conv_dw.weight" not in shapes or "conv_head.weight" in shapes:
        return None
    multiplier, size, top1 = MOBILENET_V1[stem]
    classes = shapes.get("classifier.weight", (0,))[0]
    return Recognised(
        architecture=f"MobileNetV1 {multiplier:g}",
        classes=classes,
        make=lambda: _make_mobilenet_v1(multiplier, classes),
        head="classifier",
        preprocessing=_preprocessing(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 0.875, "bicubic"),
        imagenet_top1=top1 if classes == 1000 else None,
    )


def _make_mobilenet_v1(multiplier: float, classes: int) -> nn.Module:
    from timm.models import efficientnet

    builder = getattr(efficientnet, "_gen_mobilenet_v1", None)  # timm's public names take no multiplier
    if builder is None:
        raise ModelError("this timm has no `_gen_mobilenet_v1`, which builds a narrow MobileNetV1; use 1.0.31.")
    return builder("mobilenetv1_100", channel_multiplier=multiplier, num_classes=classes, pad_type="same")


def _mobilenet_v2(shapes: Shapes) -> Recognised | None:
    if shapes.get("conv_stem.weight") != (32, 3, 3, 3) or shapes.get("conv_head.weight") != (1280, 320, 1, 1):
        return None
    classes = shapes.get("classifier.weight", (0,))[0]

    def make() -> nn.Module:
        import timm

        return timm.create_model("mobilenetv2_100", num_classes=classes, pad_type="same", pretrained=False)

    return Recognised(
        architecture="MobileNetV2 1.0",
        classes=classes,
        make=make,
        head="classifier",
        preprocessing=_preprocessing(224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 0.875, "bicubic"),
        imagenet_top1=MOBILENET_V2_TOP1 if classes == 1000 else None,
    )


def _squeezenet(shapes: Shapes) -> Recognised | None:
    if shapes.get("features.0.weight") != (64, 3, 3, 3) or "features.3.squeeze.weight" not in shapes:
        return None
    classes = shapes.get("classifier.1.weight", (0,))[0]

    def make() -> nn.Module:
        from torchvision.models import squeezenet1_1

        return squeezenet1_1(weights=None, num_classes=classes)

    mean = tuple(value / 255 for value in CAFFE_MEAN)
    return Recognised(
        architecture="SqueezeNet 1.1",
        classes=classes,
        make=make,
        head="classifier.1",
        preprocessing=_preprocessing(227, mean, (1 / 255,) * 3, 0.875, "bicubic"),  # 0..255 minus the mean
        imagenet_top1=SQUEEZENET_TOP1 if classes == 1000 else None,
        swap_red_and_blue="features.0.weight",
    )


def _preprocessing(
    size: int, mean: tuple[float, ...], std: tuple[float, ...], crop: float, interpolation: str
) -> dict[str, Any]:
    return {
        "input_size": (3, size, size),
        "interpolation": interpolation,
        "mean": mean,
        "std": std,
        "crop_pct": crop,
        "crop_mode": "center",
    }


def _check_fit(shapes: Shapes, known: Recognised, where: str) -> None:
    if known.classes < 2:
        raise ModelError(f"{where} looks like {known.architecture}, but has no classifier ({known.head}.weight).")
    with torch.device("meta"):
        own = {name: tuple(value.shape) for name, value in known.make().state_dict().items()}
    wrong = [name for name in sorted({*own, *shapes}) if own.get(name) != shapes.get(name)]
    wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]  # some files leave the counter out
    if wrong:
        name = wrong[0]
        expected, came = own.get(name, "no such tensor"), shapes.get(name, "none")
        raise ModelError(
            f"{where} looks like {known.architecture}, but {len(wrong)} of its tensors do not fit: `{name}` should be "
            f"{expected}, and is {came}. The file is damaged or of a variant that is not known."
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
    return build_source(
        module, _card(path, known), timm_preparation(known.preprocessing), head=known.head, classes=classes
    )


def _card(path: Path, known: Recognised) -> ModelCard:
    return ModelCard(
        name=path.stem,
        kind="image",
        input_size=known.preprocessing["input_size"],
        num_classes=known.classes,
        imagenet_top1=known.imagenet_top1,
    )


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"there is no file {path}. Name a .safetensors file, or a model: zoo/efficientnet_lite0.")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is no readable safetensors file ({error}); fetch it again.") from error


def _is_path(spec: str | os.PathLike) -> bool:
    return isinstance(spec, os.PathLike) or spec.endswith(SUFFIX) or Path(spec).is_file()
