"""One source's arrays and what several scores share of them: each part checked and computed once, on first use."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from headstart.errors import InputError
from headstart.records import ModelCard
from headstart.scores._checks import (
    Labels,
    block_rows,
    check_features,
    check_groups,
    check_labels,
    check_logits,
    check_probs,
    check_targets,
)
from headstart.scores._decomposition import Decomposition, decompose
from headstart.scores._head_counts import (
    PRIOR,
    HeadCounts,
    conditional,
    count_head,
    likelihoods,
    likelihoods_without_own,
)
from headstart.scores._prob_rows import ProbRows
from headstart.tasks import task_of

Shared = TypeVar("Shared")
UNEVEN = 1e8  # ratio of the largest features
SMALL = 1 << 20  # features up to which the examples are put into an order of their own


def _own_order(features: np.ndarray | None, n: int) -> np.ndarray | None:
    """An order of small features that depends on their values only, whatever the order of the caller's rows.

    Rounding depends on the order of sums. Where features are few or take few values, it would decide between equal
    distances, components and penalties.
    """
    array = None if features is None else np.asanyarray(features)
    if array is None or array.ndim != 2 or len(array) != n or not 0 < array.size <= SMALL:
        return None
    if array.dtype.kind not in "fiub":
        return None
    rows = np.ascontiguousarray(array, dtype=np.float64) + 0.0  # no -0.0
    return np.argsort(rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0], kind="stable")


def _all_fit(
    labels: np.ndarray,
    task: str,
    probs: np.ndarray | None,
    logits: np.ndarray | None,
    features: np.ndarray | None,
) -> bool:
    """Whether every array passes its checks."""
    checks = ((probs, check_probs), (logits, check_logits), (features, check_features))
    try:
        n = len(check_targets(labels, task))
        for array, check in checks:
            if array is not None:
                check(array, n)
    except InputError:
        return False
    return True


class Inputs:
    """What a row's `measure` is given. Properties are computed on first use and kept for the next score."""

    def __init__(
        self,
        labels: np.ndarray,
        *,
        groups: np.ndarray | None = None,
        probs: np.ndarray | None = None,
        logits: np.ndarray | None = None,
        features: np.ndarray | None = None,
        card: ModelCard | None = None,
        task: str = "classification",
        seed: int = 0,
    ) -> None:
        self.labels = np.asarray(labels)
        self.n = len(self.labels) if self.labels.ndim else 0
        beside = sum(np.size(one) for one in (probs, logits) if one is not None)
        order = _own_order(features, self.n) if beside <= 4 * SMALL else None
        if order is not None and not _all_fit(self.labels, task, probs, logits, features):
            order = None  # errors name the caller's rows
        self.order = order  # the caller's row behind each row here; None: the same
        if order is not None:
            self.labels = self.labels[order]
            groups, probs, logits, features = (
                one if one is None or np.shape(one)[:1] != (self.n,) else np.ascontiguousarray(np.asarray(one)[order])
                for one in (groups, probs, logits, features)
            )
        self.groups = None if groups is None else check_groups(groups, self.n)  # (n,) codes 0..G-1
        self.group_count = 0 if self.groups is None else int(self.groups.max()) + 1
        self.card = card
        self.task = task_of(task).scored_as  # the built-in kind whose checks and values apply
        self.single_class = task_of(self.task).single_class
        self.seed = seed
        self._shared: dict[str, Any] = {}
        self._given: Mapping[str, np.ndarray | None] = {"probs": probs, "logits": logits, "features": features}

    def given(self, name: str) -> np.ndarray | None:
        """An array as it was given, unchecked."""
        return self._given[name]

    def in_callers_order(self, values: np.ndarray) -> np.ndarray:
        """Rows of a result in the order of the caller's rows."""
        return values if self.order is None else values[np.argsort(self.order)]

    def missing(self, needs: str) -> str | None:
        """Why a score that needs `needs` cannot be had here, or None where it can."""
        if needs == "features" and self._given["features"] is None:
            return "the source gave no features"
        if needs == "probs" and self._given["probs"] is None and self._given["logits"] is None:
            return "the source has no classifier, so there are no probabilities over its classes"
        if needs == "logits" and self._given["logits"] is None:
            return "the source gave no logits"
        if needs == "source":
            return "it compares with labelled examples of the source's own data, which a ranking does not have"
        if needs == "card" and self.card is None:
            return "nothing is known about the source but its arrays"
        return None

    @cached_property
    def classes(self) -> Labels:
        """Class labels as codes; classification only."""
        return check_labels(self.labels)

    @cached_property
    def targets(self) -> np.ndarray:
        """(n, t) float64: one-hot classes, regression targets or indicators."""
        return check_targets(self.labels, self.task)

    @cached_property
    def features(self) -> np.ndarray:
        """(n, d) checked features in their own dtype."""
        return check_features(self._require("features"), self.n)

    @cached_property
    def uneven(self) -> bool:
        """Whether features differ in size so much that rounding, and so the order of rows, may show in a score."""
        step = block_rows(self.features)
        blocks = (np.abs(self.features[at : at + step]).max(axis=0) for at in range(0, self.n, step))
        peaks = np.max([block.astype(np.float64) for block in blocks], axis=0)
        used = peaks[peaks > 0]
        if len(used):  # a dead feature, such as MiniLM's of 1e-33, vanishes beside the others in any sum
            used = used[used > np.median(used) * np.finfo(np.float64).eps]
        return bool(len(used)) and float(used.max() / used.min()) > UNEVEN

    @cached_property
    def decomposition(self) -> Decomposition:
        """The centred features decomposed."""
        return decompose(self.features)

    @cached_property
    def rows(self) -> ProbRows:
        """Source probabilities block by block, from probs or logits."""
        if self._given["probs"] is None:
            return ProbRows(self.logits, logits=True)
        return ProbRows(check_probs(self._given["probs"], self.n))

    @cached_property
    def head(self) -> HeadCounts:
        """Soft counts of (target class, source class) at temperature 1."""
        return count_head(self.rows, self.classes)

    @cached_property
    def table(self) -> np.ndarray:
        """(C, z) probability of each class given each source class, as counted."""
        return conditional(self.head.joint, self.head.mass)

    @cached_property
    def likelihoods(self) -> np.ndarray:
        """(n,) likelihood of each example under that table."""
        return likelihoods(self.head, self.table)

    @cached_property
    def likelihoods_without_own(self) -> np.ndarray:
        """(n,) leave-one-out likelihood of each example, with the usual prior count."""
        return likelihoods_without_own(self.head, PRIOR)

    @cached_property
    def logits_rows(self) -> ProbRows:
        """The same from logits where they are given (they hold more digits), else from probs."""
        if self._given["logits"] is None:
            return self.rows
        return ProbRows(self.logits, logits=True)

    @cached_property
    def probs(self) -> np.ndarray:
        """(n, z) probabilities in memory: the caller's own, or the softmax of the logits. Prefer `rows`."""
        if not self.rows.logits:
            return self.rows.array
        block = self.rows.block(slice(None))
        return np.asarray(block / block.sum(axis=1, keepdims=True))

    @cached_property
    def logits(self) -> np.ndarray:
        """(n, z) checked logits in their own dtype."""
        return check_logits(self._require("logits"), self.n)

    def array(self, needs: str) -> np.ndarray:
        """The checked array that a score with these needs is called with."""
        if needs == "features":
            return self.features
        return self.logits if needs == "logits" else self.probs

    def once(self, name: str, compute: Callable[[], Shared]) -> Shared:
        """What `compute` returns, computed for the first score that asks for `name` and kept for the others."""
        if name not in self._shared:
            self._shared[name] = compute()
        kept: Shared = self._shared[name]
        return kept

    def sample(self, most: int, score: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Rows for a score whose time grows with the square of n: at most `most`, and a note if that is not all.

        They are drawn by the seed and n alone, so every source is measured on the same examples.
        """
        if self.n <= most:
            return np.arange(self.n), ()
        rows = np.sort(np.random.default_rng([self.seed, self.n]).choice(self.n, most, replace=False))
        return rows, (f"{score} uses {most:,} of the {self.n:,} examples, drawn at random: its time grows with n^2",)

    @cached_property
    def largest_group(self) -> int:
        """Examples in the largest group; 0 without groups."""
        return 0 if self.groups is None else int(np.bincount(self.groups).max())

    def kept(self, group: int) -> np.ndarray:
        """Rows that are not in `group`."""
        assert self.groups is not None, "only asked for when there are groups"
        return np.flatnonzero(self.groups != group)

    def _require(self, name: str) -> np.ndarray:
        value = self._given[name]
        if value is None:
            raise InputError(f"this score needs `{name}`, and none were given.")
        return value
