"""The exceptions of export, in one tree.

ExportError
├── ModelError          the model folder cannot be read
├── RowsError           a file of rows cannot be read
├── UnsupportedError    the model has a part that cannot be reproduced exactly
└── ParityError         the bundle does not answer as the model does, and was not written
"""

from handler.errors import LudwigServerlessError


class ExportError(LudwigServerlessError):
    """Base of everything that export raises on purpose."""


class ModelError(ExportError):
    """Raise when a model folder is missing, incomplete or unreadable, or lacks what its rows need."""


class RowsError(ExportError):
    """Raise when a file of rows is missing, broken or in an unknown format, or a feature cannot read its values."""


class UnsupportedError(ExportError):
    """Raise, before any work, when a feature cannot be exported; says which, why, and what to use instead."""

    def __init__(self, feature: str, reason: str, advice: str) -> None:
        super().__init__(f"Feature {feature!r} cannot be exported: {reason}. {advice}")


class ParityError(ExportError):
    """Raise when the bundle's answers are not the model's."""
