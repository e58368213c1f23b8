"""Serve exported Ludwig models: light enough for AWS Lambda, exact enough to answer as Ludwig does.

Examples:
    >>> from handler import load_bundle
    >>> intent = load_bundle("bundles/intent")
    >>> intent.predict([{"text": "book a flight to Cairo"}])[0]["intent_predictions"]
    'book_flight'

The names in `__all__` are the public API. They load when first used, so that importing this package stays cheap.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handler.errors import BundleError, LudwigServerlessError, RequestError, SettingsError
    from handler.hexabot import Service, load_service
    from handler.predictor import Predictor, load_bundle
    from handler.settings import Settings

__version__ = "0.1.0"
__all__ = [
    "BundleError",
    "LudwigServerlessError",
    "Predictor",
    "RequestError",
    "Service",
    "Settings",
    "SettingsError",
    "__version__",
    "load_bundle",
    "load_service",
]
MODULES = {
    "handler.errors": ("BundleError", "LudwigServerlessError", "RequestError", "SettingsError"),
    "handler.hexabot": ("Service", "load_service"),
    "handler.predictor": ("Predictor", "load_bundle"),
    "handler.settings": ("Settings",),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    for module, names in MODULES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
