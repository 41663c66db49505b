"""What labels hold: numbers, text, names with numbers in them."""

import math
import re
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def number_of(text: str) -> float | None:
    """The finite number that a text spells, or None.

    Example:
        >>> number_of("-3e1"), number_of("inf"), number_of("1_000"), number_of("1,5")
        (-30.0, None, None, None)
    """
    number = float_of(text)
    return number if number is not None and math.isfinite(number) else None


def float_of(text: str) -> float | None:
    """Like `number_of`, but infinity and nan count as numbers."""
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def is_amount_elsewhere(text: str) -> bool:
    """Whether a text is a number written with a decimal comma, commas between thousands or a percent sign."""
    bare = text.strip().removesuffix("%")
    return number_of(text) is None and any(number_of(bare.replace(",", mark)) is not None for mark in (".", ""))


def natural_key(text: str) -> tuple[object, ...]:
    """Sort key that puts "2" before "10", "-1" before "1" and "img9" before "img10".

    Example:
        >>> sorted(["10", "9", "b2", "b10", "-1"], key=natural_key)
        ['-1', '9', '10', 'b2', 'b10']
    """
    number = number_of(text)
    if number is not None:
        return (0, number, text)
    parts = re.split(r"(\d+)", text.casefold())
    return (1, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], text)


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
