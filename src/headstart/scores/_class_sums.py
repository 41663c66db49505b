"""Sums of rows by class, the step that turns n x n and n z C products into n d ones."""

import numpy as np

from headstart.scores import _kernels
from headstart.scores._checks import block_rows


def class_sums(rows: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    """Sum of the rows of each class, (count, d) in float64, whatever the dtype of `rows`.

    Example:
        >>> class_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0]), 2).ravel()
        array([5., 2.])
    """
    total, ones = np.zeros((count, rows.shape[1])), np.ones(len(rows))
    step = block_rows(rows)
    for start in range(0, len(rows), step):
        block = np.ascontiguousarray(rows[start : start + step])
        if block.dtype not in (np.float32, np.float64):
            block = block.astype(np.float64)
        _kernels.count_scaled(block, codes[start : start + step], ones, total)
    return total


def in_class_order(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The order (n,) that puts each class in one run, and where the runs begin and end, (count + 1,).

    Example:
        >>> order, edges = in_class_order(np.array([1, 0, 1]), 2)
        >>> order.tolist(), edges.tolist()
        ([1, 0, 2], [0, 1, 3])
    """
    order = np.argsort(codes, kind="stable")
    return order, np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=count))])
