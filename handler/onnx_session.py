"""Run ONNX graphs with onnxruntime's C API, without numpy."""

import ctypes
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_int64, c_size_t, c_void_p
from math import prod
from mmap import ACCESS_READ, mmap
from typing import Any

from handler.files import StrPath
from handler.onnx_c_api import ELEMENT_TYPES, FATAL, CApi, OnnxError, c_api
from handler.onnx_weights import LARGE_BYTES, with_mapped_weights
from handler.tensor import FORMATS, Tensor

DTYPES = {number: dtype for dtype, number in ELEMENT_TYPES.items()}
BYTES = {dtype: memoryview(bytes(8)).cast(code).itemsize for dtype, code in FORMATS.items()}
WEIGHTS_FOLDER = b"session.model_external_initializers_file_folder_path"
POINTER_BYTES = ctypes.sizeof(c_void_p)

CONFIGURATION = {
    # Otherwise onnxruntime reads a file named *.ort in its own format, which `handler.external_data` cannot check.
    b"session.load_model_format": b"ONNX",
}


class CSession:
    """A loaded graph. Safe to call from several threads.

    Attributes:
        inputs: The names of its input tensors.
        outputs: The names of its output tensors.
    """

    def __init__(self, path: StrPath, threads: int) -> None:
        """Load a graph.

        Args:
            path: The file, an ONNX model.
            threads: How many threads one run may use.

        Raises:
            OnnxError: onnxruntime cannot load the graph, or one of its inputs or outputs is not a tensor of a dtype in
                `handler.tensor.FORMATS`.
        """
        api = self._api = c_api()
        self._session = c_void_p(_session(api, path, threads))
        # Not at exit: other threads may still be running the graph.
        weakref.finalize(self, api.ReleaseSession, self._session).atexit = False
        inputs = _names(api, self._session, api.SessionGetInputCount, api.SessionGetInputName)
        outputs = _names(api, self._session, api.SessionGetOutputCount, api.SessionGetOutputName)
        self.inputs = [name.decode("utf-8", "replace") for name in inputs]
        self.outputs = [name.decode("utf-8", "replace") for name in outputs]
        self._dtypes = _dtypes(api, self._session, self.inputs, api.SessionGetInputTypeInfo)
        _dtypes(api, self._session, self.outputs, api.SessionGetOutputTypeInfo)
        self._names = (c_char_p * len(inputs))(*inputs), (c_char_p * len(outputs))(*outputs)
        self._frames: list[Frame] = []

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph on one batch.

        Args:
            inputs: The input tensors by name.

        Returns:
            The output tensors by name, read-only.

        Raises:
            OnnxError: The inputs have other names, dtypes or shapes than the graph's, or the run failed.
        """
        if inputs.keys() != self._dtypes.keys():
            raise OnnxError(f"the graph has the inputs {self.inputs}, found {[*inputs]}")
        try:
            frame = self._frames.pop()
        except IndexError:  # every frame is in use by another thread
            frame = Frame(self._api, [*self._dtypes.items()], len(self.outputs))
        try:
            for index, name in enumerate(self._dtypes):
                frame.fill(index, inputs[name])
            return dict(zip(self.outputs, frame.run(self._session, *self._names), strict=True))
        finally:
            self._frames.append(frame)


class Frame:
    """The arguments of a run and their memory, which later runs reuse.

    A run copies its inputs into this memory. That costs less than making ctypes and onnxruntime use other memory in
    each run, and works for read-only tensors.
    """

    def __init__(self, api: CApi, inputs: list[tuple[str, str]], outputs: int) -> None:
        """Create the arguments.

        Args:
            api: The C API.
            inputs: The name and the dtype of each input.
            outputs: The number of outputs.
        """
        self._api, self._inputs = api, inputs
        self._values, self._answers = (c_void_p * len(inputs))(), c_void_p * outputs
        self._counts = c_size_t(len(inputs)), c_size_t(outputs)
        self._shapes: list[tuple[int, ...] | None] = [None] * len(inputs)
        self._memory: list[memoryview[Any]] = [memoryview(b"")] * len(inputs)
        # What the C functions write for one output at a time, and references to it.
        self._written = c_int(), POINTER(c_int64)(), c_size_t(), POINTER(c_char)()
        self._references = tuple(map(byref, self._written))
        weakref.finalize(self, _release, api, self._values).atexit = False

    def fill(self, index: int, tensor: Tensor) -> None:
        """Copy an input into the memory of its value."""
        name, dtype = self._inputs[index]
        if tensor.dtype != dtype:
            raise OnnxError(f"the graph's input {name!r} is {dtype}, found {tensor.dtype}")
        if tensor.shape != self._shapes[index]:
            self._reshape(index, tensor)
        self._memory[index][:] = tensor.flat

    def _reshape(self, index: int, tensor: Tensor) -> None:
        """Replace the memory of an input with memory of a tensor's shape."""
        self._shapes[index] = None
        if self._values[index]:
            self._api.ReleaseValue(c_void_p(self._values[index]))
            self._values[index] = None
        memory, rank = bytearray(tensor.flat.nbytes), len(tensor.shape)
        owner, sizes = (c_char * len(memory)).from_buffer(memory), (c_int64 * rank)(*tensor.shape)
        self._api.check(
            self._api.CreateTensorWithDataAsOrtValue(
                *(self._api.memory, owner, len(memory), sizes, rank, ELEMENT_TYPES[tensor.dtype]),
                byref(self._values, index * POINTER_BYTES),
            )
        )
        self._memory[index] = memoryview(memory).cast(FORMATS[tensor.dtype])
        self._shapes[index] = tensor.shape

    def run(self, session: Any, inputs: Any, outputs: Any) -> list[Tensor]:
        """Run a graph on these inputs.

        Args:
            session: The session.
            inputs: The names of the graph's inputs, an array for C.
            outputs: The names of its outputs.

        Returns:
            A copy of each output.

        Raises:
            OnnxError: The run failed.
        """
        api, answers = self._api, self._answers()
        try:
            status = api.Run(session, None, inputs, self._values, self._counts[0], outputs, self._counts[1], answers)
            api.check(status)
            return [self._copied(c_void_p(answer)) for answer in answers]
        finally:
            _release(api, answers)

    def _copied(self, answer: c_void_p) -> Tensor:
        """Copy an output from onnxruntime's memory."""
        if not answer:
            raise OnnxError("the graph did not compute all of its outputs")
        api, (element_type, sizes, rank, data) = self._api, self._written
        to_element_type, to_sizes, to_rank, to_data = self._references
        api.check(api.GetTensorElementTypeAndShapeDataReference(answer, to_element_type, to_sizes, to_rank))
        api.check(api.GetTensorMutableData(answer, to_data))
        shape = tuple(sizes[: rank.value]) if rank.value else ()
        dtype = DTYPES[element_type.value]
        size = prod(shape) * BYTES[dtype]
        return Tensor(dtype, shape, data[:size] if size else b"")


