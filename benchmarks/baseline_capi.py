"""The floor: a bare function that runs graphs with onnxruntime's C API and has no packages but tokenizers.

Together with `benchmarks.baseline_answers`, it is the least code that answers with the same bytes as the handler. It
checks no errors, and is not meant for production.
"""

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_void_p
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

from benchmarks.baseline_answers import Run, answer, load_models

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# For mypy: the package is installed.
(FOLDER,) = find_spec("onnxruntime").submodule_search_locations  # type: ignore[union-attr, misc]
LIBRARY = ctypes.CDLL(str(next(Path(FOLDER).glob("capi/libonnxruntime.so*"))))
LIBRARY.OrtGetApiBase.restype = POINTER(ctypes.CFUNCTYPE(POINTER(c_void_p), c_int))
TABLE = LIBRARY.OrtGetApiBase()[0](18)
"""onnxruntime's functions. `handler/onnx_c_api.py` says where their indices come from."""
INT32, ERROR = 6, 3


def function(index: int, *arguments: Any) -> Any:
    """Return a function of the table."""
    return ctypes.CFUNCTYPE(c_void_p, *arguments)(TABLE[index])


create_env = function(3, c_int, c_char_p, c_void_p)
create_session = function(7, c_void_p, c_char_p, c_void_p, c_void_p)
run_session = function(9, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p)
create_options = function(10, c_void_p)
set_log_severity = function(22, c_void_p, c_int)
set_intra_threads = function(24, c_void_p, c_int)
set_inter_threads = function(25, c_void_p, c_int)
create_tensor = function(49, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_int, c_void_p)
tensor_data = function(51, c_void_p, c_void_p)
create_memory_info = function(69, c_int, c_int, c_void_p)
release_value = function(96, c_void_p)

ENV, OPTIONS, MEMORY = c_void_p(), c_void_p(), c_void_p()
create_env(ERROR, b"floor", byref(ENV))
create_options(byref(OPTIONS))
set_log_severity(OPTIONS, ERROR)
set_intra_threads(OPTIONS, 1)
set_inter_threads(OPTIONS, 1)
create_memory_info(1, 0, byref(MEMORY))


def load(path: Path, manifest: dict[str, Any]) -> Run:
    """Load a graph; see `Load`."""
    session, given = c_void_p(), c_void_p()
    create_session(ENV, bytes(path), OPTIONS, byref(session))
    length, output = manifest["inputs"][0]["length"], manifest["outputs"][0]["name"]
    ids, shape = (c_int32 * length)(), (c_int64 * 2)(1, length)
    create_tensor(MEMORY, ids, ctypes.sizeof(ids), shape, 2, INT32, byref(given))
    names = [f"{output}::predictions", f"{output}::probabilities"]
    shapes = {tensor["name"]: tensor["shape"][1:] for tensor in manifest["graph"]["outputs"]}
    kinds = [kind * prod(shapes[name]) for kind, name in zip((c_int64, c_float), names, strict=True)]
    inputs = (c_char_p * 1)(manifest["inputs"][0]["name"].encode())
    outputs = (c_char_p * 2)(*(name.encode() for name in names))

    def run(tokens: list[int]) -> tuple[Any, list[float]]:
        ids[:] = tokens
        answers, data, found = (c_void_p * 2)(), c_void_p(), []
        run_session(session, None, inputs, byref(given), 1, outputs, 2, answers)
        for value, kind in zip(answers, kinds, strict=True):
            tensor_data(value, byref(data))
            found.append(kind.from_address(data.value)[:])
            release_value(value)
        predictions, probabilities = found
        return predictions if shapes[names[0]] else predictions[0], probabilities

    return run


MODELS = load_models(load)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer Hexabot."""
    return answer(MODELS, event)
