"""Graphs that keep data in other files are refused, wherever in the graph the data is."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from handler.errors import BundleError
from handler.external_data import has_external_data
from handler.graph import OnnxGraph
from tests.bundles import INTENT, TAGGER, write_bundle

SECRET = b"what nobody may read of all this"
ANSWER = helper.make_tensor_value_info("answer", TensorProto.UINT8, [len(SECRET)])
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def elsewhere(name: str = "weights") -> TensorProto:
    """Return a tensor with its data in the file `secret`."""
    tensor = TensorProto(name=name, data_type=TensorProto.UINT8, dims=[len(SECRET)])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret")
    return tensor


def constant(**attribute: object) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], ["answer"])
    node.attribute.append(AttributeProto(name="value", **attribute))
    return node


def model(*nodes: onnx.NodeProto, constants: Iterable[TensorProto] = ()) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", [], [ANSWER], list(constants))
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=9)


def as_weights() -> onnx.ModelProto:
    return model(helper.make_node("Identity", ["weights"], ["answer"]), constants=[elsewhere()])


def as_attribute() -> onnx.ModelProto:
    return model(constant(type=AttributeProto.TENSOR, t=elsewhere()))


def in_a_branch() -> onnx.ModelProto:
    branch = helper.make_graph([constant(type=AttributeProto.TENSOR, t=elsewhere())], "branch", [], [ANSWER])
    node = helper.make_node("If", ["yes"], ["answer"], then_branch=branch, else_branch=branch)
    return model(node, constants=[numpy_helper.from_array(np.array(True), "yes")])


def in_a_function() -> onnx.ModelProto:
    function = helper.make_function(
        "own", "Read", [], ["answer"], [constant(type=AttributeProto.TENSOR, t=elsewhere())], OPSETS[:1]
    )
    made = model(helper.make_node("Read", [], ["answer"], domain="own"))
    made.functions.append(function)
    return made


READ: dict[str, Callable[[], onnx.ModelProto]] = {
    "weights": as_weights,
    "attribute": as_attribute,
    "branch": in_a_branch,
    "function": in_a_function,
}


def in_a_list() -> onnx.ModelProto:
    return model(constant(type=AttributeProto.TENSORS, tensors=[elsewhere()]))


def in_a_list_of_graphs() -> onnx.ModelProto:
    return model(constant(type=AttributeProto.GRAPHS, graphs=[as_weights().graph]))


def as_sparse_weights() -> onnx.ModelProto:
    made = model()
    made.graph.sparse_initializer.add(values=elsewhere())
    return made


def as_sparse_attribute() -> onnx.ModelProto:
    sparse = onnx.SparseTensorProto(indices=elsewhere())
    return model(constant(type=AttributeProto.SPARSE_TENSOR, sparse_tensor=sparse))


def in_the_training() -> onnx.ModelProto:
    made = model()
    made.training_info.add(algorithm=as_weights().graph)
    return made


def with_a_place_only() -> onnx.ModelProto:
    made = as_weights()
    made.graph.initializer[0].ClearField("data_location")
    return made


HIDDEN = (in_a_list, in_a_list_of_graphs, as_sparse_weights, as_sparse_attribute, in_the_training, with_a_place_only)


@pytest.mark.parametrize("make", READ.values(), ids=READ)
def test_a_graph_that_reads_another_file_is_refused(make: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "model.onnx").write_bytes(make().SerializeToString())
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert session.run(None, {})[0].tobytes() == SECRET
    with pytest.raises(BundleError, match=r"model\.onnx keeps data in other files.* export the model again"):
        OnnxGraph(tmp_path / "model.onnx")


@pytest.mark.parametrize("make", HIDDEN, ids=lambda make: make.__name__)
def test_external_data_is_found_anywhere_in_a_graph(make: Callable[[], onnx.ModelProto]) -> None:
    assert has_external_data(make().SerializeToString())


def test_a_graph_without_external_data_is_accepted(tmp_path: Path) -> None:
    for head in (INTENT, TAGGER):
        assert not has_external_data((write_bundle(tmp_path / head.name, head) / "model.onnx").read_bytes())


@pytest.mark.parametrize(
    "location", [b"\x01", b"\x81\x80\x00", b"\x81\x80\x80\x80\x10", b"\xff" * 9 + b"\x01"], ids=repr
)
@pytest.mark.parametrize("tag", [b"\x70", b"\xf0\x80\x00", b"\xf0\x80\x80\x80\x70"], ids=repr)
def test_overlong_varints_are_understood(tag: bytes, location: bytes) -> None:
    """Protobuf truncates numbers to 32 bits, so EXTERNAL (1) has many encodings."""
    tensor = tag + location
    graph = b"\x2a" + bytes([0x80 | len(tensor), 0x80, 0x00]) + tensor
    content = b"\x3a" + bytes([len(graph)]) + graph
    assert has_external_data(content)


def test_onnxruntimes_own_format_is_not_read(tmp_path: Path) -> None:
    """onnxruntime chooses the format by the file name, so such a graph would escape the check."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    folder = write_bundle(tmp_path / "intent", INTENT)
    onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    assert (tmp_path / "model.ort").read_bytes()[4:8] == b"ORTM"
    onnxruntime.InferenceSession(str(tmp_path / "model.ort"), providers=["CPUExecutionProvider"])
    with pytest.raises(BundleError, match=r"model\.ort"):
        OnnxGraph(tmp_path / "model.ort")


@given(
    content=st.binary()
    | st.lists(st.sampled_from([0x3A, 0x2A, 0x70, 0x68, 0x0A, 0x02, 0x80, 0x01]), max_size=60).map(bytes)
)
def test_random_bytes_are_refused_or_have_no_external_data(content: bytes) -> None:
    try:
        found = has_external_data(content)
    except ValueError:
        return
    try:
        parsed = onnx.ModelProto.FromString(content)
    except Exception:  # no runtime loads a graph that protobuf rejects
        return
    tensors = [tensor for tensor in parsed.graph.initializer if tensor.data_location or tensor.external_data]
    assert found or not tensors


def test_a_deeply_nested_graph_is_checked() -> None:
    content = b""
    for _ in range(3000):
        attribute = b"\x32" + _length(content) + content
        node = b"\x2a" + _length(attribute) + attribute
        content = b"\x0a" + _length(node) + node
    assert not has_external_data(b"\x3a" + _length(content) + content)


def _length(content: bytes) -> bytes:
    size, digits = len(content), []
    while size >= 0x80:
        digits.append(0x80 | size & 0x7F)
        size >>= 7
    return bytes([*digits, size])
