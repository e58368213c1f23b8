"""Load and run a bundle's graph with onnxruntime, or with torch for TorchScript bundles."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from mmap import ACCESS_READ, mmap
from typing import Protocol

from handler.bundle import Graph
from handler.errors import BundleError
from handler.external_data import has_external_data
from handler.files import StrPath
from handler.logs import log_refusal
from handler.onnx_c_api import NotPinnedError, OnnxError, c_api
from handler.tensor import Tensor, joined

CHUNK_ROWS, LARGE_CHUNK_ROWS = 32, 8
"""Rows in one run of a small and of a large graph. Each run has a cost of its own, but with more rows, the activations
no longer fit into the processor's caches."""

LARGE_GRAPH_BYTES = 10_000_000
"""From this size, a graph is large: those of transformers are."""


class RunningGraph(Protocol):
    """A loaded graph.

    Attributes:
        inputs: The names of its input tensors.
        outputs: The names of its output tensors.
    """

    inputs: list[str]
    outputs: list[str]

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph on one batch.

        Args:
            inputs: The input tensors by name, with the dtypes and shapes that the manifest's `graph` lists.

        Returns:
            The output tensors by name, (batch, ...). They may be read-only.
        """


class LoadSession(Protocol):
    """Load an ONNX graph: one of the session classes of `handler.onnx_session` and `handler.onnx_python`."""

    def __call__(self, path: StrPath, threads: int) -> RunningGraph:
        """Load the graph in a file. Raises OnnxError if onnxruntime cannot load it."""


def load_graph(graph: Graph, folder: StrPath, threads: int = 1) -> RunningGraph:
    """Load the graph of a bundle.

    Args:
        graph: Its description in the manifest.
        folder: The bundle's folder.
        threads: How many threads one call may use.

    Returns:
        The loaded graph.

    Raises:
        BundleError: The runtime is missing, cannot load the graph, or the graph could read or write other files.
    """
    if graph.format == "torchscript":
        from handler.torchscript import TorchscriptGraph

        return TorchscriptGraph(graph, folder, threads)
    return OnnxGraph(os.path.join(folder, graph.file), threads)


def chunk_rows(graph_bytes: int) -> int:
    """Return how many rows one run of a graph should have, from the size of its file in bytes."""
    return LARGE_CHUNK_ROWS if graph_bytes >= LARGE_GRAPH_BYTES else CHUNK_ROWS


def run_in_chunks(
    graph: RunningGraph, inputs: Mapping[str, Tensor], size: int, lengths: Sequence[int] | None = None
) -> dict[str, Tensor]:
    """Run a graph on a batch of any size, a chunk of rows at a time.

    Args:
        graph: The graph.
        inputs: The input tensors by name, (batch, ...).
        size: The most rows in one run.
        lengths: The length of each row. With them, rows of similar lengths run together.

    Returns:
        The output tensors by name, (batch, ...). They may be read-only.
    """
    rows = max(tensor.shape[0] for tensor in inputs.values())
    if rows <= size:
        return graph.run(inputs)
    if lengths is not None:
        order = sorted(range(rows), key=lengths.__getitem__)
        answers = run_in_chunks(graph, {name: tensor.taken(order) for name, tensor in inputs.items()}, size)
        places = sorted(range(rows), key=order.__getitem__)
        return {name: tensor.taken(places) for name, tensor in answers.items()}
    parts = [
        graph.run({name: tensor.rows(start, start + size) for name, tensor in inputs.items()})
        for start in range(0, rows, size)
    ]
    return {name: joined([part[name] for part in parts]) for name in parts[0]}


class OnnxGraph:
    """An ONNX graph, loaded and ready. Safe to call from several threads."""

    def __init__(self, path: StrPath, threads: int = 1) -> None:
        """Load a graph.

        Args:
            path: The file, an ONNX model.
            threads: How many threads one call may use.

        Raises:
            BundleError: The graph keeps data in other files, or onnxruntime cannot load it.
        """
        _check_data(path)
        try:
            self._session = session_class()(path, threads)
        except OnnxError as error:
            raise BundleError(f"onnxruntime cannot load {path}: {error}. Export the model again.") from None
        self.inputs, self.outputs = self._session.inputs, self._session.outputs

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph on one batch; see `RunningGraph.run`."""
        return self._session.run(inputs)


@cache
def session_class() -> LoadSession:
    """Choose the interface to onnxruntime: its C API or, if another version is installed, its Python package.

    Returns:
        A class that loads a graph.

    Raises:
        BundleError: Neither is installed.
    """
    try:
        c_api()
    except (NotPinnedError, OnnxError) as error:
        reason = str(error)
    else:
        from handler.onnx_session import CSession

        return CSession
    try:
        from handler.onnx_python import PythonSession
    except ImportError as error:
        from handler.extras import how_to_install

        raise BundleError(
            f"No bundle can be loaded: {reason}, and onnxruntime's Python package cannot be imported ({error}): "
            f"{how_to_install()}."
        ) from None
    log_refusal("onnxruntime's Python package is used, which starts more slowly", reason=reason)
    return PythonSession


def _check_data(path: StrPath) -> None:
    """Raise BundleError if the graph has data in other files, which no hash of the manifest covers."""
    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            found = has_external_data(content)
    except ValueError as error:
        raise BundleError(f"{path} is not an ONNX graph: {error}. Export the model again.") from None
    if found:
        raise BundleError(
            f"{path} keeps data in other files, which no hash in the bundle covers. Someone may have altered it. "
            "Do not use it: export the model again."
        )
