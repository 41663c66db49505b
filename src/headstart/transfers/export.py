"""A transferred network as ONNX: prepared inputs in, logits (or values) out."""

import copy
import io
import json
import os
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import InputError, require
from headstart.records import check_destination, write_atomically
from headstart.sources.fingerprint import probe_examples
from headstart.tasks import Link, task_of
from headstart.transfers.run import Run

OUTPUTS: dict[Link, str] = {
    "softmax": "logits; their softmax are the probabilities of the classes",
    "sigmoid": "logits; their sigmoids are the probabilities of the labels",
    "identity": "values",
}


class _ByName(nn.Module):
    """The network with its inputs as arguments, in a fixed order."""

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: Tensor) -> Tensor:
        given = inputs[0] if self.names == ("input",) else dict(zip(self.names, inputs, strict=True))
        outputs: Tensor = self.network(given)
        return outputs


def export_onnx(run: Run, path: str | os.PathLike[str]) -> Path:
    """Write the network to `path`; low-rank updates are folded in first.

    The file's `metadata_props` hold the class names in the order of the outputs, the preprocessing and what the output
    is. The batch size is free, and for texts the length too. Inputs are what the source's preprocessing makes: `input`
    for images, the tokenizer's names for texts. The output is `output`.

    Raises:
        MissingExtra: onnx or onnxscript is not installed.
        InputError: The network cannot be exported.
    """
    path = Path(path)
    check_destination(path, folder=False)
    network = copy.deepcopy(run.network).eval()
    if run.method.merges:
        run.method.merge(network)
    examples = probe_examples(run.source.card.kind)[:2]
    batch = run.source.collate([run.source.prepare(example) for example in examples])
    names, inputs = _inputs(batch)
    content = _exported(_ByName(network, names).eval(), names, inputs, _about(run))
    write_atomically(path, content)
    return path


def _inputs(batch: Any) -> tuple[tuple[str, ...], tuple[Tensor, ...]]:
    if isinstance(batch, Tensor):
        return ("input",), (batch,)
    named = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
    return tuple(named), tuple(named.values())


def _about(run: Run) -> dict[str, str]:
    """What a user of the file must know, for its `metadata_props`."""
    outcome, card = run.outcome, run.source.card
    return {
        "source": outcome.source,
        "task": outcome.task,
        "classes": json.dumps(outcome.classes),
        "output": OUTPUTS[task_of(outcome.task).link],
        "preprocessing": str(run.source.prepare),
        "input_size": json.dumps(card.input_size),
    }


def _exported(network: nn.Module, names: tuple[str, ...], inputs: tuple[Tensor, ...], about: dict[str, str]) -> bytes:
    for library in ("onnx", "onnxscript"):
        require(library, "export to ONNX", "speed")
    free = torch.export.Dim.AUTO
    shapes = tuple({0: free} if names == ("input",) else {0: free, 1: free} for _ in names)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # the exporter's own, about its own internals
            program = torch.onnx.export(
                network,
                inputs,
                dynamo=True,
                input_names=list(names),
                output_names=["output"],
                dynamic_shapes=(shapes,),
                verbose=False,
            )
        assert program is not None
    except (RuntimeError, TypeError, ValueError, torch.onnx.OnnxExporterError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"this network cannot be exported to ONNX: {reason}") from error
    made = program.model_proto
    for key, value in about.items():
        made.metadata_props.add(key=key, value=value)
    return bytes(made.SerializeToString())
