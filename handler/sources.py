"""Fetch bundles from folders, S3 and the Hugging Face Hub; verify and cache remote bundles.

Each file is downloaded as `<name>.part`, never beyond the size in the manifest, and renamed when its SHA-256 matches
the manifest. So an interrupted start resumes, and every file under its final name is complete.

Anyone who can write to a remote location can replace its bundle. A URI can be pinned to one bundle: if it ends in
`#seal=` and the seal of a manifest, the handler accepts only that bundle.
"""

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from handler.bundle import MANIFEST, MAX_MANIFEST_BYTES, BundleFile, Manifest, describe_file, parse_manifest
from handler.errors import BundleError
from handler.files import StrPath, sha256
from handler.logs import log

S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)(?:/(?P<prefix>.*))?")
HUB = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@]+?))?/?")
SEAL = re.compile(r"[0-9a-f]{64}")
MEGABYTE = 1_000_000


class BundleSource(Protocol):
    """A remote location of bundles."""

    def names(self) -> list[str]:
        """Return the path of every file, relative to the location."""

    def fetch(self, name: str, target: Path, limit: int) -> None:
        """Download a file.

        Args:
            name: The file's path, relative to the location.
            target: Where to write it. It may contain the beginning of the file, from an interrupted download.
            limit: The largest allowed size in bytes.

        Raises:
            TooLargeError: The file is over the limit. Nothing is downloaded.
            BundleError: The file cannot be read.
        """


def local_folders(locations: Iterable[str], cache: StrPath) -> Iterator[Path]:
    """Fetch the remote locations, and yield a local folder for every location.

    Args:
        locations: Folders and URIs of bundles. A URI may be pinned to a seal.
        cache: The folder that keeps downloaded bundles.

    Yields:
        The folder itself, or the folder in the cache.

    Raises:
        BundleError: A location cannot be read, contains no valid bundle, or contains another bundle than the pinned
            one.
    """
    for pinned in locations:
        location, seal = split_seal(pinned)
        source = remote_source(location)
        yield Path(location) if source is None else _fetch_all(location, seal, source, Path(cache))


def split_seal(location: str) -> tuple[str, str | None]:
    """Split a location into the part before `#seal=` and the seal.

    Args:
        location: A folder or URI.

    Returns:
        The location without the seal, and the seal; None for a folder or a URI that is not pinned.

    Raises:
        BundleError: What follows `#seal=` is not a seal.
    """
    bare, mark, seal = location.partition("#seal=")
    if not mark or "://" not in location:
        return location, None
    if not SEAL.fullmatch(seal):
        raise BundleError(
            f"{location} has no valid seal after #seal=: give the 64 hex digits of `seal` in the bundle's {MANIFEST}."
        )
    return bare, seal


def remote_source(location: str) -> BundleSource | None:
    """Return the source that reads a location.

    Args:
        location: A folder or URI, without a seal.

    Returns:
        The source of a URI; None for a folder.

    Raises:
        BundleError: The URI is neither an S3 nor a Hub location, or its library is not installed.
    """
    if "://" not in location:
        return None
    if found := S3.fullmatch(location):
        from handler.s3 import S3Source

        return S3Source(found["bucket"], (found["prefix"] or "").strip("/"))
    if found := HUB.fullmatch(location):
        from handler.hub import HubSource

        return HubSource(found["repo"], found["revision"])
    raise BundleError(
        f"{location} is not a location of bundles: give a folder, s3://bucket/prefix or hf://owner/name@revision."
    )


def _fetch_all(uri: str, seal: str | None, source: BundleSource, cache: Path) -> Path:
    """Fetch the bundle at a URI, or every bundle one folder down. A seal pins the only bundle there."""
    root = cache / sha256(uri.encode())[:16]
    names = set(source.names())
    manifests = [MANIFEST] if MANIFEST in names else sorted(name for name in names if _is_inner_manifest(name))
    if not manifests:
        raise BundleError(
            f"No bundle in {uri}: neither the folder nor a folder in it contains {MANIFEST}. "
            f"Found {len(names)} files{_some(names)}. Publish a whole bundle there."
        )
    if seal and len(manifests) > 1:
        raise BundleError(
            f"{uri} is pinned to one seal but contains {len(manifests)} bundles{_some(manifests)}: list each bundle's "
            "URI with its own seal."
        )
    for kept in _kept_bundles(root) - {root / Path(name).parent for name in manifests}:
        shutil.rmtree(kept)
    for name in manifests:
        _fetch_bundle(uri, seal, source, Path(name).parent.as_posix(), names, root)
    return root


