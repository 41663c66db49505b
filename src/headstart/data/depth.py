"""Images of more than 8 bits: one white level for the whole data set."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from headstart.data.pixels import WIDEST, colours_of
from headstart.data.stored import DeepImages, ImageArray
from headstart.data.target import Found
from headstart.errors import ExampleError
from headstart.tasks.values import is_float

LEVELS = (1, 255, 1023, 4095, 16383, WIDEST)  # the top of 0..1 and of 8, 10, 12, 14 and 16 bits


def levelled(found: Found, asked: float | None) -> Found:
    """The same examples with one white level for all images of more than 8 bits: the one asked for, or observed.

    Cameras and scanners keep 8, 10, 12 or 14 bits in files of 16: read on the scale of the file, such images are almost
    black. The level is what all of the files declare, else the largest value of so many bits that no image exceeds.
    Where the first images looked at have 8 bits, the others are not looked at.
    """
    examples: Any = found.examples
    if not isinstance(found.examples, DeepImages):
        return found

    def top(index: int) -> tuple[float, bool, float | None] | None:
        with suppress(ExampleError):  # counted where it is loaded
            deep = examples.deep(index)
            if deep is not None and deep.values.size and (colours := colours_of(deep.values)).min() >= 0:
                return float(colours.max()), is_float(deep.values), deep.declared
        return None

    looks = np.linspace(0, len(examples) - 1, min(examples.looks, len(examples))).astype(int)
    if not any(map(top, looks.tolist())):
        return found
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        tops = [each for each in pool.map(top, range(len(examples))) if each is not None]
    highest, floats = max(each[0] for each in tops), any(each[1] for each in tops)
    declared = _declared({each[2] for each in tops}, highest)
    level = asked or declared or next((level for level in LEVELS if highest <= level and (floats or level > 1)), None)
    if level is None:  # each image is refused when it is loaded, with its range
        return found
    usual = 1 if floats else WIDEST
    note = f"{len(tops)} images have more than 8 bits, with values up to {highest:g}: {level:g} "
    note += f"{'(declared in the files) ' if level == declared else ''}is white in all of them"
    notes = () if level == usual and not isinstance(found.examples, ImageArray) else (f"{note} (`white_level`)",)
    return replace(found, examples=replace(examples, white=level), white_level=level, notes=(*found.notes, *notes))


def _declared(values: set[float | None], highest: float) -> float | None:
    """What all files declare, unless they exceed it; files that differ tell of themselves, and the type's top of it."""
    value = values.pop() if len(values) == 1 else None
    return value if value is not None and max(highest, 1) <= value < WIDEST else None
