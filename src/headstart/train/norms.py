"""Which layers are norms: told by what they are, not by where they stand."""

from torch import nn


def is_norm(module: nn.Module) -> bool:
    """Whether a layer scales and shifts each channel after normalising it, torch's own or a library's.

    Example:
        >>> is_norm(nn.BatchNorm2d(3)), is_norm(nn.BatchNorm2d(3, affine=False)), is_norm(nn.Linear(3, 3))
        (True, False, False)
    """
    parameters = dict(module.named_parameters(recurse=False))
    known = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
    named = type(module).__name__.lower().find("norm") >= 0  # norms that libraries write themselves
    flat = bool(parameters) and all(parameter.ndim == 1 for parameter in parameters.values())
    return flat and (isinstance(module, known) or named)
