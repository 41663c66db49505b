"""The network as onnxruntime runs it: exported once, which costs seconds, then faster."""

import importlib.util
import warnings
from typing import Any

import torch

from headstart.errors import MissingExtra
from headstart.extract.outputs import Outputs, rows_of
from headstart.sources.network import share_weights
from headstart.sources.source import Source

ROWS = 8
LARGEST_MODEL = 1_800_000_000  # bytes; one ONNX file holds less than 2 GiB
PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def installed() -> bool:
    """Whether the packages that export and run a network are installed."""
    return all(importlib.util.find_spec(name) for name in PACKAGES)


def require() -> None:
    """Raise MissingExtra, with the pip line, where onnxruntime or the exporter is not installed."""
    if not installed():
        raise MissingExtra("`engine='onnxruntime'` needs onnxruntime: `pip install 'headstart[speed]'`.")


def fits(source: Source) -> bool:
    """Whether the weights fit into one ONNX file."""
    return sum(parameter.nbytes for parameter in source.network.parameters()) < LARGEST_MODEL


class Onnx:
    """Runs batches of images in onnxruntime on the CPU; several may run at once.

    Args:
        source: An image source; it is exported from a copy.
        batch: A few images (b, c, h, w) to trace with.
        batch_size: Upper limit of the rows in one run.
    """

    name = "onnxruntime"

    def __init__(self, source: Source, batch: torch.Tensor, batch_size: int | None = None) -> None:
        import onnxruntime

        self.source = source
        self.rows = min(batch_size or ROWS, ROWS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()  # of one lane
        options.log_severity_level = 3  # errors only: a warning about a node is nothing the user can act on
        model = exported(source, batch)
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: Any, count: int) -> Outputs:
        """Features (b, d) and logits (b, z) of a batch of `count` images."""
        arrays = self._session.run(None, {self._input: batch.contiguous().numpy()})
        tensors = [torch.from_numpy(array) for array in arrays]
        return rows_of((tensors[0], tensors[1] if len(tensors) > 1 else None), count)


def exported(source: Source, batch: torch.Tensor) -> bytes:
    """The network as an ONNX file with any number of rows."""
    two = torch.cat([batch, batch])[:2]  # with one row, the exporter would take the number for a constant
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside torch's exporter
        program = torch.onnx.export(
            share_weights(source.network).eval(),
            (two,),
            dynamo=True,
            verbose=False,
            input_names=["batch"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())
