"""Which device the network runs on."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing

import torch  # isort: skip

from headstart.errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(name: str) -> torch.device:
    """The torch device called `name`; "auto" is the fastest one available.

    Raises:
        InputError: torch finds no such device on this machine.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(each for each in ("cuda", "mps", "cpu") if available[each]))
    family = name.partition(":")[0]
    if family not in available:
        raise InputError(f"`device` must be one of {', '.join(DEVICES)}; got {name!r}.")
    if not available[family]:
        present = ", ".join(each for each, found in available.items() if found)
        raise InputError(
            f"`device` is {name!r}, but torch finds none here (available: {present}). Use `--device auto`."
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"`device` is {name!r}, which torch cannot parse. Write cuda or cuda:1.") from error
    if family == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise InputError(f"`device` is {name!r}, but torch finds {torch.cuda.device_count()} CUDA devices (from 0).")
    return device
