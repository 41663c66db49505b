"""How many threads a piece of work has."""

import torch

from headstart.train.side_by_side import side_by_side


def _threads(_: int) -> int:
    return torch.get_num_threads()


def test_a_lone_piece_has_all_threads_unless_it_is_small() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert side_by_side(_threads, [0]) == [2]
        assert side_by_side(_threads, [0], small=True) == [1]
        assert side_by_side(_threads, [0, 1]) == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
