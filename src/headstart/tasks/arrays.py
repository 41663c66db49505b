"""What an array of labels holds."""

import math
from typing import Any

import numpy as np

from headstart.tasks.amounts import float_of

Array = np.ndarray[Any, np.dtype[Any]]


def is_number(values: Array) -> bool:
    """Whether it holds real numbers or booleans."""
    return values.dtype.kind in "iufb"


def is_float(values: Array) -> bool:
    """Whether it holds floating-point numbers."""
    return np.issubdtype(values.dtype, np.floating)


def is_text(values: Array) -> bool:
    """Whether it holds text."""
    return np.issubdtype(values.dtype, np.str_)


def is_whole(values: Array) -> bool:
    """Whether all are whole numbers, of any type."""
    return is_number(values) and bool(not is_float(values) or (values == np.floor(values)).all())


def is_binary(values: Array) -> bool:
    """Whether it holds only 0 and 1."""
    return is_number(values) and bool(np.isin(values, (0, 1)).all())


def is_real(values: Array) -> bool:
    """Whether they are numbers, also written as text, that are not all whole: amounts rather than classes."""
    if is_float(values):
        return not is_whole(values)
    if not is_text(values):
        return False
    numbers = [float_of(str(value)) for value in values.ravel()]
    # nan or infinity among amounts is not a class; reading the amounts reports it
    finite = [number for number in numbers if number is not None and math.isfinite(number)]
    return None not in numbers and not all(number == int(number) for number in finite)


def span(values: Array) -> str:
    """The range of numbers, or the first text, for a message."""
    return f"{values.min()} to {values.max()}" if is_number(values) else repr(str(values.ravel()[0]))
