"""What a pass leaves as an `Extraction`; where the cache holds all rows, without a network and without torch."""

from pathlib import Path

import numpy as np

from headstart.data.skips import Skips
from headstart.data.target import Target
from headstart.errors import TargetError
from headstart.extract.feed import workers
from headstart.extract.sinks import CacheSink, MemorySink
from headstart.records import Extraction
from headstart.sources.adapters import Candidate
from headstart.sources.known import Facts, known_facts

UNKNOWN = 0.01  # share of unknown tokens from which it is worth a note


def key_of(fingerprint: str, precision: str) -> str:
    """What the rows of a source are kept by: those of another arithmetic apart."""
    return fingerprint if precision == "fp32" else f"{fingerprint}-{precision}"


def from_cache(
    target: Target, candidate: Candidate, *, cache: Path, max_bad: float, trust_pickle: bool, precision: str = "fp32"
) -> Extraction | None:
    """The extraction of a source that `cache` knows, with the rows of all readable examples; else None.

    Raises:
        TargetError: More examples are unreadable than `max_bad` allows, or all are.
        CacheError: Cached rows of this source contradict each other, or were cleared meanwhile.
    """
    facts = known_facts(candidate, trust_pickle, cache)
    if facts is None or facts.card.kind != target.kind:
        return None
    skips = Skips(target, max_bad)
    with workers() as pool:
        sink = CacheSink(target, cache, key_of(facts.fingerprint, precision), pool, skips.add)
    return None if len(sink.missing()) else assembled(target, facts, sink, skips)


def assembled(
    target: Target,
    facts: Facts,
    sink: CacheSink | MemorySink,
    skips: Skips,
    *,
    seconds: float = 0.0,
    computed: int = 0,
    engine: str = "",
    notes: tuple[str, ...] = (),
) -> Extraction:
    """The rows of the readable examples with all that belongs to them.

    Raises:
        TargetError: No example can be read.
    """
    kept = np.array([index for index in range(len(target)) if index not in skips.reasons], dtype=np.int64)
    if kept.size == 0:
        raise TargetError(f"none of the {len(target)} examples of {target.name} can be read, so nothing can be scored.")
    rows = sink.rows(kept)
    lost = lost_tokens(rows["tokens"]) if "tokens" in rows else ()
    return Extraction(
        source=facts.card.name,
        labels=target.labels[kept],
        ids=tuple(target.ids[index] for index in kept),
        features=rows["features"],
        logits=rows.get("logits"),
        source_classes=facts.classes,
        card=facts.card,
        layer=facts.layer,
        fingerprint=facts.fingerprint,
        seconds=seconds,
        computed=computed,
        skipped=skips.by_id(),
        engine=engine,
        notes=(*facts.notes, *notes, *sink.notes, *lost),
    )


def lost_tokens(counts: np.ndarray) -> tuple[str, ...]:
    """Notes on what a model cannot see of texts.

    Args:
        counts: (n, 3): 1 for a text that is cut, its unknown tokens, its tokens.

    Example:
        >>> lost_tokens(np.array([[1, 0, 256], [0, 64, 256]]))[0]
        '1 of 2 texts is longer than the 256 tokens it reads; the rest of them is cut'
    """
    cut, notes = counts[:, 0] > 0, []
    if cut.any():
        notes.append(
            f"{cut.sum():,} of {len(cut):,} texts {'is' if cut.sum() == 1 else 'are'} longer than the "
            f"{counts[cut, 2].max():.0f} tokens it reads; the rest of them is cut"
        )
    if (share := counts[:, 1].sum() / max(1, counts[:, 2].sum())) >= UNKNOWN:
        notes.append(
            f"{share:.0%} of the tokens are unknown to its tokenizer, which was perhaps made for another language"
        )
    return tuple(notes)
