"""The plan of a batch: which files are answered, how, and into which parts. It is stored so that a run can resume."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from uuid import uuid4

import msgspec
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, LocalFileSystem, S3FileSystem

from ludwig_serverless.batch.errors import BatchError

PLAN = "batch.json"
S3 = "s3"
UNFINISHED = ".tmp"
"""The end of the name of a file that is being written."""
FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
Format = Literal["parquet", "csv", "jsonl"]
Answer = Literal["compact", "ludwig"]


class InputFile(msgspec.Struct, frozen=True):
    """A file to answer.

    Attributes:
        path: Its path in its file system.
        format: How to read it.
        bytes: Its size.
        modified: When it was modified, as ISO 8601; "" if the file system does not say.
    """

    path: str
    format: Format
    bytes: int
    modified: str


class BatchPlan(msgspec.Struct, frozen=True):
    """Everything that decides what a batch writes. A run resumes only if its plan equals the stored one.

    Attributes:
        files: The files to answer, in order.
        bundles: The seal of each bundle's manifest, by the model's name.
        answer: The kind of answer.
        columns: The columns of the answer to write; empty for all.
        kept: The columns of the input to write; None for all.
        text_column: The column with the messages.
        part_rows: The most rows in one part.
        format: How to write the parts.
        default_language: The language to answer if no model is sure of one.
    """

    files: Sequence[InputFile]
    bundles: dict[str, str]
    answer: Answer
    columns: Sequence[str]
    kept: Sequence[str] | None
    text_column: str
    part_rows: int
    format: Format
    default_language: str


class Place:
    """A folder or a file on this machine or in S3.

    Attributes:
        system: Its file system.
        path: Its path there.
    """

    def __init__(self, location: str) -> None:
        """Find the file system of a location.

        Args:
            location: A path, or `s3://bucket/prefix`.

        Raises:
            BatchError: The location is neither a path nor an S3 URI.
        """
        self.location = location
        self.system: FileSystem
        scheme, separator, rest = location.partition("://")
        if (separator and scheme != S3) or (not rest.strip("/") and separator):
            raise BatchError(f"{location!r} cannot be used: give a path on this machine, or s3://bucket/prefix.")
        if separator:
            self.system, self.path = _s3(), rest.rstrip("/")
        else:
            self.system, self.path = LocalFileSystem(), str(Path(location).absolute())

    def child(self, *names: str) -> str:
        """Return the path of something below this place."""
        return str(PurePosixPath(self.path, *names))

    def files(self) -> list[FileInfo]:
        """Return the files at or below this place, by path.

        Raises:
            BatchError: There is nothing.
        """
        found = self.system.get_file_info(self.path)
        if found.type == FileType.NotFound:
            raise BatchError(f"{self.location} does not exist: give a file, a folder of files, or s3://bucket/prefix.")
        if found.type == FileType.File:
            return [found]
        inside = self.system.get_file_info(FileSelector(self.path, recursive=True))
        return sorted((each for each in inside if each.type == FileType.File), key=lambda each: each.path)

    def read(self, name: str) -> bytes | None:
        """Return the content of a small file below this place; None if it does not exist."""
        path = self.child(name)
        if self.system.get_file_info(path).type != FileType.File:
            return None
        with self.system.open_input_stream(path) as stream:
            return bytes(stream.read())

    def write(self, name: str, content: bytes) -> None:
        """Write a file below this place so that it exists completely or not at all.

        Args:
            name: The file's path below this place.
            content: The content.
        """
        path = self.child(name)
        self.system.create_dir(str(PurePosixPath(path).parent), recursive=True)
        if self._is_object_store():  # an object appears when its upload ends
            with self.system.open_output_stream(path) as stream:
                stream.write(content)
            return
        temporary = f"{path}.{uuid4().hex}{UNFINISHED}"  # of this attempt only: a cluster may start a second one
        with self.system.open_output_stream(temporary) as stream:
            stream.write(content)
        self.system.move(temporary, path)

    def remove_unfinished(self) -> None:
        """Remove the files that killed processes left behind while they wrote below this place."""
        for each in self.files():
            if each.base_name.endswith(UNFINISHED):
                self.system.delete_file(each.path)

    def _is_object_store(self) -> bool:
        return not isinstance(self.system, LocalFileSystem)


def input_files(place: Place) -> list[InputFile]:
    """Find the files to answer.

    Args:
        place: A file, or a folder whose files may be in subfolders. Hidden files and Spark's markers are left out.

    Returns:
        The files, by path.

    Raises:
        BatchError: There is no file with a known extension.
    """
    found = [each for each in place.files() if not each.base_name.startswith((".", "_"))]
    files = [
        InputFile(each.path, _format(each), each.size, each.mtime.isoformat() if each.mtime else "")
        for each in found
        if f".{each.extension.lower()}" in FORMATS
    ]
    if not files:
        names = ", ".join(each.base_name for each in found[:5]) or "nothing"
        raise BatchError(f"{place.location} has no file to answer: expected {', '.join(FORMATS)}, found {names}.")
    return files


def store(plan: BatchPlan, output: Place) -> bool:
    """Store a plan in an output folder, or find the same one there.

    Args:
        plan: The plan.
        output: The output folder.

    Returns:
        Whether an earlier run with this plan was there, whose parts count.

    Raises:
        BatchError: The folder belongs to another plan, or contains something else.
    """
    content = msgspec.json.format(msgspec.json.encode(plan), indent=2)
    before = output.read(PLAN)
    if before is None:
        if output.system.get_file_info(output.path).type == FileType.File:
            raise BatchError(f"{output.location} is a file: give a folder for the answers.")
        if _exists(output) and any(not each.base_name.endswith(UNFINISHED) for each in output.files()):
            raise BatchError(f"{output.location} contains other files: give a new folder for the answers.")
        output.write(PLAN, content)
        return False
    if before != content:
        raise BatchError(
            f"{output.location} belongs to another batch, which differs in {_differences(before, content)}. Give "
            "another folder, or delete this one to start again."
        )
    return True


def _s3() -> S3FileSystem:
    """Return S3 with the credentials, the region and the endpoint that AWS's own tools use."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return S3FileSystem(endpoint_override=endpoint, region=region)


def _format(file: FileInfo) -> Format:
    found: Format = FORMATS[f".{file.extension.lower()}"]  # type: ignore[assignment]
    return found


def _exists(place: Place) -> bool:
    found: bool = place.system.get_file_info(place.path).type != FileType.NotFound
    return found


def _differences(before: bytes, now: bytes) -> str:
    try:
        old: dict[str, Any] = msgspec.json.decode(before)
    except msgspec.DecodeError:
        return PLAN
    new: dict[str, Any] = msgspec.json.decode(now)
    return ", ".join(name for name in new if old.get(name) != new[name]) or PLAN
