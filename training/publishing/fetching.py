"""Bring a published version back: every file checked, and the folder in its place only when it is whole."""

import shutil
import tempfile
from pathlib import Path

import msgspec

from export.console import progress, say
from handler.bundle import MAX_MANIFEST_BYTES, describe_file, read_bundle
from handler.sources import S3, Source, fetch_file, remote_source
from training.errors import PublishError
from training.publishing.contents import BUNDLE, BUNDLE_MANIFEST, LISTING, Listing, read_listing
from training.publishing.s3 import LATEST, Latest

NEWEST = "latest"


def fetch(place: str, output: Path, *, overwrite: bool = False) -> Listing:
    """Fetch a version into a folder. A fetch that breaks off goes on where it was, in a hidden folder beside it.

    place: `hf://owner/name@version`, or `s3://bucket/prefix` with the version, `latest`, or nothing, behind it.
    Raises PublishError or BundleError if the folder is taken, or the version cannot be had whole.
    """
    check_output(output, overwrite=overwrite)
    workspace = output.absolute().with_name(f".{output.name}-fetching")
    source, place = _find_version(place)
    workspace.mkdir(parents=True, exist_ok=True)
    listing = _fetch_listing(source, place, workspace)
    wanted = [path for path, expected in listing.files.items() if not _is_whole(workspace / path, expected)]
    for number, path in enumerate(wanted, start=1):
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        fetch_file(source, path, workspace / path, listing.files[path], place)
        progress(f"Fetched from {place}, files", number, len(wanted))
    _drop_others(workspace, listing)
    if BUNDLE_MANIFEST in listing.files:
        read_bundle(workspace / BUNDLE)
    if output.exists():
        shutil.rmtree(output)
    workspace.rename(output)
    return listing


def check_output(output: Path, *, overwrite: bool) -> None:
    """Raise PublishError if the folder is taken; only what was fetched is ever replaced."""
    if output.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise PublishError(f"{output} holds the folder that you are in: give another one, as --output models/intent.")
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / LISTING).is_file():
        raise PublishError(f"{output} exists and was not fetched: give another folder with --output.")
    if not overwrite:
        raise PublishError(f"{output} exists: give another folder with --output, or --force to replace it.")


def _find_version(place: str) -> tuple[Source, str]:
    """Return what reads the version that a place names, and the version's own place."""
    source = remote_source(place)
    if source is None:
        raise PublishError(f"{place} is a folder here: give hf://owner/name@version or s3://bucket/prefix/version.")
    names = set(source.names())
    if LISTING in names:
        return source, place
    place = place.rstrip("/")
    if S3.fullmatch(place) and LATEST not in names and place.endswith(f"/{NEWEST}"):
        place = place.removesuffix(f"/{NEWEST}")
        source = remote_source(place) or source
        names = set(source.names())
    if not S3.fullmatch(place) or LATEST not in names:
        raise PublishError(
            f"{place} holds nothing that `ludwig-serverless publish` put there: no {LISTING} among its {len(names)} "
            "files. Look at the name and the version."
        )
    version = _latest(source, place)
    say(f"The latest version of {place} is {version}.")
    return _find_version(f"{place}/{version}")


def _latest(source: Source, place: str) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, LATEST)
        source.fetch(LATEST, path, MAX_MANIFEST_BYTES)
        content = path.read_bytes()
    try:
        return msgspec.json.decode(content, type=Latest).version
    except msgspec.DecodeError as error:
        raise PublishError(f"{place}/{LATEST} names no version: {error}. Give the version itself.") from None


def _fetch_listing(source: Source, place: str, workspace: Path) -> Listing:
    path = workspace / LISTING
    path.unlink(missing_ok=True)
    source.fetch(LISTING, path, MAX_MANIFEST_BYTES)
    listing = read_listing(path.read_bytes(), f"{place}/{LISTING}")
    if missing := sorted(set(listing.files) - set(source.names())):
        raise PublishError(
            f"{place} is not whole: it lacks {', '.join(missing)}. Its publication broke off, or is under way: run "
            "`ludwig-serverless publish` again, or wait."
        )
    return listing


def _is_whole(path: Path, expected: object) -> bool:
    return path.is_file() and describe_file(path) == expected


def _drop_others(workspace: Path, listing: Listing) -> None:
    """Remove what is no part of the version: what an earlier attempt left, and the Hub library's own notes."""
    kept = {workspace / path for path in (LISTING, *listing.files)}
    folders = {folder for path in kept for folder in path.parents}
    for path in sorted(workspace.rglob("*"), reverse=True):
        if path not in kept | folders:
            path.rmdir() if path.is_dir() else path.unlink()
