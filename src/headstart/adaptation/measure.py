"""What one run answers on both domains, and what the criteria say of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from headstart.adaptation import criteria
from headstart.adaptation.method import Domains, OnFeatures, domains
from headstart.adaptation.methods.importance import density_ratio
from headstart.adaptation.opening import Opened
from headstart.data.target import Target
from headstart.errors import InputError
from headstart.extract import extract, pick_device
from headstart.records import Extraction
from headstart.sources.source import Source
from headstart.tasks import task_of
from headstart.transfers import Run


@dataclass(frozen=True, eq=False)
class Seen:
    """How to get features of both domains from a source; rows in the cache are not computed again."""

    opened: Opened
    cache: Path
    device: str
    seed: int

    def domains(self, source: Source) -> Domains:
        """A source's features of both domains.

        Raises:
            InputError: Those of a domain do not vary.
        """
        parts = self.opened.parts
        assert parts.unlabelled is not None, "the domains were opened together"
        old, new = (self.extraction(target, source) for target in (parts.together, parts.unlabelled))
        found = domains(old, new, parts.train.classes, seed=self.seed)
        for name, rows in ((parts.train.name, found.features), (parts.unlabelled.name, found.new)):
            if not np.ptp(rows, axis=0).any():
                raise InputError(
                    f"{source.name} gives the same features for every example of {name}; check those data, or leave "
                    "the model out."
                )
        return found

    def features(self, target: Target, source: Source) -> np.ndarray:
        """Features (n, d) of a target."""
        return np.asarray(self.extraction(target, source).features, dtype=np.float64)

    def weights(self, source: Source, both: Domains) -> np.ndarray:
        """How much each held-out labelled example (n,) looks like the new domain."""
        return density_ratio(both.features, both.new, self.features(self.opened.kept, source), seed=self.seed)

    def extraction(self, target: Target, source: Source) -> Extraction:
        """One forward pass."""
        return extract(target, source, cache=self.cache, device=self.device)


@dataclass(frozen=True, eq=False)
class Measured:
    """One run, its answers on the new domain, and the criteria that need no other run."""

    run: Run
    name: str  # of the source, and of the labelled domain where there are several
    folder: Path | None
    kept: float  # accuracy on held-out labelled examples
    answers: np.ndarray  # (m,) codes, on the new domain
    criteria: dict[str, float]


def measure(run: Run, name: str, folder: Path | None, seen: Seen, both: Domains, weights: np.ndarray) -> Measured:
    """Ask a run for its answers on both domains.

    Args:
        run: One method with one seed.
        name: What its source is called in the table.
        folder: Where it was kept.
        seen: For its source's features.
        both: The features of both domains before any adaptation.
        weights: Of the held-out labelled examples, also before any.
    """
    opened, method = seen.opened, run.method
    new, labels = opened.parts.unlabelled, opened.kept.labels
    assert new is not None, "the domains were opened together"
    if isinstance(method, OnFeatures):
        both = both if method.layer is None else seen.domains(run.source)
        held_out = seen.features(opened.kept, run.source)
        moved = method.moved(both, held_out)
        kept, as_new, other = (_answers(run, rows) for rows in (held_out, moved, both.new))
        if method.layer is not None or moved is not held_out:
            weights = density_ratio(method.moved(both, both.features), both.new, moved, seed=seen.seed)
    else:
        kept = as_new = _whole(run, opened.kept, seen.device)
        other = _whole(run, new, seen.device)
    found = {
        "source-risk": criteria.source_risk(as_new, labels),
        "importance-weighted": criteria.source_risk(as_new, labels, weights),
        "entropy": criteria.certainty(other),
        "density": criteria.neighbourhood_density(other),
    }
    return Measured(run, name, folder, criteria.source_risk(kept, labels), other.argmax(axis=1), found)


def _answers(run: Run, features: np.ndarray) -> np.ndarray:
    """Probabilities (n, C) of a solved head on features."""
    with torch.inference_mode():
        outputs = run.network.head(torch.tensor(features, dtype=torch.float32)).numpy()
    return task_of(run.outcome.task).answers(outputs)


def _whole(run: Run, target: Target, device: str) -> np.ndarray:
    """Probabilities (n, C) of a trained network on examples."""
    return task_of(target.task).answers(run.answer(target, device=pick_device(device)))
