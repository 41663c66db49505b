"""Numbers as a reader meets them in plain text: in ASCII where it can be, so that every terminal shows it."""

import math
from collections.abc import Iterable, Sequence

MISSING = "-"
NOUNS = {"image": "image", "text": "text", "arrays": "example"}  # what a target of each kind is made of
UP_TO_TWELVE = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def decimals_for(errors: Iterable[float | None]) -> int:
    """Decimals to print: two significant digits of the typical (median) standard error, three if none is known.

    >>> decimals_for([0.025, 0.031, None]), decimals_for([]), decimals_for([12.0])
    (3, 3, 0)
    """
    known = sorted(error for error in errors if error is not None and math.isfinite(error) and error > 0)
    if not known:
        return 3
    return min(max(1 - math.floor(math.log10(known[len(known) // 2])), 0), 5)


def magnitude(count: int | None) -> str:
    """A large count in thousands, millions or billions.

    >>> magnitude(4_652_008), magnitude(871), magnitude(86_567_656), magnitude(999_999), magnitude(None)
    ('4.7M', '871', '87M', '1.0M', '-')
    """
    if count is None:
        return MISSING
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        scaled = count / size
        if scaled >= 0.9995:
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return str(count)


def duration(seconds: float | None) -> str:
    """Seconds as a reader says them.

    >>> duration(12.34), duration(0.004), duration(200), duration(7500), duration(None)
    ('12 s', '< 0.1 s', '3 min 20 s', '2 h 5 min', '-')
    """
    if seconds is None:
        return MISSING
    if seconds < 0.1:
        return "< 0.1 s" if seconds > 0 else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def rate(per_second: float | None) -> str:
    """A rate with two or three digits.

    >>> rate(84.31), rate(1234.5), rate(0.5), rate(None)
    ('84', '1,234', '0.50', '-')
    """
    if per_second is None:
        return MISSING
    return f"{per_second:,.{0 if per_second >= 10 else 1 if per_second >= 1 else 2}f}"


def probability(value: float | None) -> str:
    """A probability with two decimals; being an estimate, it is never said to be 0 or 1.

    >>> probability(0.934), probability(1.0), probability(0.0004), probability(None)
    ('0.93', '>0.99', '<0.01', '-')
    """
    if value is None:
        return MISSING
    if value < 0.005:
        return "<0.01"
    return ">0.99" if value >= 0.995 else f"{value:.2f}"


def spelled(count: int) -> str:
    """Small counts as words, larger ones as digits.

    >>> spelled(3), spelled(40)
    ('three', '40')
    """
    return UP_TO_TWELVE[count] if 0 <= count < len(UP_TO_TWELVE) else f"{count:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "class", "classes"), plural(1000, "class", "classes"), plural(3, "source")
    ('1 class', '1,000 classes', '3 sources')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listing(names: Sequence[str], most: int = 4) -> str:
    """Names joined as in a sentence; beyond `most` of them the rest is a count.

    >>> listing(["a"]), listing(["a", "b"]), listing(list("abcdef"), most=3)
    ('a', 'a and b', 'a, b, c and 3 others')
    """
    if len(names) > most + 1:  # "and 1 other" is longer than the name it hides
        return f"{', '.join(names[:most])} and {len(names) - most:,} others"
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"
