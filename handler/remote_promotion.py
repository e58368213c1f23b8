"""The value of Bundles after a promotion, for bundles in S3 and on the Hub, whose locations never change."""

import os
from pathlib import Path
from typing import NamedTuple

from handler.bundle import Manifest
from handler.errors import BundleError
from handler.golden import SEAL_DIGITS
from handler.predictor import bundle_folders
from handler.promotion import manifest_of
from handler.settings import DEFAULTS
from handler.sources import local_folders, split_seal


class Changed(NamedTuple):
    """A promotion of a remote bundle.

    Attributes:
        bundles: The new value of Bundles.
        expected_models: The new value of ExpectedModels.
        live: The local copy of the live bundle.
        shadow: The local copy of the shadow.
        seal: The seal of the shadow.
    """

    bundles: str
    expected_models: str
    live: Path
    shadow: Path
    seal: str


class _Located(NamedTuple):
    """A bundle at a location, and its local copy."""

    location: str
    folder: Path
    manifest: Manifest


def changed_bundles(bundles: str, name: str, shadow: str) -> Changed:
    """Fetch the bundles, and return the locations with the shadow in place of the live bundle.

    Args:
        bundles: The value of Bundles: locations, separated by commas.
        name: The model's name.
        shadow: The location of the shadow, or of several bundles of which one has this name.

    Returns:
        The new values. The shadow's location is pinned to its seal.

    Raises:
        BundleError: A location cannot be read, has no bundle with this name, or cannot be taken apart.
    """
    given = [location.strip() for location in bundles.split(",") if location.strip()]
    cache = Path(os.environ.get("NLU_CACHE") or DEFAULTS.cache)
    at = {location: _located(location, cache) for location in given}
    live = [each for found in at.values() for each in found if each.manifest.name == name]
    new = [each for each in _located(shadow, cache) if each.manifest.name == name]
    if not live or not new:
        where = shadow if live else bundles
        raise BundleError(f"{where} contains no bundle named {name!r}: check the location and the name.")
    kept = [location for location in given for location in _without(location, at[location], name)]
    manifests = [each.manifest for found in at.values() for each in found if each.manifest.name != name]
    seals = {manifest.name: manifest.seal[:SEAL_DIGITS] for manifest in (*manifests, new[0].manifest)}
    return Changed(
        ",".join([*kept, _pinned(new[0])]),
        ",".join(f"{model}@{seal}" for model, seal in sorted(seals.items())),
        live[0].folder,
        new[0].folder,
        new[0].manifest.seal,
    )


def _located(location: str, cache: Path) -> list[_Located]:
    (root,) = map(Path, local_folders([location], cache))
    folders = list(map(Path, bundle_folders(root)))
    if folders == [root]:
        return [_Located(location, root, manifest_of(root))]
    bare, _ = split_seal(location)
    return [_Located(f"{bare.rstrip('/')}/{folder.name}", folder, manifest_of(folder)) for folder in folders]


def _without(location: str, found: list[_Located], name: str) -> list[str]:
    """Return the locations of the bundles at a location, apart from the one with a name."""
    if all(each.manifest.name != name for each in found):
        return [location]
    others = [each.location for each in found if each.manifest.name != name]
    if others and location.startswith("hf://"):
        raise BundleError(
            f"{location} contains {len(found)} bundles, and a location on the Hub names all of them: publish the other "
            "models without this one to a new revision, and name that revision in Bundles."
        )
    return others


def _pinned(found: _Located) -> str:
    if "://" not in found.location or "#seal=" in found.location:
        return found.location
    return f"{found.location}#seal={found.manifest.seal}"
