"""Base class of all parts of a bundle's manifest; it rejects unknown fields."""

import msgspec


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the manifest. Reading one refuses fields that it does not know.

    A field can change what a model answers. A handler that skips an unknown one answers something else than the model
    that was proven, without an error.
    """
