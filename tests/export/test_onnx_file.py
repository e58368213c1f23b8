"""Large weights are aligned in the file, which stays the same graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from export.onnx_file import aligned, save
from handler.onnx_weights import ALIGNMENT, LARGE_BYTES, large_weight, read_fields

LARGE_ROWS = LARGE_BYTES // 4


def graph_with(*sizes: int, doc_string: str = "") -> onnx.ModelProto:
    """Return a graph whose float32 weights have these sizes."""
    weights = [
        numpy_helper.from_array(np.arange(size, dtype=np.float32), f"weight{index}") for index, size in enumerate(sizes)
    ]
    for weight in weights:
        weight.doc_string = doc_string
    nodes = [helper.make_node("Identity", [weight.name], [f"{weight.name}_out"]) for weight in weights]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["size"]) for node in nodes]
    graph = helper.make_graph(nodes, "graph", [], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="a test")


def offsets(content: bytes) -> list[int]:
    """Return the offsets of the large weights."""
    (graph,) = (field for field in read_fields(content, 0, len(content)) if field.number == 7)
    fields = read_fields(content, graph.content, graph.end)
    return [raw.content for field in fields if (raw := large_weight(content, field))]


@given(
    sizes=st.lists(st.sampled_from([0, 1, 100, LARGE_ROWS - 1, LARGE_ROWS, LARGE_ROWS + 1]), min_size=1, max_size=4),
    doc_string=st.sampled_from(["", "a text", "x" * 200]),
)
def test_large_weights_are_aligned_and_nothing_else_changes(sizes: list[int], doc_string: str) -> None:
    model = graph_with(*sizes, doc_string=doc_string)
    content = aligned(model.SerializeToString())
    found = offsets(content)
    assert len(found) == sum(size >= LARGE_ROWS for size in sizes)
    assert all(offset % ALIGNMENT == 0 for offset in found)
    assert aligned(content) == content
    read = onnx.ModelProto.FromString(content)
    for weight in (*read.graph.initializer, *model.graph.initializer):
        weight.ClearField("doc_string")
    assert read == model


def test_a_graph_of_small_weights_is_written_as_it_is(tmp_path: Path) -> None:
    model = graph_with(1, LARGE_ROWS - 1)
    save(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == model.SerializeToString()


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(ValueError, match="wire type"):
        aligned(b"no graph")
