"""The models that tests here share with those of the other folder."""

from tests.trained import exported, loaded, trained

__all__ = ["exported", "loaded", "trained"]
