"""What stands where there is no value."""

import numpy as np


def is_missing(value: object) -> bool:
    """Whether it is None or what pandas puts where there is nothing: nan, NA or NaT.

    Example:
        >>> is_missing(float("nan")), is_missing(None), is_missing("nan"), is_missing("")
        (True, True, False, False)
    """
    return (
        value is None
        or (isinstance(value, float | np.floating) and value != value)
        or type(value).__name__ in ("NAType", "NaTType")  # seen by name, so that pandas need not be loaded
    )
