"""Make a start light. Import this module before all others, and call `loaded` when the start is done.

A start creates objects and drops hardly any, so looking for unreachable ones finds nothing and takes a fortieth of it.
`loaded` exempts all objects of the start from later searches.

Importing msgspec takes half as long without three things that it does not need here:

- typing_extensions, which FastAPI installs. For this package it is the same as `typing`.
- platform, from which `uuid` reads the name of the operating system.
- A forward reference, which msgspec creates to see whether `typing` accepts an argument. It would be the only use of
  Python's compiler in a start, and loads the types of all syntax trees.
"""

import gc
import os
import sys
import typing
from types import SimpleNamespace
from typing import Any

gc.disable()


def _import_msgspec() -> None:
    """Import msgspec while `sys.modules` and `typing` lack what it does not need."""
    pretended: dict[str, Any] = {
        "typing_extensions": None,
        "platform": SimpleNamespace(system=lambda: os.uname().sysname),
    }
    pretended = {name: module for name, module in pretended.items() if name not in sys.modules}
    reference = typing.ForwardRef
    sys.modules.update(pretended)
    typing.ForwardRef = lambda *_, **__: None  # type: ignore[assignment, misc]
    try:
        import msgspec  # noqa: F401
    finally:
        typing.ForwardRef = reference  # type: ignore[misc]
        for name in pretended:
            del sys.modules[name]


if "msgspec" not in sys.modules:
    _import_msgspec()


def loaded() -> None:
    """Search for unreachable objects from now on, but not among those that exist."""
    gc.freeze()
    gc.enable()