def _release(api: CApi, values: Any) -> None:
    """Release the values in an array; some may be null."""
    for value in values:
        if value:
            api.ReleaseValue(c_void_p(value))


def _session(api: CApi, path: StrPath, threads: int) -> int:
    """Load a graph, with its large weights mapped from the file."""
    path = os.path.realpath(path)  # onnxruntime maps no file that a link leads to
    graph = _small_graph(path)
    with _options(api, threads) as options:
        if graph is None:
            return api.created(api.CreateSession, api.env, os.fsencode(path), options)
        api.check(api.AddSessionConfigEntry(options, WEIGHTS_FOLDER, os.fsencode(os.path.dirname(path))))
        return api.created(api.CreateSessionFromArray, api.env, graph, len(graph), options)


def _small_graph(path: StrPath) -> bytes | None:
    """Return a graph without its large weights; None if it has none or is invalid, so that onnxruntime says why."""
    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return with_mapped_weights(content, os.path.basename(path)) if len(content) >= LARGE_BYTES else None
    except (OSError, ValueError):
        return None


@contextmanager
def _options(api: CApi, threads: int) -> Iterator[int]:
    """Yield the options of a session."""
    options = api.created(api.CreateSessionOptions)
    try:
        api.check(api.SetIntraOpNumThreads(options, threads))
        api.check(api.SetInterOpNumThreads(options, 1))
        api.check(api.SetSessionLogSeverityLevel(options, FATAL))
        for key, value in CONFIGURATION.items():
            api.check(api.AddSessionConfigEntry(options, key, value))
        yield options
    finally:
        api.ReleaseSessionOptions(options)


def _names(api: CApi, session: Any, get_count: Callable[..., Any], get_name: Callable[..., Any]) -> list[bytes]:
    """Return the names of a session's inputs or outputs."""
    count, names = c_size_t(), []
    api.check(get_count(session, count))
    for index in range(count.value):
        name = api.created(get_name, session, index, api.allocator)
        try:
            names.append(ctypes.string_at(name))
        finally:
            api.check(api.AllocatorFree(api.allocator, name))
    return names


def _dtypes(api: CApi, session: Any, names: list[str], get_type: Callable[..., Any]) -> dict[str, str]:
    """Return the dtypes of a session's inputs or outputs by name, or raise OnnxError if one is not supported."""
    dtypes = {}
    for index, name in enumerate(names):
        described, element_type = api.created(get_type, session, index), c_int()
        try:
            tensor = api.created(api.CastTypeInfoToTensorInfo, described)  # belongs to `described`; null for a sequence
            if tensor:
                api.check(api.GetTensorElementType(tensor, element_type))
        finally:
            api.ReleaseTypeInfo(described)
        if element_type.value not in DTYPES:
            raise OnnxError(f"{name!r} is not a tensor of one of the dtypes {[*ELEMENT_TYPES]}")
        dtypes[name] = DTYPES[element_type.value]
    return dtypes
