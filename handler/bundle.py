"""The bundle format: a folder with one exported model and the manifest that describes it.

The handler reads bundles and owns the format; export writes them with the same types. Reading a bundle checks the
schema, the manifest's seal, every file's size and SHA-256, and that no path leaves the folder. Nothing is unpickled.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from handler import __version__
from handler.certificate import GoldenRow, Parity, Quantization
from handler.described import Described
from handler.errors import BundleError, TooLargeError
from handler.inputs import InputFeature
from handler.outputs import OutputFeature

SCHEMA_VERSION = 3
"""The manifest's format. ARCHITECTURE.md ("The bundle") says when it must change; a test holds it."""

MANIFEST = "manifest.json"
UNSEALED = "0" * 64
MAX_MANIFEST_BYTES = 10_000_000
"""Maximum size of a manifest in bytes, far above that of one with thousands of labels; it limits memory use."""


class BundleFile(Described, frozen=True):
    """What a file of the bundle must be."""

    sha256: str
    bytes: int


GraphFormat = Literal["onnx", "torchscript"]


class Tensor(Described, frozen=True):
    """An input or output of the graph. shape: a number, or the name of an axis that varies."""

    name: str
    dtype: str
    shape: list[int | str]


class Graph(Described, frozen=True):
    """The network, weights included."""

    format: GraphFormat
    file: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class Provenance(Described, frozen=True, kw_only=True):
    """Where the model comes from.

    model_sha256: of the weights that were exported. training: what `ludwig-serverless fit` wrote down, where it did.
    """

    ludwig_version: str
    model_sha256: str
    exported_at: str
    exporter_version: str
    license: str | None = None
    training: dict[str, Any] | None = None


class Manifest(Described, frozen=True, kw_only=True):
    """Everything that the handler needs to answer as the model does, besides the files themselves.

    seal: SHA-256 of the manifest as it is written, with zeros in the seal's own place.
    """

    schema_version: int
    name: str
    graph: Graph
    inputs: list[InputFeature]
    outputs: list[OutputFeature]
    files: dict[str, BundleFile]
    provenance: Provenance
    parity: Parity
    quantization: Quantization | None = None
    golden: list[GoldenRow] = msgspec.field(default_factory=list)
    seal: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] = UNSEALED

    def to_json(self) -> bytes:
        """Return the manifest as it is written to disk, sealed."""
        unsealed = msgspec.structs.replace(self, seal=UNSEALED)
        content = msgspec.json.format(msgspec.json.encode(unsealed), indent=1) + b"\n"
        head, _, tail = content.rpartition(UNSEALED.encode())
        return head + hashlib.sha256(content).hexdigest().encode() + tail


class _SchemaVersion(msgspec.Struct):
    """The part of a manifest that is read first, for every schema."""

    schema_version: int


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Read a manifest.

    Args:
        content: The manifest as it is on disk, UTF-8 JSON.
        where: What to call it in errors: a path or an address.

    Raises:
        BundleError: It is broken, altered, contradicts itself, or has another schema than this handler reads.
    """
    try:
        found = msgspec.json.decode(content, type=_SchemaVersion).schema_version
        if found != SCHEMA_VERSION:
            raise BundleError(_other_schema(found, where))
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"{where} is not a manifest that this handler reads: {error}. Export the model again with the handler's "
            f"version of this package, {__version__}."
        ) from None
    _check_consistency(manifest, where)
    head, _, tail = content.rpartition(manifest.seal.encode())
    if hashlib.sha256(head + UNSEALED.encode() + tail).hexdigest() != manifest.seal:
        raise BundleError(
            f"{where} was altered after it was written. Copy the bundle again, whole, or export it again."
        )
    return manifest


def read_bundle(folder: Path) -> Manifest:
    """Read and verify the bundle in a folder.

    Args:
        folder: The bundle: its manifest and the files that the manifest lists, nothing else.

    Raises:
        BundleError: Something is missing, altered, out of place, or not listed.
    """
    path = folder / MANIFEST
    try:
        size = path.stat().st_size
        if size > MAX_MANIFEST_BYTES:
            raise TooLargeError(str(path), size, MAX_MANIFEST_BYTES)
        manifest = parse_manifest(path.read_bytes(), str(path))
        unlisted = sorted({found.name for found in folder.iterdir()} - {MANIFEST, *manifest.files})
    except OSError as error:
        raise BundleError(
            f"{folder} is not a bundle: {path.name} cannot be read ({error.strerror}). "
            "Make one with `ludwig-serverless export MODEL_DIR BUNDLE_DIR`."
        ) from None
    if unlisted:
        raise BundleError(
            f"{folder} holds {_listed(unlisted)}, which its manifest does not list. No hash covers such a file: delete "
            "it, or copy the bundle again."
        )
    for name, expected in manifest.files.items():
        _check_file(folder, name, expected)
    return manifest


def is_bundle(folder: Path) -> bool:
    """Return whether a folder contains a bundle manifest of any schema; other programs also write manifest.json."""
    try:
        msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_SchemaVersion)
    except (OSError, msgspec.DecodeError):
        return False
    return True


def describe_file(path: Path) -> BundleFile:
    """Return the size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BundleFile(sha256=digest, bytes=path.stat().st_size)


def _other_schema(found: int, where: str) -> str:
    says = f"{where} has schema {found}; this handler ({__version__}) reads schema {SCHEMA_VERSION}."
    if found > SCHEMA_VERSION:
        return f"{says} Upgrade the handler to the version that exported the bundle, or a later one."
    return f"{says} Export the model again with this version: `ludwig-serverless export MODEL_DIR BUNDLE_DIR`."


def _check_consistency(manifest: Manifest, where: str) -> None:
    """Check what the types cannot express: that names match, and that files stay inside the folder."""
    named = [manifest.graph.file, *(file for feature in manifest.inputs for file in feature.files)]
    for name in [*named, *manifest.files]:
        if PurePosixPath(name).name != name or name in {"", ".", "..", MANIFEST} or "\\" in name or "\0" in name:
            raise BundleError(f"{where} names the file {name!r}, which is not a plain file name inside the bundle.")
    missing = sorted(set(named) - set(manifest.files))
    if missing:
        raise BundleError(f"{where} uses files that it gives no hash for: {missing}.")
    graph_inputs = sorted(tensor.name for tensor in manifest.graph.inputs)
    if graph_inputs != sorted(feature.name for feature in manifest.inputs):
        raise BundleError(f"{where} describes other inputs than its graph has: {graph_inputs}.")
    unknown = {name for feature in manifest.outputs for name in feature.tensors}
    unknown -= {tensor.name for tensor in manifest.graph.outputs}
    if unknown or not manifest.outputs:
        raise BundleError(f"{where} describes outputs that its graph does not have: {sorted(unknown)}.")
    if manifest.parity.passed and not manifest.parity.is_earned:
        raise BundleError(f"{where} says that its proof passed, but its own counts say no. Export the model again.")


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _check_file(folder: Path, name: str, expected: BundleFile) -> None:
    path = folder / name
    try:
        found = None if path.is_symlink() or not path.is_file() else describe_file(path)
    except OSError as error:
        raise BundleError(f"{folder}: its file {name} cannot be read ({error.strerror}).") from None
    if found is None:
        raise BundleError(f"{folder} lacks its file {name}. Copy the bundle again, whole.")
    if found != expected:
        raise BundleError(
            f"{path} was altered: {found.bytes} bytes, SHA-256 {found.sha256[:12]}..., "
            f"the manifest says {expected.bytes} bytes, {expected.sha256[:12]}.... Copy the bundle again, whole."
        )
