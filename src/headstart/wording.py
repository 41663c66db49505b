"""Numbers, counts and names as a reader sees them.

The first functions give plain ASCII for terminals. `number`, `typeset`, `percentage` and `isolated` give the
typography of a page.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

MISSING = "-"  # in a terminal
DASH = "—"  # on a page
MINUS = "\N{MINUS SIGN}"
UNIT = re.compile(r"(?<=\d)(?=[kMB]$)")
NOUNS = {"image": "image", "text": "text", "arrays": "example"}  # what a target of each kind is made of
URL = re.compile(r"[a-z][a-z0-9+.-]+(::|://)", re.IGNORECASE)
SECRET = re.compile(r"(://)[^/@\s]*@|\?[^\s'\"]*")  # user and password, and the query, where signatures stand
UP_TO_TWELVE = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def printable(text: str) -> str:
    """Text that any terminal and file can take: control characters, and bytes of a name that are not UTF-8, escaped.

    >>> print(printable("a\\x1b[31m"), printable("naïve"))
    a\\x1b[31m naïve
    """
    try:
        text = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:
        text = text.encode(errors="backslashreplace").decode()
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text)


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
    """A probability with two decimals; as an estimate, it is never shown as 0 or 1.

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


def number(value: float | None, decimals: int = 3) -> str:
    """A value with a fixed number of decimals and a true minus sign; a dash where there is none.

    >>> number(-0.5124), number(None), number(-0.0001, 2)
    ('−0.512', '—', '0.00')
    """
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")  # "-0.00" tells a reader nothing
    return text.replace("-", MINUS)


def bounds(low: float, high: float) -> str:
    """A range of values in words.

    >>> bounds(-math.inf, 0.0), bounds(0.0, 1.0), bounds(0.0, math.inf), bounds(-math.inf, math.inf)
    ('at most 0', '0 to 1', 'at least 0', 'any')
    """
    if math.isinf(low):
        return "any" if math.isinf(high) else f"at most {high:g}"
    return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"


def typeset(text: str) -> str:
    """A cell of the text table as a page shows it.

    >>> typeset(magnitude(4_652_008)), typeset(probability(0.001)), typeset(rate(None))
    ('4.7 M', '< 0.01', '—')
    """
    if text == MISSING:
        return DASH
    return UNIT.sub(" ", re.sub(r"^([<>])(?=\d)", r"\1 ", text))


def percentage(share: float | None) -> str:
    """A share in [0, 1] as a percentage.

    >>> percentage(0.0312), percentage(0.5), percentage(0.00001), percentage(0.0)
    ('3.1 %', '50 %', '< 0.1 %', '0 %')
    """
    if share is None or not math.isfinite(share):
        return DASH
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"


def isolated(name: str) -> str:
    """A name for use inside a plain-text sentence: right-to-left text is fenced off so that it cannot reorder the rest.

    >>> isolated("cat"), isolated("\N{HEBREW LETTER ALEF}") == "\\u2068\\u05d0\\u2069"
    ('cat', True)
    """
    directions = {unicodedata.bidirectional(letter) for letter in name}
    if directions & {"R", "AL", "RLE", "RLO", "RLI", "LRE", "LRO"}:
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


def without_secrets(text: str) -> str:
    """A text whose URLs hold no user, password or query.

    >>> without_secrets("rank https://me:key@host/x.csv?sig=1 --limit 5")
    'rank https://host/x.csv --limit 5'
    """
    return re.sub(r"\S+://\S+", lambda url: SECRET.sub(r"\1", url[0]), text)


def shortened(name: str, most: int) -> str:
    """A name cut to at most `most` characters, for places where text cannot wrap.

    >>> shortened("running shoe", 8), shortened("sandal", 8)
    ('running…', 'sandal')
    """
    return name if len(name) <= most else name[: most - 1].rstrip(" ,;") + "…"


def shortened_inside(name: str, most: int) -> str:
    """A name cut in its middle: models of one family differ at the end.

    >>> shortened_inside("timm/efficientnet_lite0", 16)
    'timm/effi…_lite0'
    """
    if len(name) <= most:
        return name
    tail = most * 2 // 5
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def one_line(text: str, longest: int = 400) -> str:
    """Text without line breaks, cut to `longest` characters.

    Example:
        >>> one_line("sizes differ:\\n  3 and 4"), len(one_line("x" * 1000))
        ('sizes differ: 3 and 4', 400)
    """
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def in_markdown(text: str) -> str:
    """Text as Markdown shows it: no name or command can become a heading, a link, a tag or another cell of a table.

    >>> print(in_markdown("a|b <img> [x](y) snake_case\\n# title"))
    a\\|b \\<img> [x]\\(y) snake_case # title
    """
    return re.sub(
        r"[\\`*<|]|(?<=\])[(\[:]|(?<!\w)_|_(?!\w)|^[#>+-](?=\s)", r"\\\g<0>", " ".join(printable(text).split())
    )
