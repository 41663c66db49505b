"""Nearest neighbours by exact distance: candidates from a fast product, then sorted by distances taken one by one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Float32, Int

from headstart.scores._compiled import compiled
from headstart.scores._threads import one_matrix_thread, thread_count

TILE = 1024  # examples a side of one block of approximate distances: 4 MB
BLOCK = 2048  # examples whose candidates are sorted at one time
ROUNDING = 4e-6  # bound on the error of an approximate squared distance between points of length at most 1


def neighbours(
    points: Float[np.ndarray, "n d"], wanted: int
) -> Iterator[tuple[slice, Int[np.ndarray, "b w"], Float[np.ndarray, "b w"], Float[np.ndarray, " b"]]]:
    """For blocks of examples: their nearest others, the squared distances, nearest first, and a radius.

    All neighbours nearer than the radius are listed; it is infinite where all others are. Equal distances are exactly
    equal, whatever the order of the examples, since each is computed by itself in float64.
    """
    n = len(points)
    wanted = min(wanted, n - 1)
    small, unit = _small(points)
    near, edge = _candidates(small, wanted)
    for start in range(0, n, BLOCK):
        block = slice(start, min(start + BLOCK, n))
        exact = np.empty(near[block].shape)
        _distances(points, np.arange(block.start, block.stop), near[block], exact)
        order = np.argsort(exact, axis=1)
        radius = np.full(len(exact), np.inf) if wanted == n - 1 else (edge[block] - ROUNDING) * unit**2
        yield block, np.take_along_axis(near[block], order, axis=1), np.take_along_axis(exact, order, axis=1), radius


def _candidates(
    small: Float32[np.ndarray, "n d"], wanted: int
) -> tuple[Int[np.ndarray, "n w"], Float[np.ndarray, " n"]]:
    """The `wanted` others that are nearest by float32 distances, and the largest of these distances.

    A product of two blocks of examples serves both: only blocks on and above the diagonal are made. Each thread makes
    one, without the matrix library's own threads, which would go on spinning; then all choose from each, with rows and
    columns of their own.
    """
    n = len(small)
    lengths = np.einsum("ij,ij->i", small, small)
    near = np.zeros((n, wanted), dtype=np.int64)
    rough = np.full((n, wanted), np.inf, dtype=np.float32)  # each lacks the example's own length, which orders nothing
    worst = np.zeros(n, dtype=np.int64)  # where in `rough` the largest stands
    threads = thread_count()
    corners = [(top, left) for top in range(0, n, TILE) for left in range(top, n, TILE)]

    def product(corner: tuple[int, int]) -> np.ndarray:
        top, left = corner
        return np.asarray(small[top : top + TILE] @ small[left : left + TILE].T)

    with one_matrix_thread(), ThreadPoolExecutor(threads) as pool:
        for at in range(0, len(corners), threads):
            tiles = list(pool.map(product, corners[at : at + threads]))
            for tile, (top, left) in zip(tiles, corners[at : at + threads], strict=True):
                jobs = [
                    pool.submit(_choose, tile, top, left, lengths, mine, threads, near, rough, worst)
                    for mine in range(threads)
                ]
                for job in jobs:
                    job.result()
    return near, rough.max(axis=1).astype(np.float64) + lengths


@compiled
@no_type_check
def _choose(tile, top, left, lengths, mine, threads, near, rough, worst):
    """Offer a tile's columns to its rows as neighbours, and off the diagonal its rows to its columns.

    This call serves rows `mine`, `mine` + `threads`, ... and one run of columns, which no other call touches.
    """
    for i in range(mine, tile.shape[0], threads):
        row = top + i
        bar = rough[row, worst[row]]
        for j in range(tile.shape[1]):
            value = lengths[left + j] - 2 * tile[i, j]
            if value < bar and row != left + j:
                bar = _replace(row, left + j, value, near, rough, worst)
    if top == left:
        return
    first = tile.shape[1] * mine // threads
    last = tile.shape[1] * (mine + 1) // threads
    for i in range(tile.shape[0]):
        for j in range(first, last):
            value = lengths[top + i] - 2 * tile[i, j]
            if value < rough[left + j, worst[left + j]]:
                _replace(left + j, top + i, value, near, rough, worst)


@compiled
@no_type_check
def _replace(row, other, value, near, rough, worst):
    """Put a nearer neighbour in the place of the farthest one; return the distance of the one now farthest."""
    near[row, worst[row]] = other
    rough[row, worst[row]] = value
    farthest = 0
    for k in range(1, rough.shape[1]):
        if rough[row, k] > rough[row, farthest]:
            farthest = k
    worst[row] = farthest
    return rough[row, farthest]


def all_neighbours(points: Float[np.ndarray, "n d"], row: int) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """All other examples, nearest first, with their squared distances."""
    others = np.delete(np.arange(len(points)), row)[None]
    exact = np.empty(others.shape)
    _distances(points, np.array([row]), others, exact)
    order = np.argsort(exact[0])
    return others[0][order], exact[0][order]


def _small(points: Float[np.ndarray, "n d"]) -> tuple[Float32[np.ndarray, "n d"], float]:
    """The points around their mean in float32, the longest of length 1, and the length that was."""
    centred = points - points.mean(axis=0, dtype=np.float64).astype(points.dtype)
    unit = float(np.sqrt(np.einsum("ij,ij->i", centred, centred, dtype=np.float64).max()))
    return (centred / (unit or 1.0)).astype(np.float32, copy=False), unit


@compiled
@no_type_check
def _distances(points, rows, others, out):
    """out[a, b] = squared distance between points rows[a] and others[a, b]."""
    for a in range(others.shape[0]):
        one = points[rows[a]]
        for b in range(others.shape[1]):
            other = points[others[a, b]]
            total = 0.0
            for k in range(one.size):
                step = np.float64(one[k]) - np.float64(other[k])
                total += step * step
            out[a, b] = total
