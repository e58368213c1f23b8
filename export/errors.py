"""The exception tree of the export package.

ExportError
├── ModelError          the model folder cannot be read
├── RowsError           a data file cannot be read
├── UnsupportedError    part of the model cannot be reproduced exactly
└── ParityError         the bundle's answers differ from the model's, so no bundle was written
"""

from handler.errors import LudwigServerlessError


class ExportError(LudwigServerlessError):
    """Base class of all exceptions that export raises on purpose."""


class ModelError(ExportError):
    """A model folder is missing, incomplete or unreadable, or the rows lack a column that the model reads."""


class RowsError(ExportError):
    """A data file is missing, broken or in an unknown format, or a feature cannot read its values."""


class UnsupportedError(ExportError):
    """A feature cannot be exported. Raised before any work starts.

    Args:
        feature: The name of the feature.
        reason: Why it cannot be exported, in the middle of a sentence.
        advice: What to use instead, as a sentence.
    """

    def __init__(self, feature: str, reason: str, advice: str) -> None:
        super().__init__(f"Feature {feature!r} cannot be exported: {reason}. {advice}")


class ParityError(ExportError):
    """The bundle's answers differ from the model's."""
