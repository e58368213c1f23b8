"""Read captured messages from a file, a folder or a prefix in S3."""

import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from handler.captured import CapturedMessage, decode_messages
from handler.extras import how_to_install
from handler.s3 import s3_client
from training.aws_errors import explain
from training.errors import ReviewError

S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)(?:/(?P<prefix>.*))?")
FILES = re.compile(r".+\.(jsonl|ndjson)(\.gz)?")
GZIP, GZIP_MEMBER = b"\x1f\x8b", 31
"""The first bytes of a gzip file, and zlib's `wbits` for one."""
CONNECTIONS = 8
PERMISSIONS = "The role or keys need s3:GetObject and s3:ListBucket there."


class Captures(NamedTuple):
    """What capture files contain.

    Attributes:
        messages: The messages, the oldest first, without repeated ids.
        files: The number of files.
        unreadable: Notes about lines and files that cannot be read. They never quote a text.
    """

    messages: list[CapturedMessage]
    files: int
    unreadable: list[str]


def read_captures(location: str) -> Captures:
    """Read all captured messages of a location.

    Args:
        location: A file, a folder, or `s3://bucket/prefix`. Files end in .jsonl or .ndjson, or the same with .gz.

    Returns:
        The messages and the lines that are not messages.

    Raises:
        ReviewError: The location does not exist, has no such file, or cannot be read.
    """
    found = S3.fullmatch(location)
    files = _in_bucket(found["bucket"], found["prefix"] or "") if found else _in_folder(Path(location))
    messages: dict[str, CapturedMessage] = {}
    count, unreadable = 0, []
    for name, stored in files:
        count += 1
        content, whole = _unpacked(stored)
        broken = [message for message in decode_messages(content) if not _take(message, messages)]
        if broken:
            unreadable.append(f"{name}: {len(broken)} lines are not captured messages; the first is line {broken[0]}.")
        if not whole:
            unreadable.append(f"{name} is cut off: its last messages are missing.")
    if not count:
        raise ReviewError(
            f"{location} has no captured messages: expected files that end in .jsonl or .jsonl.gz. Give the folder or "
            "the S3 prefix in NLU_CAPTURE, to which the service writes them."
        )
    return Captures(sorted(messages.values(), key=lambda each: (each.time, each.id)), count, unreadable)


def _take(message: CapturedMessage | int, messages: dict[str, CapturedMessage]) -> bool:
    """Keep a message under its id. Returns whether it is one."""
    if isinstance(message, int):
        return False
    messages.setdefault(message.id, message)
    return True


def _in_folder(location: Path) -> Iterator[tuple[str, bytes]]:
    if not location.exists():
        raise ReviewError(
            f"{location} does not exist: give a folder or file of captured messages, or s3://bucket/prefix."
        )
    paths = sorted(location.rglob("*")) if location.is_dir() else [location]
    for path in paths:
        if path.is_file() and (FILES.fullmatch(path.name) or path == location):
            try:
                yield str(path), path.read_bytes()
            except OSError as error:
                raise ReviewError(f"{path} cannot be read: {error.strerror or error}.") from None


def _in_bucket(bucket: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    try:
        client = s3_client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ()) if FILES.fullmatch(found["Key"])]

        def fetch(key: str) -> tuple[str, bytes]:
            with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
                return f"s3://{bucket}/{key}", body.read()

        # The service writes many small objects.
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            yield from pool.map(fetch, sorted(keys))
    except ModuleNotFoundError:
        raise ReviewError(f"Reading S3 needs boto3, which is not installed: {how_to_install('training')}.") from None
    except Exception as error:
        problem = explain(error, PERMISSIONS)
        if problem is None:
            raise
        raise ReviewError(f"s3://{bucket}/{prefix} cannot be read: {problem}") from None


def _unpacked(content: bytes) -> tuple[bytes, bool]:
    """Return the content of a file, decompressed if it is gzip, and whether it is complete.

    A process that is killed leaves an incomplete gzip file, whose beginning is still readable.
    """
    if not content.startswith(GZIP):
        return content, True
    parts = []
    while content:
        member = zlib.decompressobj(GZIP_MEMBER)
        try:
            parts.append(member.decompress(content))
        except zlib.error:
            return b"".join(parts), False
        if not member.eof:
            return b"".join(parts), False
        content = member.unused_data
    return b"".join(parts), True
