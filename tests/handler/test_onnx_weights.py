"""Large weights are mapped from the file: the answers stay the same, and memory is used only for what is read."""

import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from export.onnx_file import aligned
from handler.errors import BundleError
from handler.external_data import has_external_data
from handler.graph import OnnxGraph
from handler.onnx_c_api import OnnxError
from handler.onnx_session import CSession
from handler.onnx_weights import GRAPH, LARGE_BYTES, large_weight, read_fields, with_mapped_weights
from handler.tensor import Tensor
from tests.handler.deployment import run_python

SIZE = 160
"""A square matrix of float32 with this many rows is large."""
SOURCE = np.random.default_rng(7)


def square(kind: type = np.float32) -> np.ndarray:
    numbers: np.ndarray = (SOURCE.standard_normal((SIZE, SIZE)) * 50).astype(kind)
    return numbers


def gathered(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    weights["table"] = square()
    return [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "i"], ["y"]),
    ]


def multiplied(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    weights["matrix"] = square()
    return [helper.make_node("MatMul", ["x", "matrix"], ["y"])]


def folded(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """Constants that onnxruntime computes while it loads the graph."""
    weights["matrix"], weights["double"], weights["bias"] = square(), square(np.float64), square()
    return [
        helper.make_node("Transpose", ["matrix"], ["transposed"], perm=[1, 0]),
        helper.make_node("Cast", ["double"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["transposed", "single"], ["sum"]),
        helper.make_node("Mul", ["sum", "bias"], ["product"]),
        helper.make_node("MatMul", ["x", "product"], ["y"]),
    ]


def normalized(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    weights["matrix"], weights["bias"] = square(), square()
    return [
        helper.make_node("Gemm", ["x", "matrix"], ["m"], transB=1),
        helper.make_node("Add", ["m", "bias"], ["s"]),
        helper.make_node("Softmax", ["s"], ["y"]),
    ]


def recurrent(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    weights["w"] = SOURCE.standard_normal((1, 4 * SIZE, SIZE)).astype(np.float32)
    weights["r"] = SOURCE.standard_normal((1, 4 * SIZE, SIZE)).astype(np.float32)
    weights["axes"] = np.array([1])
    return [
        helper.make_node("Unsqueeze", ["x", "axes"], ["rows"]),
        helper.make_node("LSTM", ["rows", "w", "r"], ["y"], hidden_size=SIZE),
    ]


def quantized(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    weights["eight"] = SOURCE.integers(-64, 64, (SIZE, 4 * SIZE)).astype(np.int8)
    return [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["q", "eight", "zero"], ["i"]),
        helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
    ]


def in_a_branch(weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """A subgraph that reads a weight of the whole graph."""
    weights["matrix"], weights["yes"] = square(), np.array(True)
    answer = helper.make_tensor_value_info("branch", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("MatMul", ["x", "matrix"], ["branch"])], "branch", [], [answer])
    return [helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]


KINDS = [gathered, multiplied, folded, normalized, recurrent, quantized, in_a_branch]
ROWS = Tensor.of("float32", ([float((row + column) % SIZE) for column in range(SIZE)] for row in range(SIZE)), SIZE)


def graph_of(kind: object) -> bytes:
    weights: dict[str, np.ndarray] = {}
    nodes = kind(weights)  # type: ignore[operator]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return aligned(model.SerializeToString())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_mapped_weights_answer_the_same(tmp_path: Path, kind: object) -> None:
    content = graph_of(kind)
    path = tmp_path / "a gráph.onnx"
    path.write_bytes(content)
    small = with_mapped_weights(content, path.name)
    assert small is not None
    assert len(small) < LARGE_BYTES < len(content)
    assert has_external_data(small)
    assert not has_external_data(content)
    expected = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(
        None, {"x": np.asarray(ROWS)}
    )
    answer = OnnxGraph(path).run({"x": ROWS})["y"]
    np.testing.assert_allclose(np.asarray(answer), expected[0], rtol=1e-5)


def test_a_linked_file_is_mapped_too(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "0a1b").write_bytes(graph_of(multiplied))
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.onnx").symlink_to("../blobs/0a1b")
    (tmp_path / "other").symlink_to("bundle")
    answers = [CSession(tmp_path / name / "model.onnx", 1).run({"x": ROWS})["y"].flat for name in ("bundle", "other")]
    assert answers[0] == answers[1]


def test_weights_at_other_offsets_are_copied(tmp_path: Path) -> None:
    content = graph_of(multiplied)
    moved = b"\x12\x01a" + content  # a producer's name in front of the graph
    assert with_mapped_weights(content, "model.onnx") is not None
    assert with_mapped_weights(moved, "model.onnx") is None
    (tmp_path / "model.onnx").write_bytes(content)
    (tmp_path / "moved.onnx").write_bytes(moved)
    answers = [CSession(tmp_path / name, 1).run({"x": ROWS})["y"].flat for name in ("model.onnx", "moved.onnx")]
    assert answers[0] == answers[1]


LOAD = """
import sys
from pathlib import Path
from handler.onnx_session import CSession
from handler.tensor import Tensor

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024

CSession(Path(sys.argv[1]), 1)
before = anonymous()
session = CSession(Path(sys.argv[2]), 1)
assert session.run({"x": Tensor.of("int64", [3])})["y"].tolist() == [[3.0] * 256]
print(anonymous() - before)
"""


def test_weights_use_memory_only_where_they_are_read(tmp_path: Path) -> None:
    def table(rows: int) -> Path:
        numbers = np.repeat(np.arange(rows, dtype=np.float32)[:, None], 256, axis=1)
        graph = helper.make_graph(
            [helper.make_node("Gather", ["table", "x"], ["y"])],
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.INT64, ["batch"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 256])],
            [numpy_helper.from_array(numbers, "table")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        path = tmp_path / f"{rows}.onnx"
        path.write_bytes(aligned(model.SerializeToString()))
        return path

    megabyte = 1 << 20
    weights = 32 * megabyte
    loaded = run_python("-c", LOAD, str(table(4)), str(table(weights // 1024)))
    assert loaded.returncode == 0, loaded.stderr
    assert int(loaded.stdout) < 4 * megabyte


def test_damaged_descriptions_of_weights_never_end_the_process(tmp_path: Path) -> None:
    """The dimensions, sizes and offsets of weights may be anything: onnxruntime reads no bytes outside the file."""
    content = graph_of(folded)
    (graph,) = (field for field in read_fields(content, 0, len(content)) if field.number == GRAPH)
    fields = read_fields(content, graph.content, graph.end)
    weights = [range(raw.content, raw.end) for field in fields if (raw := large_weight(content, field))]
    described = [offset for offset in range(len(content)) if not any(offset in weight for weight in weights)]
    source, failures, path = random.Random(7), 0, tmp_path / "model.onnx"
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(source.randint(1, 2)):
            damaged[source.choice(described)] = source.randrange(256)
        path.write_bytes(damaged)
        try:
            OnnxGraph(path).run({"x": ROWS})
        except (BundleError, OnnxError):
            failures += 1
    assert 0 < failures < 300


@pytest.mark.parametrize("rows", [0, 1, SIZE - 1, SIZE + 1, 10**6, 2**40, 2**62])
def test_a_weight_of_another_size_is_an_error(tmp_path: Path, rows: int) -> None:
    model = onnx.ModelProto.FromString(graph_of(multiplied))
    model.graph.initializer[0].dims[0] = rows
    (tmp_path / "model.onnx").write_bytes(aligned(model.SerializeToString()))
    with pytest.raises(BundleError, match="onnxruntime cannot load"):
        OnnxGraph(tmp_path / "model.onnx")


@given(content=st.binary(max_size=200))
@example(content=b"\x3a\x01")  # a graph that ends after the file
@example(content=b"\x3a\x02\x2a\x05")
def test_bytes_that_are_no_graph_are_refused_or_have_no_weights(content: bytes) -> None:
    try:
        assert with_mapped_weights(content, "model.onnx") is None
    except ValueError:
        return
