"""The records: frozen, written as JSON, with large arrays beside them. Reading them back needs no torch.

`Extraction` is what one forward pass leaves; `Ranking` is what scoring many of them leaves, and a report is rebuilt
from it alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.records.adaptation import AdaptationRecord, AdaptedRow, DomainGap
    from headstart.records.clustering import Cluster, ClusteredSource, Clustering, Index
    from headstart.records.facts import Extraction, Kind, ModelCard, Provenance, TargetSummary
    from headstart.records.failure import Failure
    from headstart.records.few_shot import FewShot
    from headstart.records.files import as_csv, check_destination, finite_or_none, write_atomically, writing
    from headstart.records.forecast import Cost, Forecast, Probe
    from headstart.records.history import History
    from headstart.records.outcome import (
        Bound,
        Comparison,
        Convergence,
        CurvePoint,
        Evaluation,
        Outcome,
        PlanRow,
        Predictions,
        Trial,
        Verdict,
    )
    from headstart.records.project import Project
    from headstart.records.ranking import HeadView, RankedSource, Ranking, ScoreRow
    from headstart.records.search import Ending, FineTuned, LeftOut, Method, Round, Search
    from headstart.records.table import Prose, Table, View, as_markdown, as_text, titled
    from headstart.records.zero_shot import ZeroShot, ZeroShotSource

__all__ = [
    "AdaptationRecord",
    "AdaptedRow",
    "Bound",
    "Cluster",
    "ClusteredSource",
    "Clustering",
    "Comparison",
    "Convergence",
    "Cost",
    "CurvePoint",
    "DomainGap",
    "Ending",
    "Evaluation",
    "Extraction",
    "Failure",
    "FewShot",
    "FineTuned",
    "Forecast",
    "HeadView",
    "History",
    "Index",
    "Kind",
    "LeftOut",
    "Method",
    "ModelCard",
    "Outcome",
    "PlanRow",
    "Predictions",
    "Probe",
    "Project",
    "Prose",
    "Provenance",
    "RankedSource",
    "Ranking",
    "Round",
    "ScoreRow",
    "Search",
    "Table",
    "TargetSummary",
    "Trial",
    "Verdict",
    "View",
    "ZeroShot",
    "ZeroShotSource",
    "as_csv",
    "as_markdown",
    "as_text",
    "check_destination",
    "finite_or_none",
    "titled",
    "write_atomically",
    "writing",
]

_HOMES = {
    "adaptation": ("AdaptationRecord", "AdaptedRow", "DomainGap"),
    "clustering": ("Cluster", "ClusteredSource", "Clustering", "Index"),
    "facts": ("Extraction", "Kind", "ModelCard", "Provenance", "TargetSummary"),
    "failure": ("Failure",),
    "few_shot": ("FewShot",),
    "files": ("as_csv", "check_destination", "finite_or_none", "write_atomically", "writing"),
    "forecast": ("Cost", "Forecast", "Probe"),
    "history": ("History",),
    "outcome": (
        "Bound",
        "Comparison",
        "Convergence",
        "CurvePoint",
        "Evaluation",
        "Outcome",
        "PlanRow",
        "Predictions",
        "Trial",
        "Verdict",
    ),
    "project": ("Project",),
    "ranking": ("HeadView", "RankedSource", "Ranking", "ScoreRow"),
    "search": ("Ending", "FineTuned", "LeftOut", "Method", "Round", "Search"),
    "table": ("Prose", "Table", "View", "as_markdown", "as_text", "titled"),
    "zero_shot": ("ZeroShot", "ZeroShotSource"),
}  # the files of the records, which are loaded when one of their names is first used


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"headstart.records.{home}"), name)


def __dir__() -> list[str]:
    return list(__all__)
