"""The formats of a graph: a traced network as a file, clean of what tells of this machine."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import onnx
import torch

from export.errors import ExportError

OPSET = 17
BATCH = "batch"
DEBUG_SUFFIX = ".debug_pkl"

Example = tuple[torch.Tensor, ...]
"""An array for each input, of two rows."""


class Names(NamedTuple):
    """What the graph's tensors are called, in order."""

    inputs: list[str]
    outputs: list[str]


def write_onnx(network: torch.nn.Module, example: Example, names: Names, folder: Path) -> Path:
    """Write `model.onnx`. Raises ExportError if it needs other files or foreign operators."""
    path = folder / "model.onnx"
    torch.onnx.export(
        network,
        example,
        str(path),
        dynamo=False,  # the newer exporter writes graphs of Ludwig's Dense layers that onnxruntime refuses
        opset_version=OPSET,
        input_names=names.inputs,
        output_names=names.outputs,
        dynamic_axes={name: {0: BATCH} for name in [*names.inputs, *names.outputs]},
    )
    onnx.save(_cleaned(onnx.load(path)), str(path))
    return path


def write_torchscript(network: torch.nn.Module, example: Example, names: Names, folder: Path) -> Path:
    """Write `model.pt`: a traced module whose inputs and outputs are in the order of their names."""
    path = folder / "model.pt"
    with_sources = folder / "with-sources.pt"
    traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    torch.jit.save(traced, str(with_sources))
    # The archive maps each operator to the line of Python that it was traced from, on this machine.
    with zipfile.ZipFile(with_sources) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            if not name.endswith(DEBUG_SUFFIX):
                target.writestr(zipfile.ZipInfo(f"model/{name.partition('/')[2]}"), source.read(name))
    with_sources.unlink()
    return path


def _cleaned(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Check a graph, and take out what tells of this machine. Raises ExportError if a file or operator is foreign."""
    onnx.checker.check_model(graph)
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.graph.initializer):
        raise ExportError("The graph keeps weights in other files; networks of 2 GB and more are not supported.")
    domains = {node.domain for node in graph.graph.node} - {"", "ai.onnx"}
    if domains:
        raise ExportError(f"The graph has operators that onnxruntime does not bring: {', '.join(sorted(domains))}.")
    graph.ClearField("doc_string")
    graph.ClearField("metadata_props")
    for node in graph.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    return graph
