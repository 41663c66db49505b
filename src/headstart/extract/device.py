"""Which device the network runs on."""

import torch

from headstart.errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" takes the fastest there is.

    Raises:
        InputError: There is no such device on this machine.

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
        present = ", ".join(each for each, there in available.items() if there)
        raise InputError(f"`device` is {name!r}, but torch finds none here (it finds: {present}). Use `--device auto`.")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"`device` is {name!r}, which torch cannot read. Write it like cuda or cuda:1.") from error
    if family == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise InputError(f"`device` is {name!r}, but there are only {torch.cuda.device_count()} CUDA devices, from 0.")
    return device
