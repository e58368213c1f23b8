"""The indices of onnxruntime's C functions are compared with its header."""

import pytest

from handler.onnx_c_api import API_VERSION, FUNCTIONS
from scripts.onnx_api import differences, read_table

HEADER = r"""
struct OrtApiBase { int unused; };
struct OrtApi {
  /** \brief First(a; b)
   * \since Version 1.2.
   */
  ORT_API2_STATUS(First, _In_ int a;
                  _In_ void(ORT_API_CALL* callback)(int));
  // ORT_API2_STATUS(Removed);
  const char*(ORT_API_CALL* Second)(_In_ int a) NO_EXCEPTION;
  ORT_CLASS_RELEASE(Third);
  ORT_API_T(const char*, Fourth, _In_ int a);
};
struct Other { ORT_API2_STATUS(Fifth); };
"""


def header(names: dict[int, str], version: int = API_VERSION) -> str:
    """Return a header with functions at some indices."""
    listed = [names.get(index, f"Unused{index}") for index in range(max(names) + 1)]
    body = "\n".join(f"  ORT_API2_STATUS({name}, int a);" for name in listed)
    return f"struct OrtApi {{\n  /// \\since Version 1.{version}.\n{body}\n}};\n"


def test_functions_are_read_in_order() -> None:
    assert read_table(HEADER) == ["First", "Second", "ReleaseThird", "Fourth"]
    with pytest.raises(ValueError, match="no `struct OrtApi`"):
        read_table("struct Other {\n};")
    with pytest.raises(ValueError, match="not a function: int number"):
        read_table("struct OrtApi {\n int number;\n};")


def test_differences_are_found() -> None:
    names = {function.position: name for name, function in FUNCTIONS.items()}
    assert differences(header(names)) == []
    assert differences(header({**names, 9: "Walk"})) == ["Run is function None, not 9"]
    assert differences(header({**names, 9: "Walk", 11: "Run"})) == ["Run is function 11, not 9"]
    assert differences(header(names, 20)) == [f"the header is version 20, not {API_VERSION} or newer"]
