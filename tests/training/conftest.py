"""Fixtures for models that several test folders share."""

from tests.trained import exported, loaded, trained

__all__ = ["exported", "loaded", "trained"]
