"""The abstract's claims beside obtained rows."""

from tests.paper.conftest import cells

from headstart_paper.claims import claims_table
from headstart_paper.correlate import Coefficient
from headstart_paper.paper import ROWS, UNPRINTED
from headstart_paper.table import Line


def line(name: str, leep: float, nce: float, h: float | None, *, low: float = 0.1, tasks: int = 200) -> Line:
    values = {"leep": (leep, low), "nce": (nce, nce - 0.1), "h_score": (h, (h or 0) - 0.1)}
    found = {key: None if value is None else Coefficient(value, 0.0, low, 1.0) for key, (value, low) in values.items()}
    return Line(ROWS[name], "net", "CIFAR-100", tasks, (), found, {}, {}, None, 1.0)


def test_each_claim_is_counted_over_the_rows_with_tasks_enough() -> None:
    grid = claims_table(
        [
            line("cifar100/imagenet/large/head", 0.9, 0.8, 0.6),
            line("cifar100/imagenet/small/head", 0.52, 0.3, 0.4),  # +30 % over the better
            line("cifar100/cifar10/small/head", 0.9, 0.1, None),  # gains most, but is not of the claim
            line("cifar100/cifar10/imbalanced/head", 0.2, 0.3, 0.1, low=-0.1),
            line("cifar100/imagenet/imbalanced/head", -0.5, 0.9, 0.9, tasks=19),
            line("cifar100/imagenet/imbalanced/fine-tune", 0.2, 0.05, 0.01),  # four times what may be 0
            line(UNPRINTED[0], -0.5, 0.9, 0.9),  # not in the paper
        ]
    )
    assert grid
    assert [row[2] for row in cells(grid)] == [
        "in 4 of 5 lines",
        "in 3 of 4 lines",
        "in 4 of 5 lines",
        "in 4 of 4 lines",
        "up to +30 % (net on CIFAR-100, small, head)",
    ]
    assert cells(grid)[4][1] == "up to +30 %"


def test_coefficients_below_zero_have_no_ratio_and_few_tasks_no_grid() -> None:
    grid = claims_table([line("cifar100/imagenet/large/head", 0.9, -0.2, -0.3)])
    assert grid
    assert [row[2] for row in cells(grid)] == ["in 1 of 1 line", "-", "in 1 of 1 line", "in 1 of 1 line", "-"]
    assert claims_table([line("cifar100/imagenet/large/head", 0.9, 0.8, 0.7, tasks=19)]) == []
