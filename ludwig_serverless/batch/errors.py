"""The exception of batches."""

from handler.errors import LudwigServerlessError


class BatchError(LudwigServerlessError):
    """Raised when a batch cannot start or go on. The message says what to do."""
