"""What a model takes, estimated from its card: processor-seconds of a pass, and bytes."""

import os

from headstart.data.media import MEDIA
from headstart.records import ModelCard

USUAL = 25_000_000  # parameters, of a model that does not say
BYTES = 4  # of a parameter in a file
PRODUCTS = 160  # of a parameter with an image of 224 x 224: 155 to 203 in ResNet, ConvNeXt, ViT; 85 in EfficientNet
TOKENS = 64  # of a text
PER_SECOND = 25e9  # products of one processor, where no more is known than the parameters
PRODUCT, ACTIVATION = 18.7e-12, 1.21e-9  # processor-seconds of each: `benchmarks/cost_model.py`

GPU_BYTES = 16e9  # of a small GPU; a larger one holds more tasks than this lets run on it
GPU_BESIDE = 1.5e9  # what torch and the activations of a batch take beside the weights


def gpu_share(card: ModelCard) -> float:
    """The part of a GPU that a forward pass of this model needs, by its memory.

    Example:
        >>> gpu_share(ModelCard(name="resnet50", kind="image", parameters=25_000_000))
        0.11
    """
    return min(1.0, round((2e9 * gigabytes_of(card) + GPU_BESIDE) / GPU_BYTES, 2))


def seconds_of_pass(card: ModelCard) -> float:
    """Processor-seconds of one forward pass: by products and activations, or by parameters and the input's size.

    Example:
        >>> round(seconds_of_pass(ModelCard(name="resnet50", kind="image", parameters=25_557_032)), 2)
        0.16
    """
    if card.products:
        return card.products * PRODUCT + (card.activations or 0.0) * ACTIVATION
    parameters = card.parameters or USUAL
    if not MEDIA[card.kind].pictures:
        return parameters * TOKENS / PER_SECOND
    area = card.input_size[1] * card.input_size[2] / 224**2 if card.input_size else 1.0
    return parameters * PRODUCTS * area / PER_SECOND


def gigabytes_of(card: ModelCard) -> float:
    """Size of a model's weights.

    Example:
        >>> gigabytes_of(ModelCard(name="resnet50", kind="image", parameters=25_000_000))
        0.1
    """
    return (card.parameters or USUAL) * BYTES / 1e9


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
