"""Make a start light. Import this module before all others, and call `loaded` when the start is done.

A start creates objects and drops hardly any, so looking for unreachable ones finds nothing and takes a fortieth of it.
`loaded` exempts all objects of the start from later searches.

msgspec imports typing_extensions if it is installed, and Python's own `typing` otherwise. FastAPI needs it, so it is
installed. Its import takes longer than that of msgspec, and for this package both modules are the same.
"""

import gc
import sys

gc.disable()

if "typing_extensions" not in sys.modules:
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


def loaded() -> None:
    """Search for unreachable objects from now on, but not among those that exist."""
    gc.freeze()
    gc.enable()
