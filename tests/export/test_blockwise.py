"""Blockwise int8: large matrices become a quarter of their size, and answers hardly change."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.blockwise import quantize_blockwise

WORDS, SIZE, HIDDEN, LABELS = 2000, 64, 512, 5


def graph(path: Path, *, with_large: bool = True) -> Path:
    """Write a graph from word ids to label scores: an embedding, two large products and a small last one."""
    random = np.random.default_rng(0)
    shapes = {"words": (WORDS, SIZE), "up": (SIZE, HIDDEN), "down": (HIDDEN, SIZE), "last": (SIZE, LABELS)}
    if not with_large:
        shapes = {"words": (10, 8), "up": (8, 16), "down": (16, 8), "last": (8, LABELS)}
    tensors = []
    for name, shape in shapes.items():
        matrix = (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        matrix[0] *= 50  # a few large weights, as transformers have
        tensors.append(numpy_helper.from_array(matrix, name))
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "up"], ["wide"]),
        helper.make_node("Relu", ["wide"], ["active"]),
        helper.make_node("MatMul", ["active", "down"], ["narrow"]),
        helper.make_node("ReduceMean", ["narrow"], ["pooled"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["pooled", "last"], ["scores"]),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["rows", "length"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", LABELS])
    made = helper.make_graph(nodes, "test", [ids], [scores], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def answers(path: Path, ids: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"ids": ids})[0])


def test_a_quantized_graph_is_small_and_gives_nearly_the_same_answers(tmp_path: Path) -> None:
    exact, small = graph(tmp_path / "exact.onnx"), tmp_path / "small.onnx"
    quantize_blockwise(exact, small)
    assert small.stat().st_size < 0.33 * exact.stat().st_size
    ids = np.random.default_rng(1).integers(WORDS, size=(200, 7))
    expected, found = answers(exact, ids), answers(small, ids)
    assert (expected.argmax(axis=1) == found.argmax(axis=1)).mean() > 0.98
    assert np.abs(expected - found).max() < 0.05 * np.abs(expected).max()
    assert not np.array_equal(expected, found)
    operators = [node.op_type for node in onnx.load(small).graph.node]
    assert operators.count("MatMulNBits") == 2
    assert operators.count("MatMul") == 1  # the last layer is small and stays exact


def test_a_graph_without_large_matrices_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no large matrix"):
        quantize_blockwise(graph(tmp_path / "exact.onnx", with_large=False), tmp_path / "small.onnx")
    assert not (tmp_path / "small.onnx").exists()
