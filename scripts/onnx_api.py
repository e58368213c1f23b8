"""Compare the indices in `handler/onnx_c_api.py` with the table of functions in onnxruntime's header.

To upgrade onnxruntime: pin the new version, set `PINNED` in `handler/onnx_c_api.py`, download
`include/onnxruntime/core/session/onnxruntime_c_api.h` of that release from github.com/microsoft/onnxruntime, and run
`python -m scripts.onnx_api FILE`. The table is append-only, so differences are not expected.
"""

import argparse
import re
from pathlib import Path

from handler.onnx_c_api import API_VERSION, FUNCTIONS

TABLE = re.compile(r"^struct OrtApi \{(.*?)^\};", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
NAME = re.compile(
    r"ORT_API2_STATUS\(\s*(?P<status>\w+)|ORT_CLASS_RELEASE\(\s*(?P<released>\w+)"
    r"|ORT_API_T\([^,]*,\s*(?P<typed>\w+)|ORT_API_CALL\s*\*\s*(?P<plain>\w+)\s*\)"
)
"""The four ways in which the header declares a function pointer."""
SINCE = re.compile(r"\\since Version 1\.(\d+)")


def read_table(header: str) -> list[str]:
    """Read the names of the table's functions.

    Args:
        header: The text of `onnxruntime_c_api.h`.

    Returns:
        The names in the table's order.

    Raises:
        ValueError: The text contains no table, or a declaration in it that is not a function.
    """
    found = TABLE.search(header)
    if not found:
        raise ValueError("no `struct OrtApi` in this file")
    names = []
    for declaration in _declarations(COMMENT.sub("", found[1])):
        name = NAME.search(declaration)
        if not name:
            raise ValueError(f"not a function: {declaration}")
        names.append(f"Release{name['released']}" if name["released"] else name[name.lastgroup or ""])
    return names


def differences(header: str) -> list[str]:
    """Compare the handler's table with the header's.

    Args:
        header: The text of `onnxruntime_c_api.h`.

    Returns:
        A sentence for each difference.
    """
    names = read_table(header)
    wrong = [
        f"{name} is function {names.index(name) if name in names else 'None'}, not {function.position}"
        for name, function in FUNCTIONS.items()
        if names[function.position : function.position + 1] != [name]
    ]
    newest = max(map(int, SINCE.findall(header)), default=0)
    return wrong if newest >= API_VERSION else [*wrong, f"the header is version {newest}, not {API_VERSION} or newer"]


def main() -> int:
    """Compare the table with the header given on the command line, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("header", type=Path, help="onnxruntime_c_api.h of the pinned version")
    found = differences(parser.parse_args().header.read_text(encoding="utf-8"))
    print("\n".join(found) or f"all {len(FUNCTIONS)} functions have the header's indices")
    return 1 if found else 0


def _declarations(table: str) -> list[str]:
    """Split a table at the semicolons outside parentheses."""
    declarations, depth, start = [], 0, 0
    for index, character in enumerate(table):
        depth += (character == "(") - (character == ")")
        if character == ";" and depth == 0:
            declarations.append(" ".join(table[start:index].split()))
            start = index + 1
    return declarations


if __name__ == "__main__":
    raise SystemExit(main())
