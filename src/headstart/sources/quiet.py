"""Keeps libraries from printing while they load. Set the logger `headstart` to INFO to see what they print."""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, INFO, NullHandler, getLogger


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Without transformers' progress bar and its report on the weights of a checkpoint."""
    from transformers.utils import logging

    if getLogger("headstart").isEnabledFor(INFO):
        yield
        return
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


@contextmanager
def quiet_import() -> Iterator[None]:
    """Without the line that bitsandbytes logs where it finds no faster kernel to download; it needs none."""
    logger = getLogger("bitsandbytes.backends.cpu.ops")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


@contextmanager
def quiet_root() -> Iterator[None]:
    """Without what a library prints by the root logger where nobody set up logging."""
    silent = NullHandler()
    getLogger().addHandler(silent)
    try:
        yield
    finally:
        getLogger().removeHandler(silent)
