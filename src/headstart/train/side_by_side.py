"""Independent pieces of work side by side, one thread of arithmetic each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Piece], Result], pieces: Sequence[Piece], *, small: bool = False) -> list[Result]:
    """`work` of every piece, in order, on as many threads as torch is set to use.

    For many small products this beats sharing each of them among the threads, which then mostly wait for each other. A
    piece that is alone has all threads to itself, unless its products are `small`.

    Example:
        >>> side_by_side(lambda x: x + 1, [1, 2, 3])
        [2, 3, 4]
    """
    threads = torch.get_num_threads()
    if threads == 1 or (len(pieces) == 1 and not small):
        return [work(piece) for piece in pieces]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, pieces))
    finally:
        torch.set_num_threads(threads)  # the workers' setting becomes that of threads yet to come
