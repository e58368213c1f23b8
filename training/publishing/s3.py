"""Publish to Amazon S3: a folder for each version under a prefix, and `latest.json` with the latest version.

PREFIX/VERSION/files.json             written first: permanently reserves the version for this content
PREFIX/VERSION/...                    each file once; files that are already there are not sent again
PREFIX/VERSION/bundle/manifest.json   written last: without it, the handler does not find a bundle
PREFIX/latest.json                    updated when the version is complete
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from export.console import progress, say
from handler.bundle import BundleFile
from handler.extras import how_to_install
from handler.s3 import s3_client
from training.aws_errors import explain
from training.errors import PublishError
from training.publishing.contents import BUNDLE_MANIFEST, LISTING, Content, read, read_listing

LATEST = "latest.json"
SHA256, BEGUN = "sha256", "begun"
"""Keys of the S3 object metadata."""
MEGABYTE = 1_000_000
TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
PERMISSIONS = "The role or keys need s3:PutObject, s3:GetObject, s3:ListBucket and s3:AbortMultipartUpload there."


class Latest(msgspec.Struct, frozen=True):
    """`latest.json`."""

    version: str


class S3Target:
    """A prefix of a bucket. S3 encrypts all objects at rest, with its own key or the bucket's default KMS key."""

    def __init__(self, bucket: str, prefix: str) -> None:
        """Create the client.

        Args:
            bucket: Name of the bucket.
            prefix: Key prefix of the publication, without slashes at either end; may be empty.

        Raises:
            PublishError: boto3 is not installed.
        """
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self.title = prefix.rpartition("/")[2] or bucket
        try:
            from botocore.exceptions import ClientError

            self._client_error = ClientError
            with self._explained("reach"):
                self._client = s3_client()
        except ModuleNotFoundError:
            raise PublishError(
                f"Publishing to S3 needs boto3, which is not installed: {how_to_install('training')}."
            ) from None

    def address(self, version: str) -> str:
        """Return the URI of a version."""
        return f"s3://{self._bucket}/{self._prefix}{version}"

    def versions(self) -> list[str]:
        """Return the names of the folders under the prefix."""
        with self._explained("read"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
            )
            folders = [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ())]
        return [folder.removeprefix(self._prefix).rstrip("/") for folder in folders]

    def publish(self, version: str, files: Mapping[str, Content], *, replace: bool) -> bool:
        """Publish files in the version's folder; see `Target.publish` for arguments and exceptions."""
        if replace:
            raise PublishError(
                "--force works only for the Hub, because a version in S3 never changes: choose another --version."
            )
        base = f"{self._prefix}{version}/"
        sealed = read(files[LISTING])
        listed = read_listing(sealed, LISTING).files
        with self._explained("write to"):
            self._claim(base, version, sealed)
            missing = [path for path in _manifest_last(listed) if not self._is_there(base + path, listed[path])]
            for number, path in enumerate(missing, start=1):
                self._upload(base + path, files[path], listed[path])
                progress(f"Uploaded to {self.address(version)}, files", number, len(missing))
            return self._move_latest(version) or bool(missing)

    def _claim(self, base: str, version: str, sealed: bytes) -> None:
        """Write the listing if the version has none. Raises PublishError if the version has other content."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=base + LISTING,
                Body=sealed,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                Metadata={BEGUN: str(time.time_ns())},
            )
        except self._client_error as error:
            if _code(error) not in TAKEN:
                raise
        else:
            return
        if self._read(base + LISTING) != sealed:
            raise PublishError(
                f"{self.address(version)} already has other content, possibly from an unfinished publication, and a "
                "version never changes: choose another --version."
            )

    def _is_there(self, key: str, expected: BundleFile) -> bool:
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        except self._client_error as error:
            if _code(error) in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise
        return (found["ContentLength"], found["Metadata"].get(SHA256)) == (expected.bytes, expected.sha256)

    def _upload(self, key: str, content: Content, expected: BundleFile) -> None:
        extra = {"ChecksumAlgorithm": "SHA256", "Metadata": {SHA256: expected.sha256}}
        if isinstance(content, Path):
            say(f"  {key.removeprefix(self._prefix)}, {expected.bytes / MEGABYTE:.1f} MB ...")
            self._client.upload_file(str(content), self._bucket, key, ExtraArgs=extra)
        else:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, **extra)

    def _move_latest(self, version: str) -> bool:
        """Point `latest.json` to this version unless it names a newer one. Returns whether it was written."""
        written = self._read(self._prefix + LATEST)
        named = msgspec.json.decode(written, type=Latest).version if written else None
        if named and (named == version or self._begun(named) > self._begun(version)):
            return False
        latest = msgspec.json.encode(Latest(version)) + b"\n"
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + LATEST, Body=latest)
        return True

    def _begun(self, version: str) -> int:
        """Return the start of a publication in nanoseconds since the epoch; S3's own timestamps have whole seconds."""
        key = f"{self._prefix}{version}/{LISTING}"
        return int(self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"].get(BEGUN, 0))

    def _read(self, key: str) -> bytes | None:
        try:
            body: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._client_error as error:
            if _code(error) == "NoSuchKey":
                return None
            raise
        return body

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Convert S3 errors into a PublishError. action: what failed, for "Cannot {action} s3://..."."""
        failure = f"Cannot {action} s3://{self._bucket}/{self._prefix}"
        try:
            yield
        except PublishError:
            raise
        except Exception as error:
            problem = explain(error, PERMISSIONS) or (isinstance(error, OSError) and f"{error}.")
            if not problem:
                raise
            raise PublishError(f"{failure}: {problem} Then re-run the same command to resume.") from None


def _manifest_last(paths: Mapping[str, object]) -> list[str]:
    return sorted(paths, key=lambda path: (path == BUNDLE_MANIFEST, path))


def _code(error: Exception) -> str:
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str((response.get("Error") or {}).get("Code") or type(error).__name__)
