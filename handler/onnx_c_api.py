"""onnxruntime's C API, called through ctypes: the table of functions, and its errors as exceptions.

The C library starts in a quarter of the time that numpy and onnxruntime's Python package need. Its only exported
function returns `OrtApi`, a struct of function pointers. New versions only append to it, so a function keeps its index.
`python -m scripts.onnx_api HEADER` compares the indices below with onnxruntime's header.

Source: `struct OrtApi` in `onnxruntime_c_api.h`.
"""

import ctypes
import os
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from handler.files import StrPath
from handler.onnx_library import library_path, logged_stderr

PINNED = "1.32.0"
"""The version in requirements/handler.txt. Every other version runs through onnxruntime's Python package."""

API_VERSION = 24
"""The oldest version of the table that has all functions below."""

FATAL = 4
"""The log level of fatal errors. Other errors also become exceptions, so a log would report them twice."""

ELEMENT_TYPES = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float64": 11}
"""The number of each dtype of `handler.tensor` in the enum `ONNXTensorElementDataType`."""

OUT = POINTER(c_void_p)
"""Where a function writes the pointer to an object that it creates."""


class OnnxError(RuntimeError):
    """onnxruntime reports an error. The message of a failed run may quote the request, so do not log it."""


class NotPinnedError(Exception):
    """The installed onnxruntime is not the one that this module was written for."""


class Function(msgspec.Struct, frozen=True):
    """A function of the table.

    Attributes:
        position: Its index in the table.
        arguments: The types of its arguments. None skips ctypes' conversion, which takes longer than the calls of a run
            themselves: callers then pass only objects of ctypes, because Python's integers would become 32 bits.
        result: The type of its result; by default a pointer to an `OrtStatus`, which is null on success.
        waits: Whether it may take long, so that other threads run Python code meanwhile.
    """

    position: int
    arguments: tuple[Any, ...] | None
    result: Any = c_void_p
    waits: bool = False


FUNCTIONS = {
    "GetErrorMessage": Function(2, (c_void_p,), c_char_p),
    "CreateEnv": Function(3, (c_int, c_char_p, OUT), waits=True),
    "DisableTelemetryEvents": Function(6, (c_void_p,)),
    "CreateSession": Function(7, (c_void_p, c_char_p, c_void_p, OUT), waits=True),
    "CreateSessionFromArray": Function(8, (c_void_p, c_void_p, c_size_t, c_void_p, OUT), waits=True),
    "Run": Function(9, None, waits=True),
    "CreateSessionOptions": Function(10, (OUT,)),
    "SetSessionLogSeverityLevel": Function(22, (c_void_p, c_int)),
    "SetIntraOpNumThreads": Function(24, (c_void_p, c_int)),
    "SetInterOpNumThreads": Function(25, (c_void_p, c_int)),
    "SessionGetInputCount": Function(30, (c_void_p, POINTER(c_size_t))),
    "SessionGetOutputCount": Function(31, (c_void_p, POINTER(c_size_t))),
    "SessionGetInputTypeInfo": Function(33, (c_void_p, c_size_t, OUT)),
    "SessionGetOutputTypeInfo": Function(34, (c_void_p, c_size_t, OUT)),
    "SessionGetInputName": Function(36, (c_void_p, c_size_t, c_void_p, OUT)),
    "SessionGetOutputName": Function(37, (c_void_p, c_size_t, c_void_p, OUT)),
    "CreateTensorWithDataAsOrtValue": Function(
        49, (c_void_p, c_void_p, c_size_t, POINTER(c_int64), c_size_t, c_int, c_void_p)
    ),
    "GetTensorMutableData": Function(51, None),
    "CastTypeInfoToTensorInfo": Function(55, (c_void_p, OUT)),
    "GetTensorElementType": Function(60, (c_void_p, POINTER(c_int))),
    "CreateCpuMemoryInfo": Function(69, (c_int, c_int, OUT)),
    "AllocatorFree": Function(76, (c_void_p, c_void_p)),
    "GetAllocatorWithDefaultOptions": Function(78, (OUT,)),
    "ReleaseStatus": Function(93, (c_void_p,), None),
    "ReleaseSession": Function(95, (c_void_p,), None, waits=True),
    "ReleaseValue": Function(96, None, None),
    "ReleaseTypeInfo": Function(98, (c_void_p,), None),
    "ReleaseSessionOptions": Function(100, (c_void_p,), None),
    "AddSessionConfigEntry": Function(130, (c_void_p, c_char_p, c_char_p)),
    "GetTensorElementTypeAndShapeDataReference": Function(414, None),
}
"""The functions that the handler calls, by their names in the header."""


