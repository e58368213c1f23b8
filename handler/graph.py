"""Load and run a bundle's graph with onnxruntime, or with torch for TorchScript bundles."""

from collections.abc import Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Protocol

import numpy as np

from handler.bundle import Graph
from handler.errors import BundleError
from handler.external_data import has_external_data
from handler.onnx_library import FATAL, onnxruntime, tell_pending


class RunningGraph(Protocol):
    """A loaded graph.

    Attributes:
        inputs: The names of its input tensors.
        outputs: The names of its output tensors.
    """

    inputs: list[str]
    outputs: list[str]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph on one batch.

        Args:
            inputs: The input arrays by name, with the dtypes and shapes that the manifest's `graph` lists.

        Returns:
            The output arrays by name, (batch, ...).
        """


def load_graph(graph: Graph, folder: Path, threads: int = 1) -> RunningGraph:
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
    tell_pending()
    return OnnxGraph(folder / graph.file, threads)


class OnnxGraph:
    """An ONNX graph, loaded and ready. Safe to call from several threads."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a graph.

        Args:
            path: The file, an ONNX model.
            threads: How many threads one call may use.

        Raises:
            BundleError: The graph keeps data in other files, or onnxruntime cannot load it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL
        # Otherwise onnxruntime reads a file named *.ort in its own format, which `_check_data` cannot check.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        _check_data(path)
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no public base class
            raise BundleError(f"onnxruntime cannot load {path}: {error}. Export the model again.") from None
        self.inputs = [tensor.name for tensor in self._session.get_inputs()]
        self.outputs = [tensor.name for tensor in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph on one batch; see `RunningGraph.run`."""
        return dict(zip(self.outputs, self._session.run(None, inputs), strict=True))


def _check_data(path: Path) -> None:
    """Raise BundleError if the graph has data in other files, which no hash of the manifest covers."""
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            found = has_external_data(content)
    except ValueError as error:
        raise BundleError(f"{path} is not an ONNX graph: {error}. Export the model again.") from None
    if found:
        raise BundleError(
            f"{path} keeps data in other files, which no hash in the bundle covers. Someone may have altered it. "
            "Do not use it: export the model again."
        )
