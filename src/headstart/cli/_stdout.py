"""Standard output whose write errors are errors of headstart."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from headstart.errors import WriteError


class CheckedStdout:
    """Wraps standard output and raises `WriteError` when a write fails.

    A closed pipe is no failure: `BrokenPipeError` passes, and ends the command silently.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failure: WriteError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, as a stream does.

        Raises:
            WriteError: This write or an earlier one failed, for example because the disk is full.
        """
        with self._checked():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what is buffered; see `write`."""
        with self._checked():
            self._stream.flush()

    @contextmanager
    def _checked(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failure = WriteError(
                f"cannot write to standard output: {error.strerror}. Redirect it elsewhere, or free some space."
            )
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())  # else Python tries again when it ends
            raise self._failure from error
