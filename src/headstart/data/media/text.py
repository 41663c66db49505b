"""Texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.media import Held, Medium, medium
from headstart.data.pixels import holds_image_paths
from headstart.data.stored import TextPairs, Texts

if TYPE_CHECKING:
    from headstart.data.roles import Table
    from headstart.data.target import Examples

NAMES = (
    "text", "sentence", "review", "content", "comment", "question", "document", "body", "message", "tweet",
    "description", "title", "headline",
)  # fmt: skip
SHOWN = 120  # characters of a sample
PEEK = 100  # rows looked at to guess what a column holds

PROBES = (
    "A short sentence.",
    "A rather longer sentence, with a number (42) and UPPER case, to fill a few more tokens.",
)
ODD = (
    "<p class='lead'>Read <b>this</b> &amp; that<br/>at https://example.org/a?b=1&c=2 or www.example.org</p>",
    "  Na\u00efve caf\u00e9,\tco-op \U0001f600 \u2603\ufe0f\r\n\n #tag me@x.org: $1,234 \u201cdon\u2019t\u201d!!  ",
    "\u5317\u4eac \u041c\u043e\u0441\u043a\u0432\u0430   \u0645\u0631\u062d\u0628\u0627 e\u0301",
)
LONG = " ".join(f"Sentence {number} of a text that is longer than any model reads." for number in range(1000))


def is_pair(example: object) -> bool:
    """Whether it is two texts."""
    return isinstance(example, tuple) and len(example) == 2 and all(isinstance(text, str) for text in example)


@medium
class Text(Medium):
    """A `str`, or a pair of them."""

    name = "text"
    model = "st/all-MiniLM-L6-v2"
    rows = 32  # of short texts; long ones have large activations, which leave room for fewer

    def hold(self, examples: Any, *, channels_first: bool) -> Held | None:
        if not isinstance(examples, list):
            return None
        if all(is_pair(item) for item in examples):
            return TextPairs(*(Texts([str(item[side]) for item in examples]) for side in (0, 1))), ()
        return (
            (Texts([str(item) for item in examples]), ()) if all(isinstance(item, str) for item in examples) else None
        )

    def guess_column(self, table: "Table", free: Sequence[str]) -> str | None:
        """By its name, as the only column of text, or as one column of sentences among columns of words."""
        texts = [name for name in free if table.kinds[name] == "text" and not holds_image_paths(table.read(name))]
        by_name = [name for known in NAMES for name in texts if name.casefold() == known]
        if by_name or len(texts) == 1:
            return (by_name or texts)[0]
        lengths = {name: np.mean([len(str(value)) for value in table.read(name)[:PEEK]]) for name in texts}
        ranked = sorted(texts, key=lambda name: -lengths[name])
        if ranked and lengths[ranked[0]] > 20 and lengths[ranked[0]] > 2 * lengths[ranked[1]]:
            return ranked[0]
        return None

    def column(self, table: "Table", name: str, rows: np.ndarray) -> tuple["Examples", list[str]] | None:
        if table.kinds[name] != "text":
            return None
        column = table.read(name)
        return Texts([column[row] for row in rows]), []

    def length(self, example: Any) -> int:
        return sum(map(len, example)) if isinstance(example, tuple) else len(str(example))

    def sample(self, example: Any) -> str | None:
        text = " | ".join(example) if isinstance(example, tuple) else str(example)
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"

    def probes(self) -> tuple[Any, ...]:
        return PROBES

    def odd_probes(self, *, own: bool) -> tuple[Any, ...]:
        """A text longer than any model reads; with `own` also texts of the web and in other languages."""
        return (LONG, *(ODD if own else ()))
