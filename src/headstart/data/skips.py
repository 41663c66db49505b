"""Examples that cannot be read: counted, listed, and an error once they are too many."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from headstart.data.target import Target
from headstart.errors import ExampleError, InputError, TargetError

NAMED = 3  # how many the message names


class Skips:
    """The unreadable examples of one pass.

    `max_bad` is a share of all examples. A single one is allowed however few examples there are, because one broken
    file out of 50 says nothing of a rate; only `max_bad=0` allows none.
    """

    def __init__(self, target: Target, max_bad: float) -> None:
        if not 0 <= max_bad <= 1:
            raise InputError(f"`max_bad` must be a share between 0 and 1, got {max_bad}.")
        self.target, self.max_bad = target, max_bad
        self.allowed = allowed(len(target), max_bad)
        self.reasons: dict[int, str] = {}

    def add(self, index: int, error: Exception) -> None:
        """Note that one example is skipped."""
        self.reasons[index] = str(error)
        if len(self.reasons) > self.allowed:
            first = list(self.reasons.items())[:NAMED]
            named = "; ".join(f"{self.target.ids[i]}: {why.rstrip('.')}" for i, why in first)
            more = "" if len(self.reasons) <= NAMED else f"; and {len(self.reasons) - NAMED} more so far"
            raise TargetError(
                f"more than {self.allowed} of the {len(self.target)} examples of {self.target.name} cannot be read "
                f"(`max_bad` is {self.max_bad:g}): {named}{more}. Repair or remove them, or raise `--max-bad`."
            )

    def by_id(self) -> dict[str, str]:
        """Why each was skipped, by the example's id, in the target's order."""
        return {self.target.ids[index]: self.reasons[index] for index in sorted(self.reasons)}


def allowed(examples: int, max_bad: float) -> int:
    """How many may be unreadable.

    Example:
        >>> allowed(1000, 0.01), allowed(50, 0.01), allowed(50, 0.0)
        (10, 1, 0)
    """
    return max(1, int(max_bad * examples + 1e-9)) if max_bad > 0 else 0


def readable(target: Target, *, max_bad: float = 0.01) -> tuple[Target, dict[str, str]]:
    """The target without the examples that cannot be read, and why each of those cannot."""

    def fault(index: int) -> ExampleError | None:
        try:
            target.examples.load(index)
        except ExampleError as error:
            return error
        return None

    skips = Skips(target, max_bad)
    with ThreadPoolExecutor(2) as pool:
        for index, error in enumerate(pool.map(fault, range(len(target)))):
            if error is not None:
                skips.add(index, error)
    if not skips.reasons:
        return target, {}
    kept = target.subset([index for index in range(len(target)) if index not in skips.reasons])
    note = f"{len(skips.reasons)} unreadable examples were skipped"
    return replace(kept, notes=(*target.notes, note)), skips.by_id()
