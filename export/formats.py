"""Write a traced network as an ONNX or TorchScript file, without metadata about the build machine."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import onnx
import torch
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

from export.errors import ExportError
from export.onnx_file import save

OPSET = 17
BATCH = "batch"
ERRORS = 3
"""onnxruntime's log level of errors."""
DEBUG_SUFFIX = ".debug_pkl"

Example = tuple[torch.Tensor, ...]
"""One tensor per input, each with two rows."""


class Names(NamedTuple):
    """The names of the graph's tensors, in order."""

    inputs: list[str]
    outputs: list[str]


def write_onnx(network: torch.nn.Module, example: Example, names: Names, folder: Path) -> Path:
    """Write `model.onnx`.

    Args:
        network: The network to trace.
        example: Example inputs.
        names: Names of the inputs and outputs.
        folder: The bundle's folder.

    Returns:
        The path of the file.

    Raises:
        ExportError: The graph stores weights in other files, or has operators that onnxruntime lacks.
    """
    path = folder / "model.onnx"
    torch.onnx.export(
        network,
        example,
        str(path),
        dynamo=False,  # the dynamo exporter writes Ludwig's Dense layers in a form that onnxruntime rejects
        opset_version=OPSET,
        input_names=names.inputs,
        output_names=names.outputs,
        dynamic_axes={name: {0: BATCH} for name in [*names.inputs, *names.outputs]},
    )
    _check(onnx.load(path))
    save(_cleaned(_optimized(path)), path)
    return path


def write_torchscript(network: torch.nn.Module, example: Example, names: Names, folder: Path) -> Path:
    """Write `model.pt`, a traced module.

    Args:
        network: The network to trace.
        example: Example inputs.
        names: Names of the inputs and outputs, in the order in which the module takes and returns them.
        folder: The bundle's folder.

    Returns:
        The path of the file.
    """
    path = folder / "model.pt"
    with_sources = folder / "with-sources.pt"
    traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    torch.jit.save(traced, str(with_sources))
    # Drop the debug files, which map each operator to its Python source line and contain paths of this machine.
    with zipfile.ZipFile(with_sources) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            if not name.endswith(DEBUG_SUFFIX):
                target.writestr(zipfile.ZipInfo(f"model/{name.partition('/')[2]}"), source.read(name))
    with_sources.unlink()
    return path


def _check(graph: onnx.ModelProto) -> None:
    """Raise ExportError if a graph stores weights in other files, or has non-standard operators."""
    onnx.checker.check_model(graph)
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.graph.initializer):
        raise ExportError("The graph stores weights in other files; networks of 2 GB or more are not supported.")
    domains = {node.domain for node in graph.graph.node} - {"", "ai.onnx"}
    if domains:
        raise ExportError(f"The graph has operators that are not part of onnxruntime: {', '.join(sorted(domains))}.")


def _optimized(path: Path) -> onnx.ModelProto:
    """Return a graph after onnxruntime's basic optimizations, which the handler would apply at every cold start.

    They fold constants and remove nodes. The graph keeps standard operators, and does not depend on this machine.

    Raises:
        ExportError: onnxruntime cannot load the graph.
    """
    target = path.with_name("optimized.onnx")
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = ERRORS
    try:
        InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many types, without a common one
        raise ExportError(f"onnxruntime cannot load the graph: {error}") from None
    graph = onnx.load(target)
    target.unlink()
    return graph


def _cleaned(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Remove metadata: from torch about this machine, from onnxruntime about removed nodes and unused operators."""
    graph.ClearField("doc_string")
    graph.ClearField("metadata_props")
    for node in graph.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    used = {node.domain for node in graph.graph.node}
    versions = [each for each in graph.opset_import if each.domain in used]
    del graph.opset_import[:]
    graph.opset_import.extend(versions)
    return graph
