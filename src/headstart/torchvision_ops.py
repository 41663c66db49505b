"""Imported first by every room that needs torch: names the `pip install` line where torch is missing, and makes
`import torchvision` work beside a CPU-only torch.

The torchvision wheel on the package index is linked to CUDA. Beside a CPU build of torch its compiled part cannot be
loaded, its operators are never registered, and `import torchvision` (with it timm and open_clip) dies with "operator
torchvision::nms does not exist". Declaring the two operators that the import looks up is enough: models, transforms
and data sets work; compiled nms and `torchvision.io` stay missing, and nothing here uses them.
"""

import ctypes
import importlib.util
from functools import cache
from pathlib import Path

from headstart.errors import MissingExtra

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtra(
        "opening and training networks needs torch. Run: pip install 'headstart[image]' for image models, "
        "or pip install 'headstart[text]' for text models"
    ) from error


@cache
def declare_missing_ops() -> torch.library.Library | None:
    """Declare `nms` and `qnms` if torchvision's compiled part does not load; call it before importing torchvision.

    Returns:
        The library that holds the declarations (kept alive by the cache), or None where there is nothing to cure.
    """
    spec = importlib.util.find_spec("torchvision")
    if (
        spec is None
        or spec.submodule_search_locations is None
        or _compiled_part_loads(spec.submodule_search_locations[0])
    ):
        return None
    # torch ships no types for its libraries of operators
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for op in ("nms", "qnms"):
        library.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    return library


def _compiled_part_loads(folder: str) -> bool:
    compiled = sorted([*Path(folder).glob("_C*.so"), *Path(folder).glob("_C*.pyd")])
    try:
        for path in compiled:
            ctypes.CDLL(str(path))
    except OSError:
        return False
    return bool(compiled)


declare_missing_ops()
