"""Run ONNX graphs with onnxruntime's C API, without numpy."""

import ctypes
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ctypes import byref, c_char, c_char_p, c_int, c_int64, c_size_t, c_void_p
from math import prod
from pathlib import Path
from typing import Any

from handler.onnx_c_api import ELEMENT_TYPES, FATAL, CApi, OnnxError, c_api
from handler.tensor import Tensor

DTYPES = {number: dtype for dtype, number in ELEMENT_TYPES.items()}
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

    def __init__(self, path: Path, threads: int) -> None:
        """Load a graph.

        Args:
            path: The file, an ONNX model.
            threads: How many threads one run may use.

        Raises:
            OnnxError: onnxruntime cannot load the graph, or one of its inputs or outputs is not a tensor of a dtype in
                `handler.tensor.FORMATS`.
        """
        api = self._api = c_api()
        with _options(api, threads) as options:
            self._session = api.created(api.CreateSession, api.env, bytes(path), options)
        # Not at exit: other threads may still be running the graph.
        weakref.finalize(self, api.ReleaseSession, self._session).atexit = False
        inputs = _names(api, self._session, api.SessionGetInputCount, api.SessionGetInputName)
        outputs = _names(api, self._session, api.SessionGetOutputCount, api.SessionGetOutputName)
        self.inputs = [name.decode("utf-8", "replace") for name in inputs]
        self.outputs = [name.decode("utf-8", "replace") for name in outputs]
        self._dtypes = self._described(self.inputs, api.SessionGetInputTypeInfo)
        self._described(self.outputs, api.SessionGetOutputTypeInfo)
        # The arguments of `Run` that never change.
        self._input_names, self._output_names = (c_char_p * len(inputs))(*inputs), (c_char_p * len(outputs))(*outputs)
        self._input_values, self._output_values = c_void_p * len(inputs), c_void_p * len(outputs)

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph on one batch.

        Args:
            inputs: The input tensors by name. onnxruntime reads their memory without a copy if it is writable.

        Returns:
            The output tensors by name, read-only.

        Raises:
            OnnxError: The inputs have other names, dtypes or shapes than the graph's, or the run failed.
        """
        if inputs.keys() != self._dtypes.keys():
            raise OnnxError(f"the graph has the inputs {self.inputs}, found {[*inputs]}")
        api, count = self._api, len(self.inputs)
        values, answers = self._input_values(), self._output_values()
        # onnxruntime's values only point to the memory of the inputs, so `memory` keeps it alive.
        memory: list[Any] = []
        try:
            for index, (name, dtype) in enumerate(self._dtypes.items()):
                memory.append(self._lent(inputs[name], name, dtype, byref(values, index * POINTER_BYTES)))
            api.check(
                api.Run(
                    self._session, None, self._input_names, values, count, self._output_names, len(answers), answers
                )
            )
            return {name: self._copied(value) for name, value in zip(self.outputs, answers, strict=True)}
        finally:
            for value in (*values, *answers):
                api.ReleaseValue(value)

    def _lent(self, tensor: Tensor, name: str, dtype: str, value: Any) -> Any:
        """Create a value that uses a tensor's memory. Returns the object that owns the memory."""
        if tensor.dtype != dtype:
            raise OnnxError(f"the graph's input {name!r} is {dtype}, found {tensor.dtype}")
        flat, shape = tensor.flat, tensor.shape
        memory = c_char * flat.nbytes
        # ctypes has no pointer to read-only memory, so copy it.
        owner = memory.from_buffer_copy(flat) if flat.readonly or not flat.nbytes else memory.from_buffer(flat)
        rank = len(shape)
        self._api.check(
            self._api.CreateTensorWithDataAsOrtValue(
                self._api.memory, owner, flat.nbytes, (c_int64 * rank)(*shape), rank, ELEMENT_TYPES[dtype], value
            )
        )
        return owner

    def _copied(self, value: int | None) -> Tensor:
        """Copy a value of onnxruntime's into a tensor."""
        if not value:
            raise OnnxError("the graph did not compute all of its outputs")
        api, rank, element_type, data = self._api, c_size_t(), c_int(), c_void_p()
        described = api.created(api.GetTensorTypeAndShape, value)
        try:
            api.check(api.GetTensorElementType(described, element_type))
            api.check(api.GetDimensionsCount(described, rank))
            sizes = (c_int64 * rank.value)()
            api.check(api.GetDimensions(described, sizes, rank))
        finally:
            api.ReleaseTensorTypeAndShapeInfo(described)
        dtype, shape = DTYPES[element_type.value], tuple(sizes)
        api.check(api.GetTensorMutableData(value, data))
        count = prod(shape) * ELEMENT_BYTES[dtype]
        return Tensor(dtype, shape, ctypes.string_at(data, count) if count else b"")

    def _described(self, names: list[str], get: Callable[..., Any]) -> dict[str, str]:
        """Return the dtypes of the graph's inputs or outputs by name, or raise OnnxError if one is not supported."""
        api, dtypes = self._api, {}
        for index, name in enumerate(names):
            described = api.created(get, self._session, index)
            try:
                tensor = api.created(api.CastTypeInfoToTensorInfo, described)  # belongs to `described`; 0 if no tensor
                element_type = c_int()
                if tensor:
                    api.check(api.GetTensorElementType(tensor, element_type))
            finally:
                api.ReleaseTypeInfo(described)
            if element_type.value not in DTYPES:
                raise OnnxError(f"{name!r} is not a tensor of one of {[*ELEMENT_TYPES]}")
            dtypes[name] = DTYPES[element_type.value]
        return dtypes


ELEMENT_BYTES = {"int32": 4, "int64": 8, "float32": 4, "float64": 8, "bool": 1}


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


def _names(api: CApi, session: int, get_count: Callable[..., Any], get_name: Callable[..., Any]) -> list[bytes]:
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
