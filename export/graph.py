"""Write the network as a graph: preprocessed arrays in, Ludwig's own predictions and probabilities out."""

import warnings
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import torch
from torch.overrides import TorchFunctionMode

from export.errors import ExportError
from export.model import SourceModel
from export.odd_rows import values_to_try
from handler.bundle import Graph, Tensor
from handler.inputs import InputFeature
from handler.outputs import OutputFeature, SequenceOutput

if TYPE_CHECKING:
    from ludwig.models.ecd import ECD

OPSET = 17
BATCH = "batch"
EXAMPLE_ROWS = 2
"""With one row, tracing would take the batch for a constant."""


class PredictingModel(torch.nn.Module):
    """Ludwig's network with Ludwig's own prediction modules behind it, so that softmax or calibration are its own."""

    def __init__(self, model: "ECD", inputs: Sequence[InputFeature], outputs: Sequence[OutputFeature]) -> None:
        super().__init__()
        self.model = model
        self.input_names = [feature.name for feature in inputs]
        self.sequences = {feature.name for feature in outputs if isinstance(feature, SequenceOutput)}
        self.tensors = [tensor.split("::") for feature in outputs for tensor in feature.tensors]

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the tensors that the handler reads, in the order of the output features."""
        logits = self.model(dict(zip(self.input_names, inputs, strict=True)))
        predictions = self.model.outputs_to_predictions(logits)
        return tuple(self._answer(predictions[feature][kind], feature, kind) for feature, kind in self.tensors)

    def _answer(self, tensor: torch.Tensor, feature: str, kind: str) -> torch.Tensor:
        # Ludwig answers the most probable label of each position only: the rest need not leave the graph.
        return tensor.amax(dim=-1) if feature in self.sequences and kind == "probabilities" else tensor


class DecidedOperators(TorchFunctionMode):
    """Decide, while a network is traced, what a graph would have to decide while it runs.

    `squeeze` of an axis becomes a choice that onnxruntime refuses, and `cumprod` has no ONNX operator; but the sizes of
    all axes save the batch are known here.
    """

    def __torch_function__(
        self, operator: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one of torch's operators, or what stands for it."""
        kwargs = kwargs or {}
        replace = DECIDED.get(operator, operator)
        return replace(*args, **kwargs)


def _squeeze(tensor: torch.Tensor, dim: int | None = None) -> torch.Tensor:
    if dim is None:
        return torch.reshape(tensor, [size for size in tensor.shape if int(size) != 1])
    return tensor.select(dim, 0) if int(tensor.shape[dim]) == 1 else tensor


def _cumprod(tensor: torch.Tensor, dim: int) -> torch.Tensor:
    return torch.stack(list(accumulate(tensor.unbind(dim), torch.mul)), dim)


DECIDED = {torch.squeeze: _squeeze, torch.Tensor.squeeze: _squeeze, torch.cumprod: _cumprod}


def write_graph(
    model: SourceModel, inputs: Sequence[InputFeature], outputs: Sequence[OutputFeature], folder: Path
) -> Graph:
    """Trace the network into `model.onnx`. Raises ExportError if it cannot be traced or the graph is unsafe."""
    network = PredictingModel(model.ludwig_model.model.cpu().eval(), inputs, outputs)
    path = folder / "model.onnx"
    input_names = [feature.name for feature in inputs]
    output_names = [tensor for feature in outputs for tensor in feature.tensors]
    example = tuple(
        torch.from_numpy(feature.encoder(folder).encode(list(values_to_try(feature, ()).values())[:EXAMPLE_ROWS]))
        for feature in inputs
    )
    try:
        with warnings.catch_warnings(), torch.no_grad(), DecidedOperators():
            warnings.simplefilter("ignore")
            answers = network(*example)
            torch.onnx.export(
                network,
                example,
                str(path),
                dynamo=False,  # the newer exporter writes graphs of Ludwig's Dense layers that onnxruntime refuses
                opset_version=OPSET,
                input_names=input_names,
                output_names=output_names,
                dynamic_axes={name: {0: BATCH} for name in [*input_names, *output_names]},
            )
    except Exception as error:
        raise ExportError(f"torch cannot export this network to ONNX: {type(error).__name__}: {error}") from error
    graph = _cleaned(onnx.load(path))
    onnx.save(graph, str(path))
    return Graph(
        format="onnx",
        file=path.name,
        inputs=[_describe(name, tensor) for name, tensor in zip(input_names, example, strict=True)],
        outputs=[_describe(name, tensor) for name, tensor in zip(output_names, answers, strict=True)],
    )


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


def _describe(name: str, tensor: torch.Tensor) -> Tensor:
    return Tensor(name=name, dtype=str(tensor.dtype).removeprefix("torch."), shape=[BATCH, *tensor.shape[1:]])
