"""Import msgspec without typing_extensions. Import this module before all others that import msgspec.

msgspec imports typing_extensions if it is installed, and Python's own `typing` otherwise. FastAPI needs it, so it is
installed. Its import takes longer than that of msgspec, and for this package both modules are the same.
"""

import sys

if "typing_extensions" not in sys.modules:
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]
