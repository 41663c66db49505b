"""What the paper's text claims, counted in the printed Table 1 and in the rows obtained."""

from collections.abc import Callable, Sequence

from headstart.records import View, titled
from headstart.wording import MISSING, plural
from headstart_paper.correlate import Coefficient
from headstart_paper.table import Line

LEAST = 20  # tasks of a row; the coefficient of fewer may be anything


def claims_table(lines: Sequence[Line]) -> View:
    """Each claim with what was obtained on it; empty where no line has enough tasks."""
    found = [line for line in lines if line.row.in_paper and line.tasks >= LEAST and line.coefficients["leep"]]
    if not found:
        return []
    small = [line for line in found if line.row.setting != "large"]
    cells = (
        ("LEEP predicts the outcome", "in 21 of 21 lines", _share(found, _predicts)),
        ("also on small and imbalanced data", "in 17 of 17 lines", _share(small, _predicts)),
        ("LEEP is at least NCE", "in 19 of 21 lines", _above(found, "nce")),
        ("LEEP is at least H-score", "in 14 of 21 lines", _above(found, "h_score")),
        ("its gain over the better of the two, ImageNet to CIFAR-100", "up to +30 %", _largest_gain(found)),
    )
    notes = (
        f"of the lines above with {LEAST} tasks or more, without those marked *; predicts: the 95 % interval of "
        "Pearson's coefficient lies above 0",
        "printed: counted in the printed Table 1",
        "gain: LEEP's coefficient over that of the better of NCE and H-score (an H-score that does not vary is left "
        "out), minus 1, where the interval of the latter lies above 0; stand-ins count as what they stand for",
    )
    return titled("What the paper claims", ("claim", "printed", "obtained"), cells, notes, words=3)


def _of(line: Line, name: str) -> Coefficient:
    found = line.coefficients[name]
    assert found is not None, "lines without it were left out"
    return found


def _predicts(line: Line) -> bool:
    return _of(line, "leep").low > 0


def _above(lines: Sequence[Line], name: str) -> str:
    having = [line for line in lines if line.coefficients[name] is not None]
    return _share(having, lambda line: _of(line, "leep").value >= _of(line, name).value)


def _share(lines: Sequence[Line], holds: Callable[[Line], bool]) -> str:
    return f"in {sum(map(holds, lines))} of {plural(len(lines), 'line')}" if lines else MISSING


def _largest_gain(lines: Sequence[Line]) -> str:
    """In words, where LEEP gains most on the rows that the claim is about; what may be 0 or less has no ratio."""
    gains = []
    for line in lines:
        others = [other for name in ("nce", "h_score") if (other := line.coefficients[name]) is not None]
        best = max(others, key=lambda other: other.value, default=None)
        if best is not None and best.low > 0 and (line.row.source, line.row.target) == ("imagenet", "cifar100"):
            about = f"({line.used}, {line.row.setting}, {line.row.method})"
            gains.append((_of(line, "leep").value / best.value - 1, about))
    if not gains:
        return MISSING
    gain, about = max(gains)
    return f"up to {100 * gain:+.0f} % {about}"
