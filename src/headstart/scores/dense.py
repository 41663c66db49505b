"""Labels for pixels and tokens: flatten to one row per labelled position, and keep which image or sentence it is of.

Positions of one image are not independent: leaving out one pixel leaves its neighbours in. Scores that leave examples
out, and every interval, therefore leave out by `groups`: pass them to `leep_loo(..., groups=...)` and `evaluate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.errors import InputError

Channels = Literal["first", "last"]


@dataclass(frozen=True, eq=False)
class DenseRows:
    """Labelled positions as rows, ready for any score."""

    rows: Float[np.ndarray, "p k"]  # the source's outputs or features at each kept position
    labels: Shaped[np.ndarray, " p"]
    groups: Int[np.ndarray, " p"]  # number of the image or sentence each position is of


def pixel_rows(
    outputs: Float[np.ndarray, "n _ _ _"],
    labels: Shaped[np.ndarray, "n h w"],
    *,
    channels: Channels = "first",
    ignore: int | None = 255,
    per_image: int | None = None,
    seed: int = 0,
) -> DenseRows:
    """Rows of a dense prediction: one per labelled pixel.

    Args:
        outputs: (n, k, h, w), or (n, h, w, k) with channels "last": probabilities, logits or features of each pixel.
            Bring labels to the resolution of the outputs first (nearest neighbour), not the other way round.
        ignore: Label of pixels that do not count; None counts all.
        per_image: The most pixels kept per image, drawn at random; None keeps all. Neighbouring pixels are alike, so a
            few hundred per image are usually enough.

    Example:
        >>> probs = np.full((2, 3, 1, 2), 1 / 3)
        >>> dense = pixel_rows(probs, np.array([[[0, 1]], [[255, 1]]]))
        >>> dense.rows.shape, dense.labels.tolist(), dense.groups.tolist()
        ((3, 3), [0, 1, 1], [0, 0, 1])
    """
    outputs, labels = np.asanyarray(outputs), np.asarray(labels)
    if channels not in ("first", "last"):
        raise InputError(f'`channels` must be "first" or "last"; got {channels!r}.')
    if outputs.ndim != 4 or labels.ndim != 3:
        raise InputError(
            f"`outputs` must have four axes and `labels` three (images, rows, columns); got {outputs.shape} and "
            f"{labels.shape}."
        )
    if channels == "first":
        outputs = np.moveaxis(outputs, 1, -1)
    if outputs.shape[:3] != labels.shape:
        raise InputError(
            f"`outputs` cover {outputs.shape[:3]} (images, rows, columns) and `labels` {labels.shape}; resize the "
            f"labels to the outputs, or check channels={channels!r}."
        )
    flat = labels.reshape(len(labels), -1)
    return _gather(
        [outputs[i].reshape(flat.shape[1], -1) for i in range(len(flat))], list(flat), ignore, per_image, seed
    )


def token_rows(
    outputs: Sequence[Float[np.ndarray, "_ k"]],
    labels: Sequence[Shaped[np.ndarray, " _"]],
    *,
    ignore: int | None = -100,
    per_sentence: int | None = None,
    seed: int = 0,
) -> DenseRows:
    """Rows of a token-level prediction: one per labelled token, sentences of any length.

    Args:
        outputs: One (tokens, k) array for each sentence, or an (n, tokens, k) array.
        labels: One (tokens,) array for each sentence; padding carries `ignore`.
        ignore: Label of tokens that do not count (padding, word pieces); None counts all.
        per_sentence: The most tokens kept per sentence, drawn at random; None keeps all.

    Example:
        >>> dense = token_rows([np.ones((2, 3)), np.ones((1, 3))], [np.array([4, -100]), np.array([5])])
        >>> dense.labels.tolist(), dense.groups.tolist()
        ([4, 5], [0, 1])
    """
    if len(outputs) != len(labels):
        raise InputError(f"`outputs` has {len(outputs)} sentences and `labels` {len(labels)}; give one of each.")
    arrays, codes = [np.asanyarray(part) for part in outputs], [np.asarray(part) for part in labels]
    for i, (part, code) in enumerate(zip(arrays, codes, strict=True)):
        if part.ndim != 2 or code.shape != part.shape[:1]:
            raise InputError(
                f"sentence {i}: `outputs` must be (tokens, k) and `labels` (tokens,); got {part.shape} and "
                f"{code.shape}."
            )
    return _gather(arrays, codes, ignore, per_sentence, seed)


def _gather(
    outputs: Sequence[np.ndarray], labels: Sequence[np.ndarray], ignore: int | None, most: int | None, seed: int
) -> DenseRows:
    if most is not None and most < 1:
        raise InputError(f"at least one position of each image or sentence must be kept; got {most}.")
    rng = np.random.default_rng(seed)
    rows, kept_labels, groups = [], [], []
    for group, (part, code) in enumerate(zip(outputs, labels, strict=True)):
        kept = np.arange(len(code)) if ignore is None else np.flatnonzero(code != ignore)
        if most is not None and len(kept) > most:
            kept = np.sort(rng.choice(kept, most, replace=False))
        rows.append(part[kept])
        kept_labels.append(code[kept])
        groups.append(np.full(len(kept), group))
    if sum(map(len, groups)) == 0:
        raise InputError(f"every position carries the label {ignore} that does not count; check `ignore`.")
    return DenseRows(np.concatenate(rows), np.concatenate(kept_labels), np.concatenate(groups))
