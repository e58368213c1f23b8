"""Export a Ludwig model as a bundle for the handler, and prove that both give the same answers.

Examples:
    >>> from export import export_model, load_model
    >>> manifest = export_model(load_model("runs/intent"), "bundles/intent", dataset="data.csv")
    >>> manifest.parity.passed
    True

The names in `__all__` are the public API. They load when first used, so that importing this package stays cheap.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.build import export_model
    from export.errors import ExportError, ModelError, ParityError, UnsupportedError
    from export.model import SourceModel, load_model
    from export.quantize import QuantizeOptions

__all__ = [
    "ExportError",
    "ModelError",
    "ParityError",
    "QuantizeOptions",
    "SourceModel",
    "UnsupportedError",
    "export_model",
    "load_model",
]
MODULES = {
    "export.build": ("export_model",),
    "export.errors": ("ExportError", "ModelError", "ParityError", "UnsupportedError"),
    "export.model": ("SourceModel", "load_model"),
    "export.quantize": ("QuantizeOptions",),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    for module, names in MODULES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
