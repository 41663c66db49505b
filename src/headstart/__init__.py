"""headstart: which pretrained model gives your task a head start, how to use it, and did it help?

    import headstart as hs
    ranking = hs.rank("photos/", models=["zoo", "timm/resnet18"])
    print(ranking)
    hs.scores.leep(probs, labels)

Names are loaded when they are first used: importing the package loads neither torch nor a plotting library.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from headstart import errors, meta, records, scores
    from headstart.adaptation import adapt
    from headstart.clusters import cluster
    from headstart.data import Reading, Target, open_target
    from headstart.errors import HeadstartError
    from headstart.evaluation import evaluate
    from headstart.evaluation.benchmark import benchmark
    from headstart.fewshot import few_shot
    from headstart.loading import load
    from headstart.project import run
    from headstart.ranking import plan, rank
    from headstart.records import Comparison, Extraction, ModelCard, Outcome, Ranking
    from headstart.report import write_report
    from headstart.scores import audit
    from headstart.sources import Source, from_module, list_models
    from headstart.transfers import Run, transfer
    from headstart.zeroshot import zero_shot
del TYPE_CHECKING

__all__ = [
    "Comparison",
    "Extraction",
    "HeadstartError",
    "ModelCard",
    "Outcome",
    "Ranking",
    "Reading",
    "Run",
    "Source",
    "Target",
    "__version__",
    "adapt",
    "audit",
    "benchmark",
    "cluster",
    "errors",
    "evaluate",
    "few_shot",
    "from_module",
    "list_models",
    "load",
    "meta",
    "open_target",
    "plan",
    "rank",
    "records",
    "run",
    "scores",
    "transfer",
    "write_report",
    "zero_shot",
]

_HOMES = {
    "adaptation": ("adapt",),
    "clusters": ("cluster",),
    "data": ("Reading", "Target", "open_target"),
    "errors": ("HeadstartError",),
    "evaluation": ("evaluate",),
    "evaluation.benchmark": ("benchmark",),
    "fewshot": ("few_shot",),
    "loading": ("load",),
    "project": ("run",),
    "ranking": ("plan", "rank"),
    "records": ("Comparison", "Extraction", "ModelCard", "Outcome", "Ranking"),
    "report": ("write_report",),
    "scores": ("audit",),
    "sources": ("Source", "from_module", "list_models"),
    "transfers": ("Run", "transfer"),
    "zeroshot": ("zero_shot",),
}  # the modules whose names are public here; the other names are modules themselves


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    home = next((module for module, names in _HOMES.items() if name in names), None)
    return import_module(f"headstart.{name}") if home is None else getattr(import_module(f"headstart.{home}"), name)


def __dir__() -> list[str]:
    return list(__all__)
