"""A transfer on disk: safetensors and JSON, no pickle; loads back to bit-identical logits.

weights.safetensors   the network's weights and statistics (or only what trained)
model.json            what is needed to build the network again, and the weights' hash
outcome.json          the record: plan, curve, metrics, provenance
test.safetensors      the answers on the test part
README.md             a model card
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from safetensors.numpy import save as save_arrays
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.evaluation.stored import OUTCOME, TEST, read_outcome, read_predictions
from headstart.records import check_destination, write_atomically
from headstart.sources import candidates
from headstart.sources.adapters.st import as_the_library_loads
from headstart.sources.source import Source
from headstart.transfers.card import model_card
from headstart.transfers.four_bit import put_packed, scales
from headstart.transfers.method import METHODS, Method
from headstart.transfers.network import TransferNetwork, transferable
from headstart.transfers.run import Run, live_parameters

Weights = Literal["whole", "adapter", "merged"]
WEIGHTS, MODEL, CARD = "weights.safetensors", "model.json", "README.md"
NEEDED = (  # of the model's file, to load it
    "source", "kind", "fingerprint", "method", "options", "outputs",
    "weights", "plain", "hash", "identity", "trained",
)  # fmt: skip
AGAIN = "Delete the folder and run the transfer again."


def save(run: Run, folder: Path, *, weights: Weights = "whole") -> Path:
    """Write the run; `outcome.json` comes last, so a folder that has one is complete.

    Args:
        weights: "whole" keeps everything; "adapter" only what trained (the source's own weights are read from the
            source again, and must be the same); "merged" folds LoRA's updates into the layers.

    Raises:
        InputError: There is nothing to merge or to keep apart, or `weights` is another word.
    """
    check_weights(weights)
    check_destination(folder, folder=True)
    network, plain = run.network, False
    if weights == "merged":
        network, plain = merged(run), True
    elif weights == "adapter" and ((run.method.trains and not run.method.inserts) or run.source.adapted_from):
        raise InputError(
            f"`weights='adapter'` keeps what was added to an unchanged source; {run.method.name} of "
            f"{run.source.name} changed the source itself. Use `weights='whole'`."
        )
    content = save_tensors(state_of(network, run, weights))
    model = {
        "format": 1,
        "source": run.source.adapted_from or run.source.name,
        "adapted": run.source.adapted_from is not None,
        "layer": run.source.layer,
        "fingerprint": run.source.fingerprint,
        "method": run.method.name,
        "options": run.method.options,
        "outputs": network.head.out_features,
        "weights": weights,
        "plain": plain,
        "hash": blake2b(content, digest_size=16).hexdigest(),
        "identity": run.identity,
        "trained": run.trained,
        "kind": run.source.card.kind,
        "preprocessing": {"input_size": run.source.card.input_size, "description": str(run.source.prepare)},
        "classes": run.outcome.classes,
    }
    write_atomically(folder / WEIGHTS, content)
    for stale in (OUTCOME, TEST):  # of a run that is replaced; the first part, the largest, found room
        (folder / stale).unlink(missing_ok=True)
    write_atomically(folder / MODEL, json.dumps(model, indent=2).encode())
    write_atomically(folder / CARD, model_card(run.outcome, weights, run.source.card.license).encode())
    if run.predictions is not None:
        arrays = {"labels": run.predictions.labels, "outputs": run.predictions.outputs}
        ids = {"ids": json.dumps(run.predictions.ids)}
        write_atomically(folder / TEST, save_arrays({k: np.ascontiguousarray(v) for k, v in arrays.items()}, ids))
    write_atomically(folder / OUTCOME, run.outcome.to_json().encode())
    return folder


def check_weights(weights: str) -> None:
    """Raises InputError for a word that is not one of `Weights`."""
    if weights not in get_args(Weights):
        raise InputError(f"`weights` must be one of {', '.join(get_args(Weights))}; got {weights!r}.")


def check_copy(run: Path, folder: Path, *, overwrite: bool) -> None:
    """Say at once that a run cannot be saved again into a folder.

    Raises:
        InputError: It is the run's own, or holds a run and `overwrite` is not set.
    """
    if folder.resolve() == run.resolve():
        raise InputError(f"{folder} is the run itself; name another folder.")
    if (folder / OUTCOME).exists() and not overwrite:
        raise InputError(f"{folder} holds a run already. Choose another folder, or pass `--overwrite`.")


def load(
    folder: str | Path,
    *,
    source: Source | nn.Module | None = None,
    trust_pickle: bool = False,
    methods: Mapping[str, type[Method]] = METHODS,
) -> Run:
    """Read a run back.

    Args:
        folder: What `Run.save`, or `transfer` with `out`, wrote.
        source: The source it was made from, where that has no name that can be found again (a module from Python).
        trust_pickle: Load a checkpoint of the source that can run code.
        methods: The methods that it may have been made by, by name.

    Raises:
        InputError: The folder holds no run, or a damaged one, or the source is another.
        ModelError: The source cannot be found or loaded.
    """
    folder = Path(folder)
    outcome, model = read_outcome(folder), _read_model(folder)
    content = _read(folder / WEIGHTS)
    if blake2b(content, digest_size=16).hexdigest() != model["hash"]:
        raise InputError(f"{folder / WEIGHTS} is damaged: its content is not what was saved. {AGAIN}")
    found = _source(model, source, trust_pickle)
    method = _method(model, folder, methods)
    if model["weights"] == "adapter" and method.view(found).fingerprint != model["fingerprint"]:
        found = as_the_library_loads(found, trust_pickle)
    found = method.view(found)
    if model["weights"] == "adapter" and found.fingerprint != model["fingerprint"]:
        raise InputError(
            f"{folder} keeps only what was added to {model['source']}, and the one found here has other weights or "
            "another preprocessing. Load it with the same source, or save with `weights='whole'`."
        )
    built = transferable(found, model["outputs"], seed=0)
    if not model["plain"]:
        with torch.random.fork_rng(devices=[]):  # what is inserted starts at random, and is read below
            method.insert(built)
    _put(built.network, load_tensors(content), folder, complete=model["weights"] != "adapter")
    built.network.eval()
    card = replace(found.card, name=outcome.source)
    adapted = model.get("adapted", outcome.source != model["source"])  # older files do not say
    whole = replace(found, card=card, adapted_from=model["source"] if adapted else None)
    trained = tuple(model["trained"])
    return Run(outcome, read_predictions(folder), built.network, whole, method, model["identity"], trained)


def is_run(folder: str | Path) -> bool:
    """Whether a folder holds a run with its network."""
    return (Path(folder) / MODEL).is_file()


def identity_of(folder: Path) -> str | None:
    """Which training the folder holds the result of; None where it holds none."""
    return _read_model(folder)["identity"] if (folder / OUTCOME).exists() else None


def state_of(network: TransferNetwork, run: Run, weights: Weights) -> dict[str, Tensor]:
    """The tensors to save: all live parameters and buffers, or only the parameters that trained."""
    live = set(run.trained if weights == "adapter" else live_parameters(network))
    tensors: dict[str, Tensor] = {n: p for n, p in network.named_parameters() if n in live}
    if weights != "adapter":
        kept = network.state_dict()
        tensors |= {name: value for name, value in network.named_buffers() if name in kept} | scales(network)
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}


def merged(run: Run) -> TransferNetwork:
    """A copy of the network with LoRA's updates folded into its layers.

    Raises:
        InputError: The method adds no updates.
    """
    if not run.method.merges:
        raise InputError(f"`weights='merged'` folds updates into layers, and method `{run.method.name}` makes none.")
    network = copy.deepcopy(run.network)
    run.method.merge(network)
    return network.eval()


def _put(network: TransferNetwork, tensors: dict[str, Tensor], folder: Path, *, complete: bool) -> None:
    own = dict(network.named_parameters()) | dict(network.named_buffers())
    missing = set(live_parameters(network)) - set(tensors) if complete else set()
    tensors = put_packed(network, tensors)
    wrong = [name for name, value in tensors.items() if name not in own or own[name].shape != value.shape]
    if missing or wrong:
        example = sorted(missing or wrong)[0]
        raise InputError(
            f"the weights in {folder} do not fit the network that its source builds here (first difference: "
            f"{example}). The source or a library has changed since; pass the original source with `source=`."
        )
    with torch.no_grad():
        for name, value in tensors.items():
            own[name].copy_(value)


def _source(model: dict[str, Any], given: Source | nn.Module | None, trust_pickle: bool) -> Source:
    name = model["source"]
    if given is None and name.startswith("module/"):
        raise InputError(
            f"the run was made from {name}, which is no name that can be found again; pass it as `source=`."
        )
    return candidates(name if given is None else given, kind=model["kind"])[0].load(trust_pickle)


def _method(model: dict[str, Any], folder: Path, methods: Mapping[str, type[Method]]) -> Method:
    """The method a run was made with; options that it no longer has are an error, and so is a method from elsewhere."""
    name = model["method"]
    try:
        return (methods[name] if name in methods else METHODS.find(name))(**model["options"])
    except TypeError as error:
        raise InputError(f"{folder / MODEL} is damaged ({error}). {AGAIN}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _read_model(folder: Path) -> dict[str, Any]:
    path = folder / MODEL
    try:
        model = json.loads(_read(path))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}). {AGAIN}") from error
    missing = [name for name in NEEDED if not isinstance(model, dict) or name not in model]
    if missing:
        raise InputError(f"{path} is damaged (it has no `{missing[0]}`). {AGAIN}")
    return dict(model)
