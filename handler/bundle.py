"""The bundle format: a folder with one exported model and the manifest that describes it.

The handler owns the format and reads bundles; export writes them with the same types. Reading a bundle checks the
schema, the manifest's seal, the size and SHA-256 of every file, and that no path leaves the folder. Nothing is
unpickled.
"""

import os
from collections.abc import Sequence
from stat import S_ISREG
from typing import Annotated, Any, Literal

import msgspec

from handler import __version__
from handler.certificate import GoldenRow, Parity, Quantization
from handler.described import Described
from handler.errors import BundleError, TooLargeError
from handler.files import StrPath, file_sha256, read, sha256
from handler.inputs import InputFeature
from handler.outputs import OutputFeature

SCHEMA_VERSION = 3
"""The version of the manifest's format. ARCHITECTURE.md ("The bundle") says when to change it; a test checks that."""

MANIFEST = "manifest.json"
UNSEALED = "0" * 64
MAX_MANIFEST_BYTES = 10_000_000
"""The largest manifest to read, in bytes. It limits memory use; a manifest with thousands of labels is far smaller."""


class BundleFile(Described, frozen=True):
    """The expected SHA-256 and size in bytes of a file in the bundle."""

    sha256: str
    bytes: int


GraphFormat = Literal["onnx", "torchscript"]


class GraphTensor(Described, frozen=True):
    """An input or output of the graph.

    Attributes:
        name: The tensor's name in the graph.
        dtype: Its numpy dtype, such as `int32`.
        shape: For each axis its size, or its name if the size varies.
    """

    name: str
    dtype: str
    shape: list[int | str]


class Graph(Described, frozen=True):
    """The neural network with its weights: its file, and the tensors that go in and come out."""

    format: GraphFormat
    file: str
    inputs: list[GraphTensor]
    outputs: list[GraphTensor]


class Provenance(Described, frozen=True, kw_only=True):
    """Where the model comes from.

    Attributes:
        ludwig_version: The version of Ludwig that loaded the model for the export; "none" with another source.
        model_sha256: The SHA-256 of the exported weights.
        exported_at: The time of the export.
        exporter_version: The version of this package that exported the model.
        license: The license that the exporter was given.
        training: The record that `ludwig-serverless fit` writes, if the model has one.
        source: The name and the origin of a model that Ludwig did not train; None for Ludwig's.
    """

    ludwig_version: str
    model_sha256: str
    exported_at: str
    exporter_version: str
    license: str | None = None
    training: dict[str, Any] | None = None
    source: str | None = None


class Manifest(Described, frozen=True, kw_only=True):
    """Everything that the handler needs to answer as the model does, apart from the files themselves.

    Attributes:
        schema_version: The version of this format.
        name: The model's name in requests and answers.
        graph: The neural network.
        inputs: How to encode the values that the model reads.
        outputs: How to decode what the graph returns.
        files: The expected hash and size of every other file in the bundle, by name.
        provenance: Where the model comes from.
        parity: The proof that the bundle answers as the model does.
        quantization: The measurements behind a smaller graph; None if export did not try one.
        golden: Rows to check again before a deployment takes traffic.
        entities: The file with the vocabulary of entities, or None; see `handler.vocabulary`.
        seal: The SHA-256 of the written manifest, computed with zeros in place of the seal.
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
    entities: str | None = None
    seal: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] = UNSEALED

    def to_json(self) -> bytes:
        """Return the sealed manifest as it is written to disk, UTF-8 JSON."""
        unsealed = msgspec.structs.replace(self, seal=UNSEALED)
        content = msgspec.json.format(msgspec.json.encode(unsealed), indent=1) + b"\n"
        head, _, tail = content.rpartition(UNSEALED.encode())
        return head + sha256(content).encode() + tail


class _SchemaVersion(msgspec.Struct):
    """The part of a manifest that every schema has, which is read first."""

    schema_version: int


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Parse and verify a manifest.

    Args:
        content: The bytes of `manifest.json`, UTF-8 JSON.
        where: The path or URI to show in errors.

    Returns:
        The manifest.

    Raises:
        BundleError: The manifest is malformed, altered or inconsistent, or this handler does not support its schema.
    """
    try:
        found = msgspec.json.decode(content, type=_SchemaVersion).schema_version
        if found != SCHEMA_VERSION:
            raise BundleError(_other_schema(found, where))
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"{where} is not a manifest that this handler can read: {error}. Export the model again with the same "
            f"version of this package as the handler, {__version__}."
        ) from None
    _check_consistency(manifest, where)
    head, _, tail = content.rpartition(manifest.seal.encode())
    if sha256(head + UNSEALED.encode() + tail) != manifest.seal:
        raise BundleError(
            f"{where} was altered after it was written. Copy the whole bundle again, or export the model again."
        )
    return manifest


