"""The abstract's claims beside obtained rows."""

from headstart.experiments import paper
from headstart.experiments.claims import claims_grid
from headstart.experiments.correlate import Coefficient
from headstart.experiments.table import Line


def line(name: str, leep: float, nce: float, h: float | None, *, low: float = 0.1, tasks: int = 200) -> Line:
    row = next(row for row in paper.ROWS if row.name == name)
    values = {"leep": (leep, low), "nce": (nce, 0.0), "h_score": (h, 0.0)}
    found = {key: None if value is None else Coefficient(value, 0.0, low, 1.0) for key, (value, low) in values.items()}
    return Line(row, "net", "data", "net on data", tasks, (), found, {}, {}, None, 0.5, 1.0)


def test_each_claim_is_counted_over_the_rows_with_tasks_enough() -> None:
    grid = claims_grid(
        [
            line("cifar100/imagenet/large/head", 0.9, 0.8, 0.6),
            line("cifar100/imagenet/small/head", 0.52, 0.3, 0.4),  # +30 % over the better
            line("cifar100/cifar10/small/head", 0.9, 0.1, None),  # gains most, but is not of the claim
            line("fashion-mnist/cifar10/imbalanced/head".replace("fashion-mnist", "cifar100"), 0.2, 0.3, 0.1, low=-0.1),
            line("cifar100/imagenet/imbalanced/head", -0.5, 0.9, 0.9, tasks=19),
        ]
    )
    assert grid is not None
    assert [cells[2] for cells in grid.cells] == [
        "in 3 of 4 rows",
        "in 2 of 3 rows",
        "in 3 of 4 rows",
        "up to +30 % (net on data, small, head)",
    ]
    assert grid.cells[3][1] == "up to +30 %"


def test_coefficients_below_zero_have_no_ratio_and_few_tasks_no_grid() -> None:
    grid = claims_grid([line("cifar100/imagenet/large/head", 0.9, -0.2, -0.3)])
    assert grid is not None
    assert [cells[2] for cells in grid.cells] == ["in 1 of 1 row", "-", "in 1 of 1 row", "-"]
    assert claims_grid([line("cifar100/imagenet/large/head", 0.9, 0.8, 0.7, tasks=19)]) is None
