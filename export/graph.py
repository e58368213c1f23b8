"""Trace Ludwig's network into a graph that maps preprocessed arrays to predictions and probabilities."""

import warnings
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from export.edge_cases import values_to_try
from export.encoders_for_graphs import encoders_for_graphs
from export.errors import ExportError
from export.formats import BATCH, Example, Names, write_onnx, write_torchscript
from export.ludwig_library import on_cpu
from export.model import SourceModel
from handler.bundle import Graph, GraphFormat, GraphTensor
from handler.inputs import InputFeature
from handler.outputs import OutputFeature, SequenceOutput

if TYPE_CHECKING:
    from ludwig.models.ecd import ECD

EXAMPLE_ROWS = 2
"""With one row, tracing would turn the batch size into a constant."""


class PredictingModel(torch.nn.Module):
    """Ludwig's network followed by Ludwig's own prediction modules, so that softmax and calibration are identical.

    Args:
        model: Ludwig's network.
        inputs: The inputs, in the order of the graph.
        outputs: The outputs, in the order of the graph.
    """

    def __init__(self, model: "ECD", inputs: Sequence[InputFeature], outputs: Sequence[OutputFeature]) -> None:
        super().__init__()
        self.model = model
        self.input_names = [feature.name for feature in inputs]
        self.sequences = {feature.name for feature in outputs if isinstance(feature, SequenceOutput)}
        self.tensors = [tensor.split("::") for feature in outputs for tensor in feature.tensors]

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run the network.

        Args:
            inputs: One tensor of shape (batch, ...) per input feature, in their order.

        Returns:
            The tensors that the handler reads, in the order of the output features.
        """
        logits = self.model(dict(zip(self.input_names, inputs, strict=True)))
        predictions = self.model.outputs_to_predictions(logits)
        return tuple(self._answer(predictions[feature][kind], feature, kind) for feature, kind in self.tensors)

    def _answer(self, tensor: torch.Tensor, feature: str, kind: str) -> torch.Tensor:
        # Ludwig returns only the highest probability of each position, so the graph does not output the others.
        return tensor.amax(dim=-1) if feature in self.sequences and kind == "probabilities" else tensor


class DecidedOperators(TorchFunctionMode):
    """Replace operators during tracing that would become dynamic in the graph or have no ONNX equivalent.

    Tracing turns `squeeze` of an axis into a conditional that onnxruntime rejects, and `cumprod` has no ONNX operator.
    All sizes except the batch are known while tracing, so static operators can replace them.
    """

    def __torch_function__(
        self, operator: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one of torch's operators, or its replacement."""
        kwargs = kwargs or {}
        replace = DECIDED.get(operator, operator)
        return replace(*args, **kwargs)


def _squeeze(tensor: torch.Tensor, dim: int | None = None) -> torch.Tensor:
    if dim is None:
        return torch.reshape(tensor, [size for size in tensor.shape if int(size) != 1])
    return tensor.select(dim, 0) if int(tensor.shape[dim]) == 1 else tensor


def _cumprod(tensor: torch.Tensor, dim: int) -> torch.Tensor:
    return torch.stack(list(accumulate(tensor.unbind(dim), torch.mul)), dim)


def _searchsorted(edges: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return (values.unsqueeze(-1) > edges).sum(-1)


DECIDED = {
    torch.squeeze: _squeeze,
    torch.Tensor.squeeze: _squeeze,
    torch.cumprod: _cumprod,
    torch.searchsorted: _searchsorted,
}


WRITERS: dict[GraphFormat, Callable[[torch.nn.Module, Example, Names, Path], Path]] = {
    "onnx": write_onnx,
    "torchscript": write_torchscript,
}


def write_graph(
    model: SourceModel,
    inputs: Sequence[InputFeature],
    outputs: Sequence[OutputFeature],
    folder: Path,
    graph_format: GraphFormat = "onnx",
) -> Graph:
    """Trace the network and write it into the bundle's folder.

    Args:
        model: The model.
        inputs: Its inputs, as the bundle describes them.
        outputs: Its outputs, as the bundle describes them.
        folder: The bundle's folder, which already contains the vocabularies and tokenizers.
        graph_format: `onnx` or `torchscript`.

    Returns:
        The manifest's description of the graph.

    Raises:
        ExportError: The network cannot be traced, or the graph is not self-contained.
    """
    ludwig_network = model.ludwig_model.model.cpu().eval()
    network = PredictingModel(ludwig_network, inputs, outputs)
    names = Names([feature.name for feature in inputs], [tensor for feature in outputs for tensor in feature.tensors])
    example = tuple(
        torch.from_numpy(
            np.array(feature.encoder(folder).encode([*values_to_try(feature, ()).values()][:EXAMPLE_ROWS]))
        )
        for feature in inputs
    )
    try:
        with (
            on_cpu(),
            warnings.catch_warnings(),
            torch.no_grad(),
            encoders_for_graphs(ludwig_network, inputs),
            DecidedOperators(),
        ):
            warnings.simplefilter("ignore")
            answers = network(*example)
            path = WRITERS[graph_format](network, example, names, folder)
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(f"torch cannot trace this network: {type(error).__name__}: {error}") from error
    return Graph(
        format=graph_format,
        file=path.name,
        inputs=[_describe(name, tensor) for name, tensor in zip(names.inputs, example, strict=True)],
        outputs=[_describe(name, tensor) for name, tensor in zip(names.outputs, answers, strict=True)],
    )


def _describe(name: str, tensor: torch.Tensor) -> GraphTensor:
    return GraphTensor(name=name, dtype=str(tensor.dtype).removeprefix("torch."), shape=[BATCH, *tensor.shape[1:]])
