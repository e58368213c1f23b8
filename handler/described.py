"""The base class of all parts of a bundle's manifest. It rejects unknown fields."""

import msgspec


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the manifest. Decoding one with an unknown field fails.

    A field can change what a model answers. If the handler ignored an unknown one, its answers could silently differ
    from those of the proven model.
    """
