"""Examples that a search reads again and again, and whose content is hashed once."""

from dataclasses import dataclass, field

from headstart.data.target import Examples


@dataclass(frozen=True, eq=False)
class Remembered:
    """Examples with the digests that were asked for: every source asks for all of them, and so does the record.

    For one search and no longer, because files may change between two.
    """

    examples: Examples
    _digests: dict[int, bytes] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.examples)

    def load(self, index: int) -> object:
        return self.examples.load(index)

    def digest(self, index: int) -> bytes:
        found = self._digests.get(index)
        if found is None:  # two threads may both come here, and find the same
            found = self._digests[index] = self.examples.digest(index)
        return found
