"""Downloads run ahead: while one model runs, the files of the next are fetched."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from threading import Thread

from headstart.ranking.attempt import Entrant


class Ahead:
    """Fetches in a thread of its own, one model at a time; what fails is said when the model is loaded."""

    def __init__(self, entrants: Sequence[Entrant]) -> None:
        self.following = {one.name: other.fetch for one, other in pairwise(entrants)}
        self.thread: Thread | None = None

    def after(self, name: str) -> None:
        """Begin to fetch the model that follows this one, unless the one before is still on its way."""
        fetch = self.following.get(name)
        if fetch is None or (self.thread is not None and self.thread.is_alive()):
            return

        def quietly() -> None:
            with suppress(Exception):  # the hub's library raises anything, and loading raises it again
                fetch()

        self.thread = Thread(target=quietly, daemon=True)
        self.thread.start()
