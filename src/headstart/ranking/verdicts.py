"""The score that can say no: has the source's classifier any skill on the target beyond its class frequencies?"""

from scipy import special

from headstart.ranking.interval import estimate
from headstart.scores import Evaluation

SCORE = "leep_skill"


def verdict(evaluation: Evaluation | None, level: float = 0.95) -> tuple[str | None, bool]:
    """Words for `leep_skill`, and whether they advise against the source.

    A source is advised against unless its skill is above zero by a one-sided t test at 1 - `level`.

    Returns:
        (None, False) where there is no skill score or no interval for it.

    Example:
        >>> import numpy as np
        >>> verdict(Evaluation(-0.01, np.array([-0.02, 0.0, -0.01]), 0.0))
        ('no better than guessing the class frequencies (skill -0.010, 95 % interval -0.060 to 0.040)', True)
    """
    skill = None if evaluation is None else estimate(evaluation, level)
    if evaluation is None or skill is None:
        return None, False
    threshold = float(special.stdtrit(skill.degrees, level)) * skill.standard_error
    if skill.value > threshold:
        return "better than guessing the class frequencies", False
    claim = "no better" if skill.value <= 0 else "not shown to be better"
    return (
        f"{claim} than guessing the class frequencies "
        f"(skill {skill.value:.3f}, {level * 100:.0f} % interval {skill.low:.3f} to {skill.high:.3f})",
        True,
    )
