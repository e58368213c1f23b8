"""Run a TorchScript graph: the one module of the handler that imports torch, and only for bundles that need it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handler.bundle import Graph
from handler.errors import BundleError
from handler.extras import how_to_install


class TorchscriptGraph:
    """A traced module, loaded and ready. Safe to call from several threads."""

    def __init__(self, graph: Graph, folder: Path, threads: int = 1) -> None:
        """Load a graph. threads: how many torch may use. Raises BundleError if torch is missing or refuses it."""
        try:
            import torch
        except ModuleNotFoundError:
            raise BundleError(
                f"{folder} is a TorchScript bundle, and torch is not installed: {how_to_install('torchscript')}, or "
                "export the model with `--format onnx`."
            ) from None
        torch.set_num_threads(threads)
        path = folder / graph.file
        try:
            self._module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BundleError(f"torch cannot load {path}: {reason}. Export the model again.") from None
        self._torch = torch
        self.inputs = [tensor.name for tensor in graph.inputs]
        self.outputs = [tensor.name for tensor in graph.outputs]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a batch: named arrays in, named arrays out, as the manifest's `graph` describes them."""
        with self._torch.inference_mode():
            answers = self._module(*(self._torch.from_numpy(inputs[name]) for name in self.inputs))
        return {name: answer.numpy() for name, answer in zip(self.outputs, answers, strict=True)}
