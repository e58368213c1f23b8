"""Quantize the large matrices of an ONNX graph to int8 in blocks of weights that share a scale.

A transformer loses its answers if a whole matrix, or all activations of a layer, share one scale. Here, 32 weights of a
column share one, and so do 32 activations (`MatMulNBits` of onnxruntime computes in int8 with `accuracy_level` 4).
Embeddings have one scale per row. Everything else, such as the small last layer, stays float32.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

DOMAIN = "com.microsoft"
"""The domain of onnxruntime's own operators."""
BLOCK = 32
LARGEST = 127
"""Largest absolute int8 value that is used, so that the values are symmetric."""
ZERO_POINT = 128
"""`MatMulNBits` stores 8 bits unsigned, with this value for zero."""
COMPUTE_IN_INT8 = 4
LARGE = 16_384
"""Minimum number of weights of a matrix; smaller ones save nothing."""


def quantize_blockwise(source: Path, target: Path) -> None:
    """Quantize the matrices of a graph's matrix products and embeddings.

    Args:
        source: The exact graph.
        target: Where to write the quantized graph.

    Raises:
        ValueError: The graph has no matrix that can be quantized.
    """
    model = onnx.load(source)
    graph = model.graph
    uses = Counter(name for node in graph.node for name in node.input)
    weights = {
        each.name: numpy_helper.to_array(each)
        for each in graph.initializer
        if uses[each.name] == 1 and len(each.dims) == 2 and each.data_type == onnx.TensorProto.FLOAT
    }
    weights = {name: matrix for name, matrix in weights.items() if matrix.size >= LARGE}
    nodes: list[onnx.NodeProto] = []
    tensors: dict[str, list[onnx.TensorProto]] = {}
    for node in graph.node:
        made = _replaced(node, weights)
        if made is None:
            nodes.append(node)
        else:
            name, new_nodes, new_tensors = made
            nodes += new_nodes
            tensors[name] = new_tensors
    if not tensors:
        raise ValueError("the graph has no large matrix in a matrix product or an embedding")
    kept = [each for each in graph.initializer if each.name not in tensors]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*kept, *(tensor for group in tensors.values() for tensor in group)])
    if all(each.domain != DOMAIN for each in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    onnx.save(model, str(target))


Replacement = tuple[str, list[onnx.NodeProto], list[onnx.TensorProto]]
"""The name of the replaced matrix, the nodes in place of the one that reads it, and their tensors."""


def _replaced(node: onnx.NodeProto, weights: dict[str, np.ndarray]) -> Replacement | None:
    """Return what replaces a node, or None if it stays."""
    if node.op_type == "MatMul" and node.input[1] in weights:
        matrix = weights[node.input[1]]
        return _product(node, matrix) if len(matrix) % BLOCK == 0 else None
    is_embedding = node.op_type == "Gather" and not any(each.name == "axis" and each.i for each in node.attribute)
    return _embedding(node, weights[node.input[0]]) if is_embedding and node.input[0] in weights else None


def _product(node: onnx.NodeProto, matrix: np.ndarray) -> Replacement:
    """Return a `MatMulNBits` in place of a `MatMul` by a matrix of shape (inputs, outputs)."""
    inputs, outputs = matrix.shape
    name = node.input[1]
    # The operator reads the transposed matrix: for each output, its blocks of inputs.
    blocks = matrix.T.reshape(outputs, inputs // BLOCK, BLOCK)
    whole, scales = _int8(blocks)
    tensors = [
        numpy_helper.from_array((whole + ZERO_POINT).astype(np.uint8), f"{name}_int8"),
        numpy_helper.from_array(scales.reshape(-1), f"{name}_scales"),
    ]
    replacement = helper.make_node(
        "MatMulNBits",
        [node.input[0], *(tensor.name for tensor in tensors)],
        list(node.output),
        name=node.name,
        domain=DOMAIN,
        K=inputs,
        N=outputs,
        bits=8,
        block_size=BLOCK,
        accuracy_level=COMPUTE_IN_INT8,
    )
    return name, [replacement], tensors


def _embedding(node: onnx.NodeProto, matrix: np.ndarray) -> Replacement:
    """Return the nodes in place of a `Gather` of rows: gather int8 rows and their scales, and multiply."""
    name, ids, output = node.input[0], node.input[1], node.output[0]
    whole, scales = _int8(matrix)
    tensors = [
        numpy_helper.from_array(whole.astype(np.int8), f"{name}_int8"),
        numpy_helper.from_array(scales, f"{name}_scales"),
    ]
    nodes = [
        helper.make_node("Gather", [tensors[0].name, ids], [f"{output}_int8"], name=node.name),
        helper.make_node("Gather", [tensors[1].name, ids], [f"{output}_scale"]),
        helper.make_node("Cast", [f"{output}_int8"], [f"{output}_float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [f"{output}_float", f"{output}_scale"], [output]),
    ]
    return name, nodes, tensors


def _int8(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return integers and scales, whose product approximates float32 values of shape (..., size).

    Returns:
        Whole numbers from -127 to 127, float32 of the same shape, and scales, float32, (..., 1).
    """
    scales = np.abs(values).max(axis=-1, keepdims=True) / LARGEST
    scales[scales == 0] = 1
    return np.rint(values / scales), scales.astype(np.float32)
