"""One source, from loading to its scores; what breaks on the way becomes a reason, and the other sources go on."""

import gc
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.data.target import Target
from headstart.errors import CacheError, HeadstartError, TargetError
from headstart.ranking.budget import OutOfTime
from headstart.ranking.measure import Measurement, measure
from headstart.records import Extraction, Failure
from headstart.runner.progress import Event, Progress

if TYPE_CHECKING:
    from headstart.sources import Candidate

logger = logging.getLogger(__name__)

LARGE = 10_000_000  # parameters, of which a module is worth looking for at once
LONGEST = 400  # characters of a reason


@dataclass(frozen=True, eq=False)
class Course:
    """What every source of one search goes through alike."""

    target: Target
    groups: np.ndarray  # (n,) jackknife group of each example
    scores: tuple[str, ...]
    seed: int
    device: str
    batch_size: int | None
    cache: Path | None
    max_bad: float
    trust_pickle: bool


def attempt(candidate: "Candidate", course: Course, report: Progress) -> Measurement | Failure:
    """Load, extract, score and release one source.

    Raises:
        TargetError: Too many examples are unreadable: no other source would fare better.
        CacheError: The cached rows cannot be used.
        OutOfTime: `report` raised it, in the middle of the source; rows that are made are in the cache.
    """
    try:
        extraction = _extraction(candidate, course, report)
        return score(extraction, course)
    except (TargetError, CacheError):
        raise
    except HeadstartError as error:
        return Failure(candidate.name, one_line(str(error)))
    finally:
        if (candidate.card.parameters or LARGE) >= LARGE:
            gc.collect()  # modules hold cycles, and two large models may not fit beside each other


def _extraction(candidate: "Candidate", course: Course, report: Progress) -> Extraction:
    """The one place where errors of foreign code are turned into ours.

    Loading and running a model is the model's own code and its libraries', which raise classes of their own that derive
    from nothing narrower than Exception (safetensors, pickle, zlib, httpx do). KeyboardInterrupt is none of them.
    """
    from headstart.extract import extract  # brings torch, which arrays made elsewhere can do without

    report(Event(candidate.name, 0, len(course.target)))
    try:
        source = candidate.load(course.trust_pickle)
        return extract(
            course.target,
            source,
            cache=course.cache,
            device=course.device,
            batch_size=course.batch_size,
            max_bad=course.max_bad,
            progress=report,
        )
    except (HeadstartError, OutOfTime):
        raise
    except Exception as error:
        logger.debug("%s broke", candidate.name, exc_info=True)
        raise HeadstartError(reason(error)) from error


def reason(error: Exception) -> str:
    """A foreign error in one line.

    Example:
        >>> reason(KeyError("head.weight")), reason(RuntimeError("sizes differ\\n  at line 3")), reason(MemoryError())
        ("KeyError: 'head.weight'", 'RuntimeError: sizes differ at line 3', 'it needs more memory than there is')
    """
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    text = one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def one_line(text: str) -> str:
    """Text without line breaks, cut where it becomes a page.

    Example:
        >>> one_line("sizes differ:\\n  3 and 4"), len(one_line("x" * 1000))
        ('sizes differ: 3 and 4', 400)
    """
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def score(extraction: Extraction, course: Course) -> Measurement:
    """The extraction's scores; an example's jackknife group is the same for every source."""
    group_of = dict(zip(course.target.ids, course.groups, strict=True))
    groups = np.array([group_of[name] for name in extraction.ids])
    return measure(
        extraction,
        course.scores,
        groups=np.unique(groups, return_inverse=True)[1],  # without gaps, should a group be unreadable as a whole
        classes=course.target.classes,
        task=course.target.task,
        seed=course.seed,
    )
