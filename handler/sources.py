"""Where bundles lie: in folders, in S3, on the Hugging Face Hub. Remote ones are fetched once, checked, and kept.

A file is fetched into a name of its own and moved into place when its SHA-256 is that of the manifest; so a start that
broke off goes on where it was, and what lies in place is whole.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from handler.bundle import MANIFEST, BundleFile, Manifest, describe_file, parse_manifest
from handler.errors import BundleError
from handler.logs import log

S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)(?:/(?P<prefix>.*))?")
HUB = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@]+?))?/?")
MEGABYTE = 1_000_000


class Source(Protocol):
    """A place that is not on this machine."""

    def names(self) -> list[str]:
        """Return the path of every file there, relative to the place."""

    def fetch(self, name: str, target: Path) -> None:
        """Write a file to `target`, which may hold the beginning of it from a fetch that broke off."""


def local_folders(places: Iterable[str], cache: Path) -> Iterator[Path]:
    """Give the folder of each place, fetching those that are remote. Raises BundleError if one cannot be had whole."""
    for place in places:
        source = remote_source(place)
        yield Path(place) if source is None else _fetch_all(place, source, cache)


def remote_source(place: str) -> Source | None:
    """Return what reads a remote place, or None for a folder. Raises BundleError if it is neither."""
    if "://" not in place:
        return None
    if found := S3.fullmatch(place):
        from handler.s3 import S3Source

        return S3Source(found["bucket"], (found["prefix"] or "").strip("/"))
    if found := HUB.fullmatch(place):
        from handler.hub import HubSource

        return HubSource(found["repo"], found["revision"])
    raise BundleError(f"{place} is no place of bundles: give a folder, s3://bucket/prefix or hf://owner/name@revision.")


def _fetch_all(place: str, source: Source, cache: Path) -> Path:
    """Fetch every bundle of a place: the one that it is, or those in its folders."""
    root = cache / hashlib.sha256(place.encode()).hexdigest()[:16]
    names = set(source.names())
    manifests = [MANIFEST] if MANIFEST in names else sorted(name for name in names if _is_inner_manifest(name))
    if not manifests:
        raise BundleError(
            f"No bundle in {place}: neither it nor a folder in it holds {MANIFEST}. "
            f"Found {len(names)} files{_some(names)}. Publish a bundle there, whole."
        )
    for kept in _kept_bundles(root) - {root / Path(name).parent for name in manifests}:
        shutil.rmtree(kept)
    for name in manifests:
        _fetch_bundle(place, source, Path(name).parent.as_posix(), names, root)
    return root


def _fetch_bundle(place: str, source: Source, inner: str, names: set[str], root: Path) -> None:
    started = time.perf_counter()
    prefix = "" if inner == "." else f"{inner}/"
    where = f"{place.rstrip('/')}/{prefix}{MANIFEST}"
    folder = root / inner
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = _partial(folder / MANIFEST)
    partial.unlink(missing_ok=True)
    source.fetch(f"{prefix}{MANIFEST}", partial)
    manifest = parse_manifest(partial.read_bytes(), where)
    wanted = [name for name in manifest.files if not _is_whole(folder, name, manifest)]
    if missing := sorted(name for name in wanted if f"{prefix}{name}" not in names):
        raise BundleError(f"{place} lacks {missing}, which {where} names. Publish the bundle again, whole.")
    _check_room(place, folder, wanted, manifest)
    for name in wanted:
        fetch_file(source, f"{prefix}{name}", folder / name, manifest.files[name], f"bundle {manifest.name!r}")
    partial.replace(folder / MANIFEST)
    log(
        "bundle fetched",
        place=where,
        files=len(wanted),
        bytes=sum(manifest.files[name].bytes for name in wanted),
        milliseconds=round((time.perf_counter() - started) * 1000),
    )


def fetch_file(source: Source, remote: str, target: Path, expected: BundleFile, owner: str) -> None:
    """Fetch one file and move it into place once it is what it must be. A beginning may be stale: try twice.

    owner: what the file is a part of, for the BundleError that is raised if it is something else.
    """
    partial = _partial(target)
    resumed = partial.exists()
    source.fetch(remote, partial)
    found = describe_file(partial)
    if found != expected and resumed:
        partial.unlink()
        source.fetch(remote, partial)
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


def _is_inner_manifest(name: str) -> bool:
    """Tell whether a file is the manifest of a bundle one folder down, as `load_predictors` looks for them."""
    folder, _, file = name.rpartition("/")
    return file == MANIFEST and folder not in {"", ".", ".."} and not set(folder) & {"/", "\\", "\0"}


def _kept_bundles(root: Path) -> set[Path]:
    return {path.parent for path in (*root.glob(MANIFEST), *root.glob(f"*/{MANIFEST}"))}


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _some(names: Iterable[str]) -> str:
    listed = ", ".join(sorted(names)[:5])
    return f" ({listed} ...)" if listed else ""
