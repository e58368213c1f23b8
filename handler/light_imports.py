"""Make a start light. Import this module before all others, and call `loaded` when the start is done.

A start creates objects and drops hardly any, so looking for unreachable ones finds nothing and takes a fortieth of it.
`loaded` exempts all objects of the start from later searches.

Importing msgspec takes a third of the time without what it does not need here:

- typing_extensions, which FastAPI installs. For this package it is the same as `typing`.
- platform, from which `uuid` reads the name of the operating system, and the C library for UUIDs of the kind 1.
- Its own descriptions of types and its JSON schemas. They load when somebody asks for them.
- A forward reference, which msgspec creates to see whether `typing` accepts an argument. It would be the only use of
  Python's compiler in a start, and loads the types of all syntax trees.
"""

import gc
import os
import sys
import typing
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

gc.disable()

SCHEMAS = ("schema", "schema_components")
"""The functions of `msgspec.json` that come from `msgspec._json_schema`."""


def _import_msgspec() -> None:
    """Import msgspec while other modules stand in for what it does not need."""
    stand_ins: dict[str, Any] = {
        "typing_extensions": None,
        "platform": SimpleNamespace(system=lambda: os.uname().sysname),
        "_uuid": None,
        "msgspec.inspect": SimpleNamespace(),
        "msgspec._json_schema": SimpleNamespace(**dict.fromkeys(SCHEMAS)),
    }
    stand_ins = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    reference = typing.ForwardRef
    sys.modules.update(stand_ins)
    typing.ForwardRef = lambda *_, **__: None  # type: ignore[assignment, misc]
    try:
        import msgspec
    finally:
        typing.ForwardRef = reference  # type: ignore[misc]
        for name in stand_ins:
            del sys.modules[name]
    _load_later(msgspec, {"inspect": "msgspec.inspect"})
    _load_later(msgspec.json, dict.fromkeys(SCHEMAS, "msgspec._json_schema"))


def _load_later(module: ModuleType, names: dict[str, str]) -> None:
    """Remove names from a module, and let the first use of one import the module that it comes from."""
    for name in names:
        delattr(module, name)

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        found = import_module(names[name])
        return found if found.__name__ == f"{module.__name__}.{name}" else getattr(found, name)

    module.__getattr__ = load  # type: ignore[method-assign]


if "msgspec" not in sys.modules:
    _import_msgspec()


def loaded() -> None:
    """Search for unreachable objects from now on, but not among those that exist."""
    gc.freeze()
    gc.enable()
