"""Download a job's outputs and check them against the listing that the instance uploaded."""

from pathlib import Path

import msgspec

from export.console import progress
from handler.bundle import BundleFile, describe_file
from training.errors import LaunchError
from training.launch.folder import Folder, files_in, inside
from training.launch.job import BUNDLE, LISTING, OUTPUTS, RUN, OutputListing


def fetch(folder: Folder, run: Path, bundle: Path) -> list[Path]:
    """Download the run and, if there is one, the bundle. A folder appears only when it is complete.

    Files that an earlier call downloaded are not downloaded again.

    Args:
        folder: The job's folder in S3.
        run: Where to write the run.
        bundle: Where to write the bundle.

    Returns:
        The folders that exist now.

    Raises:
        LaunchError: There are no outputs, a target already exists, or a file differs from the listing.
    """
    content = folder.get(LISTING)
    if content is None:
        raise LaunchError(f"{folder.location} has no outputs yet.")
    listing = msgspec.json.decode(content, type=OutputListing)
    return [target for name, target in ((RUN, run), (BUNDLE, bundle)) if _fetch_one(folder, listing, name, target)]


def check_targets(*targets: Path) -> None:
    """Raise LaunchError if a target already exists."""
    for target in targets:
        if target.exists():
            raise LaunchError(f"{target} exists: choose another folder with --output and --bundle, or move it away.")


def _fetch_one(folder: Folder, listing: OutputListing, name: str, target: Path) -> bool:
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
                    f"{folder.location}/{OUTPUTS}{name}/{path} differs from the uploaded file: run the command again."
                )
        progress(f"Fetching {target}, files", number, len(files))
    for left, file in list(files_in(staging)):
        if left not in files:
            file.unlink()
    staging.rename(target)
    return True


def _holds(folder: Path, files: dict[str, BundleFile]) -> bool:
    """Return whether a folder holds exactly these files."""
    return dict(files_in(folder)).keys() == files.keys() and all(
        describe_file(folder / path) == expected for path, expected in files.items()
    )
