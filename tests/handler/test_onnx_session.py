"""onnxruntime's C API runs graphs of every dtype, releases what it creates, and reports errors as exceptions."""

import gc
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from handler.onnx_c_api import OnnxError
from handler.onnx_python import PythonSession
from handler.onnx_session import CSession
from handler.tensor import FORMATS, Tensor

TYPES = {
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL,
}
VALUES = {"int32": [-3, 0, 2**31 - 1], "int64": [-3, 0, 2**63 - 1], "bool": [True, False, True]}
MEGABYTE = 1 << 20
LEAK_RUNS, LEAK_BYTES = 20_000, 4 * MEGABYTE
"""A leak of 200 bytes in a run, less than one tensor of onnxruntime, exceeds this."""


def write(path: Path, *nodes: onnx.NodeProto, inputs: dict[str, tuple[int, list[object]]], **outputs: int) -> Path:
    """Write a graph. The shapes of the outputs are unknown."""
    given = [helper.make_tensor_value_info(name, *described) for name, described in inputs.items()]
    answers = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    graph = helper.make_graph(nodes, "graph", given, answers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def write_sum(folder: Path) -> Path:
    """Write a graph with `sum` = x + y, and `shape`, the shape of x."""
    nodes = [helper.make_node("Add", ["x", "y"], ["sum"]), helper.make_node("Shape", ["x"], ["shape"])]
    rows = (TensorProto.FLOAT, ["batch", 2])
    return write(
        folder / "sum.onnx", *nodes, inputs={"x": rows, "y": rows}, sum=TensorProto.FLOAT, shape=TensorProto.INT64
    )


def row(*values: float) -> Tensor:
    return Tensor.of("float32", [values], 2)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> CSession:
    return CSession(write_sum(tmp_path_factory.mktemp("graph")), 1)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("session", [CSession, PythonSession])
def test_every_dtype_and_shape_comes_back(
    tmp_path: Path, dtype: str, session: type[CSession] | type[PythonSession]
) -> None:
    identity = helper.make_node("Identity", ["x"], ["y"])
    loaded = session(write(tmp_path / "identity.onnx", identity, inputs={"x": (TYPES[dtype], None)}, y=TYPES[dtype]), 1)
    assert (loaded.inputs, loaded.outputs) == (["x"], ["y"])
    values = VALUES.get(dtype, [0.5, -2.0, 1e30])
    flat = Tensor.of(dtype, values)
    for shape, wanted in [((3,), flat), ((1, 3, 1), flat), ((), flat.rows(1, 2)), ((0, 4), flat.rows(0, 0))]:
        for buffer in (wanted.flat, bytes(wanted.flat)):  # writable and read-only memory
            answer = loaded.run({"x": Tensor(dtype, shape, buffer)})["y"]
            assert (answer.dtype, answer.shape) == (dtype, shape)
            assert [*answer.flat] == [*wanted.flat]


@given(
    batches=st.lists(st.lists(st.tuples(*[st.floats(width=32, allow_nan=False)] * 2), max_size=5), max_size=5),
)
def test_runs_with_changing_shapes_do_not_mix(added: CSession, batches: list[list[tuple[float, float]]]) -> None:
    kept = []
    for rows in batches:
        tensor = Tensor.of("float32", rows, 2)
        kept.append((tensor, added.run({"x": tensor, "y": Tensor("float32", tensor.shape, bytes(8 * len(rows)))})))
    for tensor, answer in kept:  # later runs did not write into earlier answers
        assert answer["sum"].flat == tensor.flat
        assert answer["shape"].tolist() == [*tensor.shape]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"the graph has the inputs \['x', 'y'\], found \[\]"),
        ({"x": row(1, 2)}, r"the graph has the inputs \['x', 'y'\], found \['x'\]"),
        ({"x": row(1, 2), "z": row(1, 2)}, r"inputs \['x', 'y'\], found \['x', 'z'\]"),
        ({"x": row(1, 2), "y": row(1, 2), "z": row(1, 2)}, r"found \['x', 'y', 'z'\]"),
        ({"x": row(1, 2), "y": Tensor.of("int64", [[1, 2]], 2)}, "input 'y' is float32, found int64"),
        ({"x": row(1, 2), "y": Tensor.of("float32", [1, 2])}, "Invalid rank for input: y"),
        ({"x": row(1, 2), "y": Tensor.of("float32", [[1, 2, 3]], 3)}, "Got invalid dimensions for input: y"),
        ({"x": row(1, 2), "y": Tensor.of("float32", [[1, 2]] * 3, 2).rows(0, 3), "": row(1, 2)}, "found"),
        ({"x": Tensor.of("float32", [[1, 2]] * 2, 2), "y": Tensor.of("float32", [[1, 2]] * 3, 2)}, "Add"),
    ],
)
def test_invalid_inputs_are_an_error_and_the_next_run_works(
    added: CSession, inputs: dict[str, Tensor], message: str
) -> None:
    with pytest.raises(OnnxError, match=message):
        added.run(inputs)
    assert added.run({"x": row(1, 2), "y": row(3, 4)})["sum"].tolist() == [[4.0, 6.0]]


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x09", b"\x3a\x02\x0a\x00"], ids=repr)
def test_a_file_that_is_no_graph_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(OnnxError):
        CSession(tmp_path / "model.onnx", 1)
    with pytest.raises(OnnxError, match=r"doesn't exist"):
        CSession(tmp_path / "missing.onnx", 1)


