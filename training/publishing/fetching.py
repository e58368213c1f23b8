"""Fetch a published version: verify every file, and create the output folder only when it is complete."""

import shutil
import tempfile
from pathlib import Path

import msgspec

from export.console import progress, say
from handler.bundle import MAX_MANIFEST_BYTES, describe_file, read_bundle
from handler.sources import S3, BundleSource, fetch_file, remote_source
from training.errors import PublishError
from training.publishing.contents import BUNDLE, BUNDLE_MANIFEST, LISTING, VersionListing, read_listing
from training.publishing.s3 import LATEST, Latest

NEWEST = "latest"


def fetch(uri: str, output: Path, *, overwrite: bool = False) -> VersionListing:
    """Fetch a version into a folder.

    Files are downloaded into a hidden folder next to the output, from which an interrupted fetch resumes.

    Args:
        uri: `hf://owner/name@version` or `s3://bucket/prefix`, optionally followed by `/version` or `/latest`.
        output: The folder to create.
        overwrite: Whether to replace a folder that an earlier fetch created.

    Returns:
        The listing of the version.

    Raises:
        PublishError: The output folder exists, or the version is missing or incomplete.
        BundleError: A file cannot be downloaded or verified.
    """
    check_output(output, overwrite=overwrite)
    workspace = output.absolute().with_name(f".{output.name}-fetching")
    source, uri = _find_version(uri)
    workspace.mkdir(parents=True, exist_ok=True)
    listing = _fetch_listing(source, uri, workspace)
    wanted = [path for path, expected in listing.files.items() if not _is_complete(workspace / path, expected)]
    for number, path in enumerate(wanted, start=1):
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        fetch_file(source, path, workspace / path, listing.files[path], uri)
        progress(f"Fetched from {uri}, files", number, len(wanted))
    _drop_others(workspace, listing)
    if BUNDLE_MANIFEST in listing.files:
        read_bundle(workspace / BUNDLE)
    if output.exists():
        shutil.rmtree(output)
    workspace.rename(output)
    return listing


def check_output(output: Path, *, overwrite: bool) -> None:
    """Check that a fetch may create or replace a folder.

    Raises:
        PublishError: The folder exists, and a fetch did not create it or `overwrite` is False.
    """
    if output.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise PublishError(
            f"{output} contains the current folder: choose another one, for example --output models/intent."
        )
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / LISTING).is_file():
        raise PublishError(f"{output} exists and was not created by a fetch: choose another folder with --output.")
    if not overwrite:
        raise PublishError(f"{output} already exists: choose another folder with --output, or replace it with --force.")


def _find_version(uri: str) -> tuple[BundleSource, str]:
    """Return the source of the version that a URI refers to, and the version's own URI."""
    source = remote_source(uri)
    if source is None:
        raise PublishError(f"{uri} is a local folder; expected hf://owner/name@version or s3://bucket/prefix/version.")
    names = set(source.names())
    if LISTING in names:
        return source, uri
    uri = uri.rstrip("/")
    if S3.fullmatch(uri) and LATEST not in names and uri.endswith(f"/{NEWEST}"):
        uri = uri.removesuffix(f"/{NEWEST}")
        source = remote_source(uri) or source
        names = set(source.names())
    if not S3.fullmatch(uri) or LATEST not in names:
        raise PublishError(
            f"{uri} does not contain a version that `ludwig-serverless publish` wrote: no {LISTING} among its "
            f"{len(names)} files. Check the name and the version."
        )
    version = _latest(source, uri)
    say(f"The latest version of {uri} is {version}.")
    return _find_version(f"{uri}/{version}")


def _latest(source: BundleSource, uri: str) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, LATEST)
        source.fetch(LATEST, path, MAX_MANIFEST_BYTES)
        content = path.read_bytes()
    try:
        return msgspec.json.decode(content, type=Latest).version
    except msgspec.DecodeError as error:
        raise PublishError(f"{uri}/{LATEST} is invalid: {error}. Give the version explicitly.") from None


def _fetch_listing(source: BundleSource, uri: str, workspace: Path) -> VersionListing:
    path = workspace / LISTING
    path.unlink(missing_ok=True)
    source.fetch(LISTING, path, MAX_MANIFEST_BYTES)
    listing = read_listing(path.read_bytes(), f"{uri}/{LISTING}")
    if missing := sorted(set(listing.files) - set(source.names())):
        raise PublishError(
            f"{uri} is incomplete: it lacks {', '.join(missing)}. Its publication was interrupted or is still in "
            "progress: run `ludwig-serverless publish` again, or wait."
        )
    return listing


def _is_complete(path: Path, expected: object) -> bool:
    return path.is_file() and describe_file(path) == expected


def _drop_others(workspace: Path, listing: VersionListing) -> None:
    """Remove files that do not belong to the version: leftovers of an earlier attempt and the Hub library's cache."""
    kept = {workspace / path for path in (LISTING, *listing.files)}
    folders = {folder for path in kept for folder in path.parents}
    for path in sorted(workspace.rglob("*"), reverse=True):
        if path not in kept | folders:
            path.rmdir() if path.is_dir() else path.unlink()
