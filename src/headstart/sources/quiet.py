"""Keeps libraries from printing while they load."""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger


@contextmanager
def no_bar() -> Iterator[None]:
    """Without the progress bar that transformers draws while it reads weights."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
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
