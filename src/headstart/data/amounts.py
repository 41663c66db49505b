"""Numbers in text, and the other ways in which people write them."""

import math


def number_of(text: str) -> float | None:
    """The finite number that a text is, else None.

    Example:
        >>> number_of("-3e1"), number_of("inf"), number_of("1_000"), number_of("1,5")
        (-30.0, None, None, None)
    """
    number = float_of(text)
    return number if number is not None and math.isfinite(number) else None


def float_of(text: str) -> float | None:
    """As `number_of`, but infinity and nan are numbers too."""
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def is_amount_elsewhere(text: str) -> bool:
    """Whether a text is no number here, but is one with a decimal comma, commas between thousands, or a percent sign.

    Example:
        >>> [is_amount_elsewhere(text) for text in ("1,5", "1,234,567.5", "10 %", "1.5", "a,b")]
        [True, True, True, False, False]
    """
    bare = text.strip().removesuffix("%")
    return number_of(text) is None and any(number_of(bare.replace(",", mark)) is not None for mark in (".", ""))
