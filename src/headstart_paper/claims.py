"""What the paper's abstract claims, beside what the rows of a table say: the expectations that are public."""

from collections.abc import Callable, Sequence

from headstart.records import View, titled
from headstart.wording import MISSING, plural
from headstart_paper.correlate import Coefficient
from headstart_paper.table import PAPER_SCORES, Line

LEAST = 20  # tasks of a row; the coefficient of fewer may be anything
CLAIMED_GAIN = "up to +30 %"  # "up to 30% improvement compared to the best competing method", ImageNet to CIFAR100


def claims_table(lines: Sequence[Line]) -> View:
    """Each claim of the abstract with what was obtained on it; empty where no line has enough tasks."""
    of_paper = [line for line in lines if line.row.in_paper and line.tasks >= LEAST]
    found = [line for line in of_paper if line.coefficients["leep"] is not None]
    if not found:
        return []
    small = [line for line in found if line.row.setting != "large"]
    rivals = [line for line in found if _best_other(line) is not None]
    cells = (
        ("LEEP predicts the outcome", "in 21 of 21 lines", _share(found, _positive)),
        ("also on small and imbalanced data", "in 17 of 17 lines", _share(small, _positive)),
        ("LEEP is at least NCE", "in 19 of 21 lines", _share(*_beside(found, "nce"))),
        ("LEEP is at least H-score", "in 14 of 21 lines", _share(*_beside(found, "h_score"))),
        ("its gain over the better of the two, ImageNet to CIFAR-100", CLAIMED_GAIN, _largest_gain(rivals)),
    )
    notes = (
        f"of the lines above with {LEAST} tasks or more, but for those marked *; predicts: the 95 % interval of "
        "Pearson's coefficient lies above 0",
        "printed: counted in the printed Table 1",
        "gain: LEEP's coefficient over that of the better of NCE and H-score (an H-score that does not vary is left "
        "out), minus 1, where the interval of the latter lies above 0; stand-ins count as what they stand for",
    )
    return titled("What the paper claims", ("claim", "printed", "obtained"), cells, notes, words=3)


def _beside(found: Sequence[Line], name: str) -> tuple[list[Line], Callable[[Line], bool]]:
    """The lines that have this other score, and whether LEEP's coefficient is at least as high in one."""
    there = [line for line in found if line.coefficients[name] is not None]
    return there, lambda line: line.coefficients["leep"].value >= line.coefficients[name].value


def _positive(line: Line) -> bool:
    leep = line.coefficients["leep"]
    return leep is not None and leep.low > 0


def _best_other(line: Line) -> Coefficient | None:
    """The higher of the coefficients of NCE and H-score, where there is one."""
    others = [line.coefficients[name] for name in PAPER_SCORES if name != "leep"]
    return max((other for other in others if other is not None), key=lambda other: other.value, default=None)


def _gain(line: Line) -> float:
    leep, other = line.coefficients["leep"], _best_other(line)
    assert leep is not None
    assert other is not None
    return leep.value - other.value


def _largest_gain(rivals: Sequence[Line]) -> str:
    """In words, where LEEP gains most on the rows that the claim is about; what may be 0 or less has no ratio."""
    of_claim = [line for line in rivals if line.row.source == "imagenet" and line.row.target == "cifar100"]
    others = [(line, other) for line in of_claim if (other := _best_other(line)) is not None and other.low > 0]
    if not others:
        return MISSING
    gain, line = max(((_gain(line) / other.value, line) for line, other in others), key=lambda pair: pair[0])
    return f"up to {100 * gain:+.0f} % ({line.used}, {line.row.setting}, {line.row.method})"


def _share(lines: Sequence[Line], holds: Callable[[Line], bool]) -> str:
    if not lines:
        return MISSING
    return f"in {sum(map(holds, lines))} of {plural(len(lines), 'line')}"