def test_a_graph_of_other_values_is_refused(tmp_path: Path) -> None:
    text = helper.make_node("Identity", ["x"], ["y"])
    strings = {"x": (TensorProto.STRING, ["batch"])}
    with pytest.raises(OnnxError, match="'x' is not a tensor of one of the dtypes"):
        CSession(write(tmp_path / "strings.onnx", text, inputs=strings, y=TensorProto.STRING), 1)
    sequence = helper.make_node("SequenceConstruct", ["x"], ["y"])
    value = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    graph = helper.make_graph(
        [sequence],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch"])],
        [helper.make_value_info("y", value)],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(tmp_path / "s.onnx")
    )
    with pytest.raises(OnnxError, match="'y' is not a tensor of one of the dtypes"):
        CSession(tmp_path / "s.onnx", 1)


def test_a_damaged_graph_never_ends_the_process(tmp_path: Path) -> None:
    """A thousand damaged copies either fail to load, fail to run or answer; this process survives all of them."""
    content = write_sum(tmp_path).read_bytes()
    source, failures, path = random.Random(7), 0, tmp_path / "damaged.onnx"
    for _ in range(1000):
        damaged = bytearray(content)
        for _ in range(source.randint(1, 3)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        path.write_bytes(damaged[: source.choice([len(damaged), source.randrange(len(damaged))])])
        try:
            CSession(path, 1).run({"x": row(1, 2), "y": row(3, 4)})
        except OnnxError:
            failures += 1
    assert 0 < failures < 1000


def test_threads_share_a_session(added: CSession) -> None:
    wrong: list[object] = []

    def ask(number: int) -> None:
        for index in range(500):
            rows = [(number, index)] * (1 + (number + index) % 3)
            tensor = Tensor.of("float32", rows, 2)
            answer = added.run({"x": tensor, "y": tensor})
            if answer["sum"].tolist() != [[2.0 * number, 2.0 * index]] * len(rows):
                wrong.append((number, index, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def batches() -> Iterator[Tensor]:
    """Yield batches of 1, 2 and 3 rows, so that every run changes the shape."""
    while True:
        for rows in (1, 2, 3):
            yield Tensor("float32", (rows, 2), bytes(8 * rows))


def test_runs_leak_no_memory(added: CSession) -> None:
    source, wrong = batches(), Tensor.of("float32", [1.0])

    def ask(runs: int) -> None:
        for _ in range(runs):
            tensor = next(source)
            added.run({"x": tensor, "y": tensor})
            with pytest.raises(OnnxError):
                added.run({"x": tensor, "y": wrong})

    ask(500)
    gc.collect()
    before = resident_bytes()
    ask(LEAK_RUNS)
    assert resident_bytes() - before < LEAK_BYTES


def test_sessions_leak_no_memory(tmp_path: Path) -> None:
    path = write_sum(tmp_path)

    def load(times: int) -> None:
        for _ in range(times):
            CSession(path, 1).run({"x": row(1, 2), "y": row(3, 4)})

    load(50)
    before = resident_bytes()
    load(500)
    assert resident_bytes() - before < 2 * LEAK_BYTES
