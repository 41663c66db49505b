"""The abstract's claims beside obtained rows."""

import numpy as np
from tests.paper.conftest import cells

from headstart_paper.claims import claims_table
from headstart_paper.correlate import Coefficient
from headstart_paper.paper import ROWS, UNPRINTED
from headstart_paper.selection import Choice
from headstart_paper.table import Line


def line(
    name: str, leep: float, nce: float, h: float | None, *, low: float = 0.1, tasks: int = 200, data: str = "CIFAR-100"
) -> Line:
    values = {"leep": (leep, low), "nce": (nce, nce - 0.1), "h_score": (h, (h or 0) - 0.1)}
    found = {key: None if value is None else Coefficient(value, 0.0, low, 1.0) for key, (value, low) in values.items()}
    return Line(ROWS[name], "net", data, tasks, (), found, {}, {}, None, 1.0)


def test_the_printed_counts_are_those_of_the_papers_text() -> None:
    grid = claims_table([line("cifar100/imagenet/large/head", 0.9, 0.8, 0.6)])
    printed = [row[1].partition(" (")[0] for row in cells(grid)]
    counts = ["4 of 4", "6 of 6", "8 of 8", "19 of 21", "14 of 21", "9 of 21", "4 of 4"]
    assert printed == [*(f"in {count} rows" for count in counts), "up to +30 %"]


def test_each_claim_is_counted_over_the_rows_with_tasks_enough() -> None:
    grid = claims_table(
        [
            line("cifar100/imagenet/large/head", 0.95, 0.8, 0.6),
            line("cifar100/imagenet/small/head", 0.52, 0.3, 0.4),  # +30 % over the better
            line("cifar100/cifar10/small/head", 0.9, 0.1, None),  # gains most, but is not of the claim
            line("cifar100/cifar10/imbalanced/head", 0.2, 0.3, 0.1, low=-0.1),
            line("cifar100/imagenet/imbalanced/head", -0.5, 0.9, 0.9, tasks=19),
            line("cifar100/imagenet/imbalanced/fine-tune", 0.2, 0.05, 0.01),  # four times what may be 0
            line("cifar100/cifar10/large/head", 0.9, 0.9, -0.8, data="Groceries"),
            line(UNPRINTED[0], -0.5, 0.9, 0.9),  # not in the paper
        ]
    )
    here = [(row[2].partition(" (")[0], row[3].partition(" (")[0]) for row in cells(grid)]
    assert here == [
        ("in 1 of 1 row", "in 1 of 2 rows"),
        ("in 2 of 2 rows", "in 2 of 2 rows"),
        ("in 0 of 2 rows", "in 0 of 2 rows"),
        ("in 4 of 5 rows", "in 5 of 6 rows"),
        ("in 5 of 5 rows", "in 6 of 6 rows"),
        ("in 1 of 5 rows", "in 1 of 6 rows"),
        ("in 1 of 1 row", "in 1 of 2 rows"),
        ("up to +30 %", "up to +30 %"),
    ]
    assert cells(grid)[0][3].endswith("(not cifar100/cifar10/large/head)")


def test_coefficients_below_zero_have_no_ratio_and_few_tasks_no_grid() -> None:
    (*_, gain) = cells(claims_table([line("cifar100/imagenet/large/head", 0.9, -0.2, -0.3)]))
    assert gain[2:] == ("-", "-")
    assert claims_table([line("cifar100/imagenet/large/head", 0.9, 0.8, 0.7, tasks=19)]) == []


def test_a_selection_names_the_scores_that_predict() -> None:
    outcomes = np.linspace(0.2, 0.8, 8)
    noise = np.array([0.1, -0.1] * 4)
    scores = {
        "leep": outcomes + noise / 10,
        "h_score": -outcomes,
        "source_accuracy": np.array([np.nan] * 5 + [0.1] * 3),
    }
    choice = Choice("CIFAR-100", "CIFAR-100", 100, tuple("abcdefgh"), outcomes, scores, "fine-tune")
    (row,) = cells(claims_table([], [choice]))
    assert row[:3] == ("figure 9b: what predicts fine-tuning (CIFAR-100)", "nothing predicts it well", "-")
    assert row[3].startswith("LEEP, among 8: LEEP 1.00 (")
