"""What the paper's abstract claims, beside what the rows of a table say: the expectations that are public."""

from collections.abc import Callable, Sequence

from headstart.experiments.grid import MISSING, Grid, counted
from headstart.experiments.table import PAPER_SCORES, Line

LEAST = 20  # tasks of a row; the coefficient of fewer may be anything
CLAIMED_GAIN = "up to +30 %"  # "up to 30% improvement compared to the best competing method", ImageNet to CIFAR100


def claims_grid(lines: Sequence[Line]) -> Grid | None:
    """Each claim of the abstract with what was obtained on it; None where no row has tasks enough."""
    found = [line for line in lines if line.tasks >= LEAST and line.coefficients["leep"] is not None]
    if not found:
        return None
    small = [line for line in found if line.row.setting != "large"]
    rivals = [line for line in found if _best_other(line) is not None]
    cells = (
        ("LEEP predicts the outcome", "in every row", _share(found, _positive)),
        ("also on small and imbalanced data", "in every row", _share(small, _positive)),
        ("LEEP is above NCE and H-score", "in every row", _share(rivals, lambda line: _gain(line) > 0)),
        ("its gain over the better of the two, ImageNet to CIFAR-100", CLAIMED_GAIN, _largest_gain(rivals)),
    )
    notes = (
        f"of the rows with {LEAST} tasks or more; predicts: the 95 % interval of Pearson's coefficient lies above 0",
        "claims: the abstract of arXiv:2002.12462; `in every row` is how its words read, not a number of the paper",
        "gain: LEEP's coefficient over that of the better of NCE and H-score (an H-score that does not vary is left "
        "out), minus 1; stand-ins count as what they stand for",
    )
    return Grid("What the abstract claims", ("claim", "expected", "obtained"), cells, notes, text_columns=3)


def _positive(line: Line) -> bool:
    leep = line.coefficients["leep"]
    return leep is not None and leep.low > 0


def _best_other(line: Line) -> float | None:
    """The higher coefficient of NCE and H-score, where there is one."""
    others = [line.coefficients[name] for name in PAPER_SCORES if name != "leep"]
    values = [other.value for other in others if other is not None]
    return max(values) if values else None


def _gain(line: Line) -> float:
    leep, other = line.coefficients["leep"], _best_other(line)
    assert leep is not None
    assert other is not None
    return leep.value - other


def _largest_gain(rivals: Sequence[Line]) -> str:
    """In words, where LEEP gains most on the row that the claim is about; coefficients below 0 have no ratio."""
    of_claim = [line for line in rivals if line.row.source == "imagenet" and line.row.target == "cifar100"]
    ratios = [
        (_gain(line) / other, line) for line in of_claim if (other := _best_other(line)) is not None and other > 0
    ]
    if not ratios:
        return MISSING
    gain, line = max(ratios, key=lambda pair: pair[0])
    return f"up to {100 * gain:+.0f} % ({line.used}, {line.row.setting}, {line.row.method})"


def _share(lines: Sequence[Line], holds: Callable[[Line], bool]) -> str:
    if not lines:
        return MISSING
    return f"in {sum(map(holds, lines))} of {counted(len(lines), 'row')}"