def read_bundle(folder: StrPath) -> Manifest:
    """Read and verify the bundle in a folder.

    Args:
        folder: The bundle's folder. It contains the manifest and the files that the manifest lists, nothing else.

    Returns:
        The verified manifest.

    Raises:
        BundleError: A file is missing, altered, unreadable or not listed, or the manifest is invalid.
    """
    path = os.path.join(folder, MANIFEST)
    try:
        size = os.stat(path).st_size
        if size > MAX_MANIFEST_BYTES:
            raise TooLargeError(path, size, MAX_MANIFEST_BYTES)
        manifest = parse_manifest(read(folder, MANIFEST), path)
        unlisted = sorted(set(os.listdir(folder)) - {MANIFEST, *manifest.files})
    except OSError as error:
        raise BundleError(
            f"{folder} is not a bundle: {MANIFEST} cannot be read ({error.strerror}). "
            "Create one with `ludwig-serverless export MODEL_DIR BUNDLE_DIR`."
        ) from None
    if unlisted:
        raise BundleError(
            f"{folder} contains {_listed(unlisted)}, which its manifest does not list and no hash covers: delete it or "
            "copy the whole bundle again."
        )
    for name, expected in manifest.files.items():
        _check_file(folder, name, expected)
    return manifest


def is_bundle(folder: StrPath) -> bool:
    """Return whether a folder contains a bundle's manifest, of any schema. Other programs write manifest.json too."""
    try:
        msgspec.json.decode(read(folder, MANIFEST), type=_SchemaVersion)
    except (OSError, msgspec.DecodeError):
        return False
    return True


def describe_file(path: StrPath) -> BundleFile:
    """Return the size and SHA-256 of a file."""
    digest, size = file_sha256(path)
    return BundleFile(sha256=digest, bytes=size)


def _other_schema(found: int, where: str) -> str:
    says = f"{where} has schema {found}; this handler ({__version__}) reads schema {SCHEMA_VERSION}."
    if found > SCHEMA_VERSION:
        return f"{says} Upgrade the handler to the version that exported the bundle, or a later one."
    return f"{says} Export the model again with this version: `ludwig-serverless export MODEL_DIR BUNDLE_DIR`."


def _check_consistency(manifest: Manifest, where: str) -> None:
    """Check what the types cannot express: that all names match, and that files stay inside the folder."""
    named = [manifest.graph.file, *(file for feature in manifest.inputs for file in feature.files)]
    named += [manifest.entities] if manifest.entities else []
    for name in [*named, *manifest.files]:
        if "/" in name or name in {"", ".", "..", MANIFEST} or "\\" in name or "\0" in name:
            raise BundleError(f"{where} names the file {name!r}, which is not a plain file name inside the bundle.")
    missing = sorted(set(named) - set(manifest.files))
    if missing:
        raise BundleError(f"{where} uses files that it has no hash for: {missing}.")
    graph_inputs = sorted(tensor.name for tensor in manifest.graph.inputs)
    if graph_inputs != sorted(feature.name for feature in manifest.inputs):
        raise BundleError(f"{where} describes inputs that differ from those of its graph: {graph_inputs}.")
    unknown = {name for feature in manifest.outputs for name in feature.tensors}
    unknown -= {tensor.name for tensor in manifest.graph.outputs}
    if unknown or not manifest.outputs:
        raise BundleError(f"{where} describes outputs that its graph does not have: {sorted(unknown)}.")
    if manifest.parity.passed and not manifest.parity.is_earned:
        raise BundleError(
            f"{where} says that its proof passed, but its own counts say otherwise. Export the model again."
        )


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _check_file(folder: StrPath, name: str, expected: BundleFile) -> None:
    path = os.path.join(folder, name)
    try:
        found = describe_file(path) if S_ISREG(os.lstat(path).st_mode) else None
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}).") from None
    if found is None:
        raise BundleError(f"{folder} lacks the file {name}. Copy the whole bundle again.")
    if found != expected:
        raise BundleError(
            f"{path} was altered: it has {found.bytes} bytes and SHA-256 {found.sha256[:12]}..., but the manifest says "
            f"{expected.bytes} bytes and {expected.sha256[:12]}.... Copy the whole bundle again."
        )
