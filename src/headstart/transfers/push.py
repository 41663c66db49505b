"""A saved transfer on a model hub: in the format of timm or transformers where it fits, with a card of its gain."""

import copy
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.data.remote import ID, is_repository
from headstart.errors import HeadstartError, InputError, about, require
from headstart.evaluation import evaluate
from headstart.evaluation.stored import OUTCOME, TEST
from headstart.records import Comparison, Outcome, write_atomically
from headstart.records.table import Prose, View, table
from headstart.sources import ADAPTERS, candidates
from headstart.sources.adapters import files_in
from headstart.sources.fingerprint import probe_examples
from headstart.transfers.card import model_card
from headstart.transfers.network import TransferNetwork
from headstart.transfers.run import Run
from headstart.transfers.saved import CARD, load, merged, save
from headstart.wording import plural

CLOSE = 1e-3  # of the outputs, relative to their largest: the model loaded from the pushed files against the run
KEPT = (
    "*token*",
    "vocab*",
    "merges*",
    "*.model",
    "preprocessor_config.json",
    "*.jinja",
)  # beside transformers' weights
OURS = "headstart"


@dataclass(frozen=True)
class Pushed:
    """What went to the hub, or would go in a dry run."""

    repository: str
    library: str  # that loads it: timm, transformers or headstart
    files: dict[str, int]  # name -> bytes
    card: str
    url: str | None  # of the commit; None in a dry run

    def view(self) -> View:
        """The files as a table, and where they are."""
        rows = [(name, f"{size:,}") for name, size in self.files.items()]
        how = {
            "timm": f"timm.create_model('hf-hub:{self.repository}', pretrained=True)",
            "transformers": f"AutoModel...from_pretrained('{self.repository}')",
            OURS: "headstart predict FOLDER, once its files are in a folder",
        }[self.library]
        done = f"Pushed to {self.url}" if self.url else f"Dry run: nothing was sent to {self.repository}"
        return [table(("file", "bytes"), rows, words=1), Prose((f"{done}. Load it with {how}.",))]


def push(
    folder: str | Path, repository: str, *, private: bool = False, dry_run: bool = False, trust_pickle: bool = False
) -> Pushed:
    """Put a saved transfer on the hub as `ORG/NAME`: weights, configuration, and a card with results and gain.

    The card compares the run with trainings from scratch of the same network that lie beside it. Inputs, their names
    and the answers on the test part stay here.

    Args:
        folder: What `transfer` with `out`, or `Run.save`, wrote.
        repository: `ORG/NAME`; made if it does not exist.
        private: Whether a new repository is private.
        dry_run: Send nothing; say what would be sent.
        trust_pickle: Load a checkpoint of the source that can run code.

    Raises:
        InputError: The folder holds no run, or `repository` is no such name.
        OfflineError: The hub cannot be reached.
        ModelError: The hub refuses.
    """
    hub_library = require("huggingface_hub", "pushing a model", "image")
    from headstart.sources import hub

    if repository.count("/") != 1 or not is_repository(repository):
        raise InputError(f"`{repository}` cannot be a name on the hub. Expected ORG/NAME of {ID}.")
    run = load(folder, trust_pickle=trust_pickle)
    with TemporaryDirectory(prefix="headstart-") as spare:
        place = Path(spare)
        library = _write(run, place)
        card = _card(run, library, gain_of(Path(folder)), repository)
        write_atomically(place / CARD, card.encode())
        files = {str(path.relative_to(place)): path.stat().st_size for path in files_in(place)}
        if dry_run:
            return Pushed(repository, library, files, card, None)
        with about(repository), hub.explained(repository, None):
            hub.require_network()
            hub_library.create_repo(repository, private=private, exist_ok=True)
            message = f"{run.outcome.method} of {run.outcome.source} by headstart"
            sent = hub_library.upload_folder(repo_id=repository, folder_path=place, commit_message=message)
    return Pushed(repository, library, files, card, str(sent.commit_url))


def gain_of(folder: Path) -> Comparison | None:
    """What the method of a run gained over training from scratch, where the runs beside it tell."""
    with suppress(HeadstartError):  # nothing beside it can be compared
        outcome = Outcome.read(folder / OUTCOME, "`headstart transfer`")
        beside = [path.parent for path in sorted(folder.resolve().parent.glob(f"*/{OUTCOME}"))]
        same = [place for place in beside if Outcome.read(place / OUTCOME, "").split == outcome.split]
        for one in evaluate(same, progress=False):
            if (one.method, one.source) == (outcome.method, outcome.source):
                return one
    return None


def _write(run: Run, place: Path) -> str:
    """The files of a run, in the first format in which they load to the same answers; returns what loads them."""
    network = merged(run) if run.method.merges else run.network
    for library, written in (("timm", _as_timm), ("transformers", _as_transformers)):
        with TemporaryDirectory(dir=place.parent) as trial:
            if written(run, network, Path(trial)) and _same_answers(run, Path(trial)):
                shutil.copytree(trial, place, dirs_exist_ok=True)
                return library
    save(run, place)
    (place / TEST).unlink(missing_ok=True)  # it names the user's files
    return OURS


def _inner(network: TransferNetwork) -> tuple[Any, tuple[str, ...]]:
    """The module of the base model's library, and the names of its classifiers."""
    return getattr(network.body, "model", None), tuple(getattr(network.body, "heads", ()))