class ApiBase(ctypes.Structure):
    """`OrtApiBase`: what the library's only exported function returns."""

    _fields_ = [
        ("get_api", ctypes.CFUNCTYPE(POINTER(c_void_p), c_uint32)),
        ("get_version", ctypes.CFUNCTYPE(c_char_p)),
    ]


class CApi:
    """The functions of the table, and what every session shares. Lives until the process ends.

    Attributes:
        env: onnxruntime's environment.
        allocator: The default allocator, which frees names.
        memory: Describes the memory of tensors: the CPU's.
    """

    def __init__(self, library: StrPath) -> None:
        """Load the library.

        Args:
            library: The file of the pinned version.

        Raises:
            NotPinnedError: The file is not a library of the pinned version.
            OnnxError: onnxruntime cannot start.
        """
        table = _table(library)
        for name, function in FUNCTIONS.items():
            # PYFUNCTYPE keeps Python's lock. Otherwise each of a run's dozen short calls could wait for other threads.
            kind = ctypes.CFUNCTYPE if function.waits else ctypes.PYFUNCTYPE
            called = kind(function.result, *(function.arguments or ()))(table[function.position])
            setattr(self, name, called)
        self.env = self.created(self.CreateEnv, FATAL, b"ludwig-serverless")
        self.check(self.DisableTelemetryEvents(self.env))
        self.allocator = self.created(self.GetAllocatorWithDefaultOptions)
        arena, default = 1, 0  # OrtArenaAllocator, OrtMemTypeDefault
        self.memory = self.created(self.CreateCpuMemoryInfo, arena, default)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    def check(self, status: int | None) -> None:
        """Raise OnnxError with onnxruntime's own message unless a status is null, and release it."""
        if status:
            try:
                message = self.GetErrorMessage(status).decode("utf-8", "replace")
            finally:
                self.ReleaseStatus(status)
            raise OnnxError(message)

    def created(self, create: Callable[..., Any], *arguments: Any) -> int:
        """Call a function whose last argument receives a pointer.

        Args:
            create: A function of the table.
            *arguments: Its other arguments.

        Returns:
            The pointer; 0 for null.

        Raises:
            OnnxError: The function failed.
        """
        pointer = c_void_p()
        self.check(create(*arguments, pointer))
        return pointer.value or 0


def _table(library: StrPath) -> Any:
    """Load the library and return its table of function pointers."""
    try:
        loaded = ctypes.CDLL(os.fspath(library))
        entrance = loaded.OrtGetApiBase
    except (OSError, AttributeError) as error:
        raise NotPinnedError(f"{library} is not onnxruntime's C library: {error}") from None
    entrance.restype = POINTER(ApiBase)
    base = entrance().contents
    found = base.get_version().decode("utf-8", "replace")
    if found != PINNED:
        raise NotPinnedError(f"{library} is onnxruntime {found}, not {PINNED}")
    table = base.get_api(API_VERSION)
    if not table or not all(table[function.position] for function in FUNCTIONS.values()):
        raise NotPinnedError(f"{library} lacks functions of version {API_VERSION} of the C API")
    return table


@cache
def c_api() -> CApi:
    """Return the C API of the installed onnxruntime.

    Returns:
        The functions, loaded once.

    Raises:
        NotPinnedError: The pinned version is not installed.
    """
    library = library_path(PINNED)
    if library is None:
        raise NotPinnedError(f"the C library of onnxruntime {PINNED} is not installed")
    with logged_stderr():
        return CApi(library)
