"""Fetch a job's outputs, checked against the listing that the instance sent with them."""

from pathlib import Path

import msgspec

from export.console import progress
from handler.bundle import BundleFile, describe_file
from training.errors import LaunchError
from training.launch.folder import Folder, files_in, inside
from training.launch.job import BUNDLE, LISTING, OUTPUTS, RUN, Listing


def fetch(folder: Folder, run: Path, bundle: Path) -> list[Path]:
    """Fetch the run, and the bundle if there is one, each of which appears whole or not at all.

    Returns what is there then; what a fetch before this one has brought is not fetched again. Raises LaunchError.
    """
    content = folder.get(LISTING)
    if content is None:
        raise LaunchError(f"{folder.place} has no outputs.")
    listing = msgspec.json.decode(content, type=Listing)
    return [target for name, target in ((RUN, run), (BUNDLE, bundle)) if _fetch_one(folder, listing, name, target)]


def check_targets(*targets: Path) -> None:
    """Raise LaunchError if a target exists already."""
    for target in targets:
        if target.exists():
            raise LaunchError(f"{target} exists: give another folder with --output and --bundle, or move it away.")


def _fetch_one(folder: Folder, listing: Listing, name: str, target: Path) -> bool:
    files = {path.removeprefix(f"{name}/"): file for path, file in listing.files.items() if path.startswith(f"{name}/")}
    if not files:
        return False
    if target.exists() and _holds(target, files):
        return True
    check_targets(target)
    staging = target.absolute().with_name(f".{target.name}-fetching")
    for number, (path, expected) in enumerate(files.items(), start=1):
        local = inside(staging, path)
        if not (local.is_file() and describe_file(local) == expected):
            folder.download(f"{OUTPUTS}{name}/{path}", local)
            if describe_file(local) != expected:
                raise LaunchError(
                    f"{folder.place}/{OUTPUTS}{name}/{path} differs from what the instance sent: fetch it again."
                )
        progress(f"Fetching {target}, files", number, len(files))
    for left, file in list(files_in(staging)):
        if left not in files:
            file.unlink()
    staging.rename(target)
    return True


def _holds(folder: Path, files: dict[str, BundleFile]) -> bool:
    """Tell whether a folder holds these files and no others."""
    return dict(files_in(folder)).keys() == files.keys() and all(
        describe_file(folder / path) == expected for path, expected in files.items()
    )
