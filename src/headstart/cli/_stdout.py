"""Standard output: what cannot be written there is an error in words."""

import os
from collections.abc import Callable
from typing import Any, TextIO

from headstart.errors import WriteError


class Said:
    """A stream for `sys.stdout` whose faults are errors of headstart, and the first stays one; else the stream given.

    A reader that left is no fault: `BrokenPipeError` ends the command in silence.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._fault: WriteError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, as a stream does.

        Raises:
            WriteError: There was no room, for example, now or before.
        """
        return self._said(self._stream.write, text)

    def flush(self) -> None:
        """Write what is held back; see `write`."""
        self._said(self._stream.flush)

    def _said(self, call: Callable[..., Any], *args: object) -> Any:
        if self._fault is not None:
            raise self._fault
        try:
            return call(*args)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._fault = WriteError(
                f"standard output cannot be written: {error.strerror}. Send it to another place, or free some space "
                "there."
            )
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())  # else Python tries again when it ends
            raise self._fault from error
