"""The table itself: one line for each file of scores."""

import difflib
from itertools import chain

from headstart.errors import InputError
from headstart.scores._table import Score
from headstart.scores.class_separation import ROWS as CLASS_SEPARATION
from headstart.scores.etran import ROWS as ETRAN
from headstart.scores.gbc import ROWS as GBC
from headstart.scores.h_score import ROWS as H_SCORE
from headstart.scores.knn import ROWS as KNN
from headstart.scores.leep import ROWS as LEEP
from headstart.scores.leep_calibrated import ROWS as LEEP_CALIBRATED
from headstart.scores.leep_em import ROWS as LEEP_EM
from headstart.scores.leep_gaussian import ROWS as LEEP_GAUSSIAN
from headstart.scores.leep_loo import ROWS as LEEP_LOO
from headstart.scores.leep_pooled import ROWS as LEEP_POOLED
from headstart.scores.leep_skill import ROWS as LEEP_SKILL
from headstart.scores.lfc import ROWS as LFC
from headstart.scores.linear_mse import ROWS as LINEAR_MSE
from headstart.scores.logme import ROWS as LOGME
from headstart.scores.nce import ROWS as NCE
from headstart.scores.ncti import ROWS as NCTI
from headstart.scores.nleep import ROWS as NLEEP
from headstart.scores.otce import ROWS as OTCE
from headstart.scores.pactran import ROWS as PACTRAN
from headstart.scores.pactran_gaussian import ROWS as PACTRAN_GAUSSIAN
from headstart.scores.parc import ROWS as PARC
from headstart.scores.random import ROWS as RANDOM
from headstart.scores.ridge_probe import ROWS as RIDGE_PROBE
from headstart.scores.sfda import ROWS as SFDA
from headstart.scores.soft_nce import ROWS as SOFT_NCE
from headstart.scores.source_accuracy import ROWS as SOURCE_ACCURACY
from headstart.scores.transrate import ROWS as TRANSRATE

SCORES: dict[str, Score] = {
    row.name: row
    for row in chain(
        LEEP_CALIBRATED,
        LEEP_LOO,
        LEEP,
        NCE,
        H_SCORE,
        LOGME,
        KNN,
        RIDGE_PROBE,
        LEEP_SKILL,
        LEEP_EM,
        LEEP_GAUSSIAN,
        LEEP_POOLED,
        SOURCE_ACCURACY,
        NLEEP,
        PACTRAN,
        PACTRAN_GAUSSIAN,
        SOFT_NCE,
        SFDA,
        TRANSRATE,
        GBC,
        PARC,
        LFC,
        NCTI,
        ETRAN,
        CLASS_SEPARATION,
        LINEAR_MSE,
        OTCE,
        RANDOM,
    )
}


def find(name: str) -> Score:
    """The row called `name`.

    Raises:
        InputError: There is none; the nearest names are suggested.
    """
    if name in SCORES:
        return SCORES[name]
    near = difflib.get_close_matches(name, SCORES, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(SCORES)}."
    raise InputError(f"no score is called {name!r}; {hint}")
