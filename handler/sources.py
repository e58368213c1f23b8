"""Fetch bundles from folders, S3 and the Hugging Face Hub; verify and cache remote bundles.

A file is fetched under a name of its own, never beyond the size that the manifest gives it, and moved into place when
its SHA-256 is that of the manifest. So a start that broke off resumes, and what is in place is whole.

Whoever may write to a place could put another bundle there. From a place that ends in `#seal=` and the seal of a
manifest, only that bundle is taken.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from handler.bundle import MANIFEST, MAX_MANIFEST_BYTES, BundleFile, Manifest, describe_file, parse_manifest
from handler.errors import BundleError
from handler.logs import log

S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)(?:/(?P<prefix>.*))?")
HUB = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@]+?))?/?")
SEAL = re.compile(r"[0-9a-f]{64}")
MEGABYTE = 1_000_000


class Source(Protocol):
    """A remote location of bundles."""

    def names(self) -> list[str]:
        """Return the path of every file there, relative to the place."""

    def fetch(self, name: str, target: Path, limit: int) -> None:
        """Write a file to disk.

        Args:
            name: Its path, relative to the place.
            target: Where to write. It may hold the beginning of the file, from a fetch that broke off.
            limit: The most bytes that the file may have.

        Raises:
            TooLargeError: The file has more bytes. None beyond the limit are downloaded.
            BundleError: The file cannot be read.
        """


def local_folders(places: Iterable[str], cache: Path) -> Iterator[Path]:
    """Return the folder of each location, after fetching the remote ones.

    Args:
        places: Folders, and remote places with or without a pin.
        cache: The folder that remote bundles are kept in.

    Raises:
        BundleError: A place cannot be read, does not hold what it should, or not the bundle that it is pinned to.
    """
    for pinned in places:
        place, seal = split_seal(pinned)
        source = remote_source(place)
        yield Path(place) if source is None else _fetch_all(place, seal, source, cache)


def split_seal(place: str) -> tuple[str, str | None]:
    """Return a remote place without its pin, and the seal that it is pinned to, if any.

    Raises BundleError if the pin is not the seal of a manifest.
    """
    bare, mark, seal = place.partition("#seal=")
    if not mark or "://" not in place:
        return place, None
    if not SEAL.fullmatch(seal):
        raise BundleError(
            f"{place} has no seal behind #seal=: give the 64 hex digits that the bundle's {MANIFEST} has under `seal`."
        )
    return bare, seal


def remote_source(place: str) -> Source | None:
    """Return the reader of a remote location, or None for a folder. Raises BundleError if it is neither."""
    if "://" not in place:
        return None
    if found := S3.fullmatch(place):
        from handler.s3 import S3Source

        return S3Source(found["bucket"], (found["prefix"] or "").strip("/"))
    if found := HUB.fullmatch(place):
        from handler.hub import HubSource

        return HubSource(found["repo"], found["revision"])
    raise BundleError(f"{place} is no place of bundles: give a folder, s3://bucket/prefix or hf://owner/name@revision.")


def _fetch_all(place: str, seal: str | None, source: Source, cache: Path) -> Path:
    """Fetch every bundle of a place: the one that it is, or those in its folders. seal: that of the only one."""
    root = cache / hashlib.sha256(place.encode()).hexdigest()[:16]
    names = set(source.names())
    manifests = [MANIFEST] if MANIFEST in names else sorted(name for name in names if _is_inner_manifest(name))
    if not manifests:
        raise BundleError(
            f"No bundle in {place}: neither it nor a folder in it holds {MANIFEST}. "
            f"Found {len(names)} files{_some(names)}. Publish a bundle there, whole."
        )
    if seal and len(manifests) > 1:
        raise BundleError(
            f"{place} is pinned to one seal and holds {len(manifests)} bundles{_some(manifests)}: give each bundle's "
            "own place, with its own seal."
        )
    for kept in _kept_bundles(root) - {root / Path(name).parent for name in manifests}:
        shutil.rmtree(kept)
    for name in manifests:
        _fetch_bundle(place, seal, source, Path(name).parent.as_posix(), names, root)
    return root


def _fetch_bundle(place: str, seal: str | None, source: Source, inner: str, names: set[str], root: Path) -> None:
    started = time.perf_counter()
    prefix = "" if inner == "." else f"{inner}/"
    where = f"{place.rstrip('/')}/{prefix}{MANIFEST}"
    folder = root / inner
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = _partial(folder / MANIFEST)
    partial.unlink(missing_ok=True)
    source.fetch(f"{prefix}{MANIFEST}", partial, MAX_MANIFEST_BYTES)
    manifest = parse_manifest(partial.read_bytes(), where)
    if seal and manifest.seal != seal:
        raise BundleError(
            f"{where} has the seal {manifest.seal}, and the place is pinned to {seal}: it is not the bundle that was "
            "deployed. Find out who changed it, or pin the new seal."
        )
    wanted = [name for name in manifest.files if not _is_whole(folder, name, manifest)]
    if missing := sorted(name for name in wanted if f"{prefix}{name}" not in names):
        raise BundleError(f"{place} lacks {missing}, which {where} names. Publish the bundle again, whole.")
    _check_room(place, folder, wanted, manifest)
    for name in wanted:
        fetch_file(source, f"{prefix}{name}", folder / name, manifest.files[name], f"bundle {manifest.name!r}")
    partial.replace(folder / MANIFEST)
    _drop_unlisted(folder, manifest)
    log(
        "bundle fetched",
        place=where,
        files=len(wanted),
        bytes=sum(manifest.files[name].bytes for name in wanted),
        milliseconds=round((time.perf_counter() - started) * 1000),
    )


def fetch_file(source: Source, remote: str, target: Path, expected: BundleFile, owner: str) -> None:
    """Fetch one file and move it into place once it is what it must be. A beginning may be stale: try twice.

    Args:
        source: What reads the place.
        remote: The file's path there.
        target: Where it belongs.
        expected: Its size, beyond which nothing is downloaded, and its SHA-256.
        owner: What the file is a part of, for errors.

    Raises:
        BundleError: It is another file, or cannot be read.
    """
    partial = _partial(target)
    resumed = partial.exists()
    source.fetch(remote, partial, expected.bytes)
    found = describe_file(partial)
    if found != expected and resumed:
        partial.unlink()
        source.fetch(remote, partial, expected.bytes)
        found = describe_file(partial)
    if found != expected:
        partial.unlink()
        raise BundleError(
            f"{remote} of {owner} was altered: {found.bytes} bytes, SHA-256 {found.sha256[:12]}..., "
            f"expected {expected.bytes} bytes, {expected.sha256[:12]}.... Publish the bundle again, whole."
        )
    partial.replace(target)


def _check_room(place: str, folder: Path, wanted: list[str], manifest: Manifest) -> None:
    here = sum(_partial(folder / name).stat().st_size for name in wanted if _partial(folder / name).exists())
    needed = sum(manifest.files[name].bytes for name in wanted) - here
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BundleError(
            f"Bundle {manifest.name!r} of {place} needs {needed / MEGABYTE:.1f} MB, and {folder} has "
            f"{free / MEGABYTE:.1f} MB free. Give the function more ephemeral storage, or bake the bundle into the "
            "image."
        )


def _is_whole(folder: Path, name: str, manifest: Manifest) -> bool:
    path = folder / name
    return path.is_file() and describe_file(path) == manifest.files[name]


def _drop_unlisted(folder: Path, manifest: Manifest) -> None:
    """Remove leftovers of earlier fetches: a bundle contains only its manifest and the files that it lists."""
    for path in folder.iterdir():
        if path.name not in {MANIFEST, *manifest.files}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _is_inner_manifest(name: str) -> bool:
    """Return whether a file is the manifest of a bundle one folder down, as `load_predictors` looks for them."""
    folder, _, file = name.rpartition("/")
    return file == MANIFEST and folder not in {"", ".", ".."} and not set(folder) & {"/", "\\", "\0"}


def _kept_bundles(root: Path) -> set[Path]:
    return {path.parent for path in (*root.glob(MANIFEST), *root.glob(f"*/{MANIFEST}"))}


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _some(names: Iterable[str]) -> str:
    listed = ", ".join(sorted(names)[:5])
    return f" ({listed} ...)" if listed else ""