def _fetch_bundle(uri: str, seal: str | None, source: BundleSource, inner: str, names: set[str], root: Path) -> None:
    """Fetch one bundle: its manifest first, then the files that are missing or differ from the manifest."""
    started = time.perf_counter()
    prefix = "" if inner == "." else f"{inner}/"
    where = f"{uri.rstrip('/')}/{prefix}{MANIFEST}"
    folder = root / inner
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = _partial(folder / MANIFEST)
    partial.unlink(missing_ok=True)
    source.fetch(f"{prefix}{MANIFEST}", partial, MAX_MANIFEST_BYTES)
    manifest = parse_manifest(partial.read_bytes(), where)
    if seal and manifest.seal != seal:
        raise BundleError(
            f"{where} has the seal {manifest.seal}, but the URI is pinned to {seal}: this is not the deployed bundle. "
            "Find out who changed it, or pin the new seal."
        )
    wanted = [name for name in manifest.files if not _is_whole(folder, name, manifest)]
    if missing := sorted(name for name in wanted if f"{prefix}{name}" not in names):
        raise BundleError(f"{uri} lacks {missing}, which {where} lists. Publish the whole bundle again.")
    _check_space(uri, folder, wanted, manifest)
    for name in wanted:
        fetch_file(source, f"{prefix}{name}", folder / name, manifest.files[name], f"bundle {manifest.name!r}")
    partial.replace(folder / MANIFEST)
    _drop_unlisted(folder, manifest)
    log(
        "bundle fetched",
        uri=where,
        files=len(wanted),
        bytes=sum(manifest.files[name].bytes for name in wanted),
        milliseconds=round((time.perf_counter() - started) * 1000),
    )


def fetch_file(source: BundleSource, remote: str, target: Path, expected: BundleFile, owner: str) -> None:
    """Download one file, verify it, and rename it to its final name.

    Args:
        source: The source that reads the location.
        remote: The file's path in the source.
        target: The final path on disk.
        expected: The file's size, which also limits the download, and its SHA-256.
        owner: What the file belongs to, for errors.

    Raises:
        BundleError: The file cannot be read, or is not the expected one.
    """
    partial = _partial(target)
    resumed = partial.exists()
    source.fetch(remote, partial, expected.bytes)
    found = describe_file(partial)
    if found != expected and resumed:
        # The kept beginning may come from an older file, so start again without it.
        partial.unlink()
        source.fetch(remote, partial, expected.bytes)
        found = describe_file(partial)
    if found != expected:
        partial.unlink()
        raise BundleError(
            f"{remote} of {owner} was altered: it has {found.bytes} bytes and SHA-256 {found.sha256[:12]}..., "
            f"expected {expected.bytes} bytes and {expected.sha256[:12]}.... Publish it again, with all its files."
        )
    partial.replace(target)


def _check_space(uri: str, folder: Path, wanted: list[str], manifest: Manifest) -> None:
    """Raise BundleError if the disk has too little free space for the rest of a bundle."""
    here = sum(_partial(folder / name).stat().st_size for name in wanted if _partial(folder / name).exists())
    needed = sum(manifest.files[name].bytes for name in wanted) - here
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BundleError(
            f"Bundle {manifest.name!r} of {uri} needs {needed / MEGABYTE:.1f} MB, but {folder} has only "
            f"{free / MEGABYTE:.1f} MB free. Give the function more ephemeral storage, or build the bundle into the "
            "image."
        )


def _is_whole(folder: Path, name: str, manifest: Manifest) -> bool:
    path = folder / name
    return path.is_file() and describe_file(path) == manifest.files[name]


def _drop_unlisted(folder: Path, manifest: Manifest) -> None:
    """Remove leftovers of earlier downloads: a bundle contains only its manifest and the files listed in it."""
    for path in folder.iterdir():
        if path.name not in {MANIFEST, *manifest.files}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _is_inner_manifest(name: str) -> bool:
    """Return whether a file is the manifest of a bundle one folder down, where `load_predictors` looks for bundles."""
    folder, _, file = name.rpartition("/")
    return file == MANIFEST and folder not in {"", ".", ".."} and not set(folder) & {"/", "\\", "\0"}


def _kept_bundles(root: Path) -> set[Path]:
    return {path.parent for path in (*root.glob(MANIFEST), *root.glob(f"*/{MANIFEST}"))}


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _some(names: Iterable[str]) -> str:
    listed = ", ".join(sorted(names)[:5])
    return f" ({listed} ...)" if listed else ""
