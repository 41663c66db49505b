"""Transferability scores: arrays in, float out, higher is better. `SCORES` describes them all.

Every score in `SCORES` is a function of this package: `headstart.scores.leep(probs, labels)`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from headstart.scores._checks import NotApplicableError
from headstart.scores._evaluate import Evaluation, evaluate, evaluate_on
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Invariance, Measured, Needs, Score
from headstart.scores.audit import Claim, Finding, audit, weighted_taus
from headstart.scores.catalogue.etran import etran_among
from headstart.scores.catalogue.leep_calibrated import Calibration, fit_temperature
from headstart.scores.catalogue.leep_em import EMFit, fit_em
from headstart.scores.catalogue.leep_skill import SkillTest, skill_test
from headstart.scores.catalogue.ncti import NCTIParts, ncti_among, ncti_parts
from headstart.scores.catalogue.otce import OTCEParts, fit_otce, otce_parts
from headstart.scores.dense import DenseRows, pixel_rows, token_rows
from headstart.scores.ensemble import e_leep, ms_leep
from headstart.scores.left_out import association, left_out_answers, left_out_gains, left_out_probs

if TYPE_CHECKING:
    from headstart.scores.predictor import ExpectedEmpiricalPredictor

__all__ = [
    "SCORES",
    "Calibration",
    "Claim",
    "DenseRows",
    "EMFit",
    "Evaluation",
    "ExpectedEmpiricalPredictor",
    "Finding",
    "Inputs",
    "Invariance",
    "Measured",
    "NCTIParts",
    "Needs",
    "NotApplicableError",
    "OTCEParts",
    "Score",
    "SkillTest",
    "association",
    "audit",
    "e_leep",
    "etran_among",
    "evaluate",
    "evaluate_on",
    "fit_em",
    "fit_otce",
    "fit_temperature",
    "left_out_answers",
    "left_out_gains",
    "left_out_probs",
    "ms_leep",
    "ncti_among",
    "ncti_parts",
    "otce_parts",
    "pixel_rows",
    "skill_test",
    "token_rows",
    "weighted_taus",
]


def __getattr__(name: str) -> Callable[..., float]:
    if name == "ExpectedEmpiricalPredictor":  # scikit-learn takes a second to import, and nothing else here needs it
        from headstart.scores.predictor import ExpectedEmpiricalPredictor

        return ExpectedEmpiricalPredictor
    if not name.startswith("_") and name in SCORES:
        return SCORES[name].function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *SCORES])