def _as_timm(run: Run, network: TransferNetwork, place: Path) -> bool:
    inner, heads = _inner(network)
    config: dict[str, Any] = dict(getattr(inner, "pretrained_cfg", None) or {})
    if len(heads) != 1 or "architecture" not in config:
        return False
    import timm
    from timm.models import save_for_hf

    try:
        module = timm.create_model(config["architecture"], num_classes=network.head.out_features)
        state, new = inner.state_dict(), module.state_dict()
        for part, value in (("weight", network.head.weight), ("bias", network.head.bias)):
            state[f"{heads[0]}.{part}"] = value.detach().reshape(new[f"{heads[0]}.{part}"].shape)
        module.load_state_dict(state, strict=True)
    except (RuntimeError, KeyError):  # another form of the architecture, or a head that is no single layer
        return False
    module.pretrained_cfg = config | {"num_classes": network.head.out_features}
    names = {"label_names": list(run.outcome.classes)} if run.outcome.classes else {}
    save_for_hf(module, place, model_config=names, safe_serialization=True)
    return True


def _as_transformers(run: Run, network: TransferNetwork, place: Path) -> bool:
    inner, heads = _inner(network)
    if len(heads) != 1 or not hasattr(inner, "save_pretrained") or not hasattr(inner, "config"):
        return False
    module: Any = copy.deepcopy(inner)
    old = module.get_submodule(heads[0])
    if not isinstance(old, nn.Linear) or old.in_features != network.head.in_features:
        return False
    module.set_submodule(heads[0], copy.deepcopy(network.head))
    classes = run.outcome.classes or tuple(f"value {place}" for place in range(network.head.out_features))
    module.config.id2label = dict(enumerate(classes))
    module.config.label2id = {name: place for place, name in enumerate(classes)}
    module.save_pretrained(place)
    origin = _origin(run)
    for pattern in KEPT if origin else ():
        for file in origin.glob(pattern) if origin else ():
            shutil.copyfile(file, place / file.name)
    return True


def _origin(run: Run) -> Path | None:
    """The folder of the model that the run was made from."""
    name = run.source.adapted_from or run.outcome.source
    adapter = next((one for one in ADAPTERS.values() if one.serves(name)), None)
    return adapter.folder(name) if adapter else None


def _same_answers(run: Run, place: Path) -> bool:
    """Whether the model that loads from a folder answers as the run does, preprocessing included."""
    examples = probe_examples(run.source.card.kind)[:2]
    expected = run.logits(examples)
    try:
        (candidate,) = candidates(f"local-dir:{place}", kind=run.source.card.kind)
        source = candidate.load(False)
        with torch.inference_mode():
            found = source.network(source.join([source.prepare(example) for example in examples]))[1]
    except HeadstartError:
        return False
    if found is None or found.shape != expected.shape:
        return False
    return bool(np.abs(found.numpy() - expected).max() <= CLOSE * max(1.0, float(np.abs(expected).max())))


def _card(run: Run, library: str, gain: Comparison | None, repository: str) -> str:
    """The model card: what the hub reads, then what people read."""
    hub_library = require("huggingface_hub", "pushing a model", "image")
    outcome, kind = run.outcome, run.source.card.kind
    name = run.source.adapted_from or outcome.source
    base = candidates(name, kind=kind)[0].card
    task = f"{kind}-{'classification' if outcome.classes else 'regression'}"
    results = [
        hub_library.EvalResult(
            task_type=task,
            dataset_type=outcome.target,
            dataset_name=outcome.target,
            dataset_split="test",
            dataset_revision=outcome.split,
            metric_type=metric,
            metric_value=round(value, 6),
        )
        for metric, value in outcome.metrics.items()
    ]
    data = hub_library.ModelCardData(
        license=_licence_tag(base.license),
        library_name=library,
        pipeline_tag=task if outcome.classes else None,
        tags=["headstart", "transfer-learning", outcome.method],
        base_model=_repository(base.url),
        model_name=repository.partition("/")[2],
        eval_results=results or None,
    )
    text = model_card(outcome, "whole", run.source.card.license or base.license).splitlines()
    at = text.index("## Use")
    return "\n".join([f"---\n{data.to_yaml()}\n---\n", *text[:at], *_gained(gain, outcome), *text[at:], ""])


def _licence_tag(licence: str | None) -> str | None:
    """The licence as the hub writes it, where it is a plain name."""
    plain = (licence or "").casefold()
    return plain if plain and " " not in plain else None


def _repository(url: str | None) -> str | None:
    """The hub's name of a base model, from its address there."""
    return url.removeprefix("https://huggingface.co/") if url and url.startswith("https://huggingface.co/") else None


def _gained(gain: Comparison | None, outcome: Outcome) -> list[str]:
    seen = f"- Data: {plural(outcome.n_train, 'example')} to train on; hash of the parts {outcome.split}"
    if gain is None:
        return ["## Gain over training from scratch", "", "Not measured.", "", seen, ""]
    interval = "" if gain.low is None else f" ({gain.level:.0%} interval {gain.low:+.3f} to {gain.high:+.3f})"
    said = f"- {gain.metric}: {gain.transfer:.4f} against {gain.scratch:.4f} from scratch: {gain.gain:+.4f}{interval}"
    return ["## Gain over training from scratch", "", said, f"- Verdict: {gain.verdict}. {gain.advice}", seen, ""]
