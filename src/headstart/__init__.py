"""headstart: which pretrained model gives your task a head start, how to use it, and did it help?

    import headstart as hs
    ranking = hs.rank("photos/", models=["zoo", "timm/resnet18"])
    print(ranking)
    hs.scores.leep(probs, labels)

Names are loaded when they are first used: importing the package loads neither torch nor a plotting library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from headstart import (
        data,
        errors,
        evaluation,
        extract,
        meta,
        ranking,
        records,
        report,
        scores,
        sources,
        stats,
        train,
        transfers,
    )
    from headstart.data import Reading, open_target
    from headstart.errors import (
        CacheError,
        ExampleError,
        HeadstartError,
        InputError,
        MissingExtra,
        ModelError,
        ModelNameError,
        OfflineError,
        TargetError,
        TrainingError,
        WorkerError,
        WriteError,
    )
    from headstart.evaluation import evaluate
    from headstart.evaluation.benchmark import benchmark
    from headstart.ranking import plan, rank
    from headstart.records import Extraction, Failure, ModelCard, RankedSource, Ranking, ScoreRow
    from headstart.report import write_report
    from headstart.scores import audit
    from headstart.sources import from_module
    from headstart.transfers import load, transfer

__all__ = [
    "CacheError",
    "ExampleError",
    "Extraction",
    "Failure",
    "HeadstartError",
    "InputError",
    "MissingExtra",
    "ModelCard",
    "ModelError",
    "ModelNameError",
    "OfflineError",
    "RankedSource",
    "Ranking",
    "Reading",
    "ScoreRow",
    "TargetError",
    "TrainingError",
    "WorkerError",
    "WriteError",
    "__version__",
    "audit",
    "benchmark",
    "data",
    "errors",
    "evaluate",
    "evaluation",
    "extract",
    "from_module",
    "load",
    "meta",
    "open_target",
    "plan",
    "rank",
    "ranking",
    "records",
    "report",
    "scores",
    "sources",
    "stats",
    "train",
    "transfer",
    "transfers",
    "write_report",
]

_HOMES = {
    "rank": "ranking",
    "from_module": "sources",
    "open_target": "data",
    "Reading": "data",
    "plan": "ranking",
    "write_report": "report",
    "audit": "scores",
    "benchmark": "evaluation.benchmark",
    "evaluate": "evaluation",
    "load": "transfers",
    "transfer": "transfers",
    **dict.fromkeys(("Extraction", "Failure", "ModelCard", "RankedSource", "Ranking", "ScoreRow"), "records"),
}  # where a public name lives; errors live in `errors`, all other names are rooms


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    if name in _HOMES:
        return getattr(import_module(f"headstart.{_HOMES[name]}"), name)
    if name[0].isupper():
        return getattr(import_module("headstart.errors"), name)
    return import_module(f"headstart.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
