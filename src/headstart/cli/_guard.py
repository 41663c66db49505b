"""Errors as one sentence and an exit code; a traceback only for a user who asks for it."""

import errno
import functools
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import NoReturn, ParamSpec, TypeVar

import typer

from headstart.cli._urls import here
from headstart.errors import HeadstartError, WriteError
from headstart.wording import printable

INTERRUPTED = 130
UNEXPECTED = 70
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
QUOTES = "'\""
DEBUG = "HEADSTART_DEBUG"

P = ParamSpec("P")
R = TypeVar("R")


def guarded(command: Callable[P, R], *, resumes: bool = False) -> Callable[P, R]:
    """The command with every error shown as one sentence on the error stream.

    Exit codes: the error's own for errors of headstart, 130 for Ctrl-C, 70 for anything unexpected. With the
    environment variable HEADSTART_DEBUG=1 the traceback comes first.

    Args:
        resumes: Whether the same command resumes from what its `--out` holds.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if debugging():
            logging.basicConfig(level=logging.INFO)
            logging.getLogger("headstart").setLevel(logging.DEBUG)
        try:
            try:
                with here(kwargs) as options:
                    return command(*args, **options)
            finally:
                sys.stdout.flush()
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            _leave(_stopped(kwargs, resumes), INTERRUPTED)
        except HeadstartError as error:
            _leave(f"Error: {_as_typed(str(error), kwargs)}", error.exit_code)
        except OSError as error:
            _leave(f"Error: {_of_system(error)}", WriteError.exit_code)
        except Exception as error:  # the outermost edge: whatever reaches this line is a defect
            _leave(
                f"Unexpected error ({type(error).__name__}: {error}). This is a defect of headstart: run the same "
                f"command with {DEBUG}=1 before it and report what it prints.",
                UNEXPECTED,
            )

    return run


def _of_system(error: OSError) -> str:
    """What the operating system refused, and where."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fspath(error.filename)}: {reason}. Check the path and its permissions."
    if error.errno in FULL:  # files have their own errors: it is standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python writes again at its end
        return f"cannot write to standard output: {reason}. Redirect it elsewhere, or free some space."
    return f"{reason}. The operating system refused this; check the disk, the memory and the paths."


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get(DEBUG, "") not in ("", "0")


def _as_typed(sentence: str, options: Mapping[str, object]) -> str:
    """The sentence with the command's options as they are typed: `max_bad` is `--max-bad`, `split='x'` is `--split x`.

    A name alone and of one word stays, since a column may have it.
    """

    def typed(found: re.Match[str]) -> str:
        name, value = found.groups()
        if name not in options or (value is None and "_" not in name):
            return found[0]
        flag = "--" + name.replace("_", "-")
        return f"`{flag}`" if value in (None, "", "True") else f"`{flag} {value.strip(QUOTES)}`"

    return re.sub(r"`([a-z0-9_]+)(?:=([^`]*))?`", typed, sentence)


def _stopped(options: Mapping[str, object], resumes: bool) -> str:
    out = options.get("out") if resumes else None
    kept = "the cache" if options.get("no_cache") is False else out
    return (
        f"Stopped. What was computed is kept in {kept}: run the same command again to resume." if kept else "Stopped."
    )


def _leave(sentence: str, code: int) -> NoReturn:
    if debugging():
        traceback.print_exc()
    print(printable(sentence), file=sys.stderr)
    raise typer.Exit(code)
