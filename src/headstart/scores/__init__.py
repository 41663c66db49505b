"""Transferability scores: arrays in, float out, higher is better. `SCORES` describes them all."""

from typing import TYPE_CHECKING

from headstart.scores._evaluate import Evaluation, evaluate
from headstart.scores._inputs import Inputs
from headstart.scores._rows import SCORES, find
from headstart.scores._table import Invariance, Measured, Needs, NotApplicableError, Score
from headstart.scores.audit import Claim, Finding, audit, weighted_taus
from headstart.scores.class_separation import class_separation, nearest_mean
from headstart.scores.dense import DenseRows, pixel_rows, token_rows
from headstart.scores.ensemble import e_leep, ms_leep
from headstart.scores.etran import etran_among, etran_discriminant, etran_energy
from headstart.scores.gbc import gbc
from headstart.scores.h_score import h_score, regularized_h_score
from headstart.scores.knn import knn
from headstart.scores.leep import leep, leep_normalized
from headstart.scores.leep_calibrated import Calibration, fit_temperature, leep_calibrated
from headstart.scores.leep_em import EMFit, fit_em, leep_em
from headstart.scores.leep_gaussian import leep_gaussian
from headstart.scores.leep_loo import leep_loo
from headstart.scores.leep_pooled import leep_pooled
from headstart.scores.leep_skill import SkillTest, leep_skill, skill_test
from headstart.scores.lfc import lfc
from headstart.scores.linear_mse import label_mse, linear_mse
from headstart.scores.logme import logme
from headstart.scores.nce import nce
from headstart.scores.ncti import NCTIParts, ncti, ncti_among, ncti_parts
from headstart.scores.nleep import nleep
from headstart.scores.otce import OTCEParts, fit_otce, otce, otce_parts
from headstart.scores.pactran import pactran_dirichlet, pactran_gamma
from headstart.scores.pactran_gaussian import pactran_gaussian
from headstart.scores.parc import parc
from headstart.scores.random import random
from headstart.scores.ridge_probe import ridge_probe
from headstart.scores.sfda import sfda
from headstart.scores.soft_nce import soft_nce
from headstart.scores.source_accuracy import source_accuracy
from headstart.scores.transrate import transrate

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
    "audit",
    "class_separation",
    "e_leep",
    "etran_among",
    "etran_discriminant",
    "etran_energy",
    "evaluate",
    "find",
    "fit_em",
    "fit_otce",
    "fit_temperature",
    "gbc",
    "h_score",
    "knn",
    "label_mse",
    "leep",
    "leep_calibrated",
    "leep_em",
    "leep_gaussian",
    "leep_loo",
    "leep_normalized",
    "leep_pooled",
    "leep_skill",
    "lfc",
    "linear_mse",
    "logme",
    "ms_leep",
    "nce",
    "ncti",
    "ncti_among",
    "ncti_parts",
    "nearest_mean",
    "nleep",
    "otce",
    "otce_parts",
    "pactran_dirichlet",
    "pactran_gamma",
    "pactran_gaussian",
    "parc",
    "pixel_rows",
    "random",
    "regularized_h_score",
    "ridge_probe",
    "sfda",
    "skill_test",
    "soft_nce",
    "source_accuracy",
    "token_rows",
    "transrate",
    "weighted_taus",
]


def __getattr__(name: str) -> object:
    if name == "ExpectedEmpiricalPredictor":  # scikit-learn takes a second to import, and nothing else here needs it
        from headstart.scores.predictor import ExpectedEmpiricalPredictor

        return ExpectedEmpiricalPredictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
