"""Rows of numbers: features or logits that a model has computed already."""

from typing import Any

import numpy as np

from headstart.data.media import Held, Medium, medium
from headstart.data.stored import ArrayRows


@medium
class Arrays(Medium):
    """An array (n, d), one row per example."""

    name = "arrays"
    computed = True

    def hold(self, examples: Any, *, channels_first: bool) -> Held | None:
        numbers = isinstance(examples, np.ndarray) and examples.dtype.kind in "iufb" and examples.ndim == 2
        return (ArrayRows(examples), ()) if numbers else None
