"""Several sources over one target: a source that fails becomes a reason, and the others go on."""

import gc
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart.data.target import Target
from headstart.errors import CacheError, HeadstartError, OfflineError, TargetError
from headstart.extract.one_pass import extract
from headstart.records import Extraction, Failure
from headstart.runner.progress import Event, Progress, Stopped, silent
from headstart.sources.adapters import Candidate
from headstart.sources.recall import load_or_recall

logger = logging.getLogger(__name__)
LARGE = 10_000_000  # parameters of a module worth collecting at once


def extract_each(
    target: Target, candidates: Sequence[Candidate], *, progress: Progress = silent, **how: Any
) -> tuple[list[Extraction], list[Failure]]:
    """One forward pass of each source; a source that fails is listed with the reason.

    Args:
        target: The data; pass `target.held()`, so that each example is hashed and decoded once for all sources.
        candidates: The models, as `headstart.sources.candidates` finds them.
        progress: Called with each event; "models" counts the sources.
        how: As in `attempt`.

    Returns:
        The extractions, in the order of the candidates, and the failures.

    Raises:
        TargetError: Too many examples are unreadable, which would fail every source.
        CacheError: The cached rows of a source contradict each other.
    """
    found: list[Extraction] = []
    failures: list[Failure] = []
    for place, candidate in enumerate(candidates):
        progress(Event("models", place, len(candidates)))
        try:
            found.append(attempt(target, candidate, progress=progress, **how))
        except (TargetError, CacheError):
            raise
        except HeadstartError as error:
            failures.append(Failure.of(candidate.name, error))
    progress(Event("models", len(candidates), len(candidates)))
    return found, failures


def attempt(
    target: Target,
    candidate: Candidate,
    *,
    cache: Path | None = None,
    trust_pickle: bool = False,
    progress: Progress = silent,
    **how: Any,
) -> Extraction:
    """One source's forward pass; any error of foreign code becomes one of ours.

    Models and their libraries raise classes that derive from nothing narrower than Exception (safetensors, pickle, zlib
    and httpx do). KeyboardInterrupt is not one of them.

    Args:
        cache: Folder of cached rows; None keeps none.
        trust_pickle: Load checkpoints that can run code.
        how: `device`, `batch_size`, `max_bad` and `precision`, as in `extract`.

    Raises:
        HeadstartError: The source cannot be loaded or run; the text says why.
        Stopped: `progress` raised it; rows made so far are in the cache.
    """
    progress(Event(candidate.name, 0, len(target)))
    large = (candidate.card.parameters or LARGE) >= LARGE
    try:
        return extract(target, load_or_recall(candidate, trust_pickle, cache), cache=cache, progress=progress, **how)
    except OfflineError:
        large = False  # nothing was loaded: a glob may name a thousand such models, and collecting takes 0.2 s
        raise
    except (HeadstartError, Stopped):
        raise
    except MemoryError as error:
        raise HeadstartError("it ran out of memory") from error
    except Exception as error:
        logger.debug("%s failed", candidate.name, exc_info=True)
        text = str(error)
        raise HeadstartError(f"{type(error).__name__}: {text}" if text else type(error).__name__) from error
    finally:
        if large:
            gc.collect()  # modules hold cycles, and two large models may not fit in memory together
