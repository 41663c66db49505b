"""Numbers in text: reading them, spotting other notations, and sorting names that hold them."""

import math
import re


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
    """Whether a text is a number written with a decimal comma, commas between thousands or a percent sign.

    Example:
        >>> [is_amount_elsewhere(text) for text in ("1,5", "1,234,567.5", "10 %", "1.5", "a,b")]
        [True, True, True, False, False]
    """
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
