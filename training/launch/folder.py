"""A job's folder in S3, for the launcher and the worker.

Every S3 response about an object has an ETag. A response without one comes from a proxy, such as a sign-in page.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from training.errors import LaunchError, UnreachedError
from training.launch.aws import Aws, explained
from training.launch.job import FORMAT, JOB, STATUS, Job, JobLocation, Status


class Folder:
    """The objects of a job. Names are relative to the job's key. Every method may raise LaunchError."""

    def __init__(self, aws: Aws, location: JobLocation) -> None:
        self.location = location
        self._client: Any = aws.client("s3")

    def check_bucket(self, region: str) -> None:
        """Check that the bucket is accessible and in the region of the instance.

        Raises:
            LaunchError: It is not.
        """
        with explained(f"Cannot use the bucket {self.location.bucket}"):
            found = self._client.head_bucket(Bucket=self.location.bucket).get("BucketRegion") or region
        if found != region:
            raise LaunchError(
                f"The bucket {self.location.bucket} is in {found}, and the instance would run in {region}: every "
                f"checkpoint between them costs money. Use --region {found}, or another bucket."
            )

    def put(self, name: str, content: bytes) -> None:
        """Write an object."""
        with explained(f"Cannot write {self.location}/{name}"):
            _etag(self._client.put_object(Bucket=self.location.bucket, Key=self._key(name), Body=content))

    def get(self, name: str, start: int = 0) -> bytes | None:
        """Return an object from byte `start` on, or None if it does not exist."""
        wanted = {"Range": f"bytes={start}-"} if start else {}
        with explained(f"Cannot read {self.location}/{name}"):
            try:
                answer = self._client.get_object(Bucket=self.location.bucket, Key=self._key(name), **wanted)
                content: bytes = answer["Body"].read()  # first, since an unread body keeps its connection open
                _etag(answer)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] == "InvalidRange":
                    return b""
                if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                    return None
                raise
        return content

    def tag(self, name: str) -> str | None:
        """Return the ETag of an object, which changes with its content, or None if it does not exist."""
        with explained(f"Cannot read {self.location}/{name}"):
            try:
                return _etag(self._client.head_object(Bucket=self.location.bucket, Key=self._key(name)))
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                    return None
                raise

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the size in bytes of each object under a prefix, by its name relative to the prefix."""
        with explained(f"Cannot read {self.location}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.location.bucket, Prefix=self._key(prefix)
            )
            found = [each for page in pages for each in (page["Contents"] if page["KeyCount"] else ())]
            return {each["Key"].removeprefix(self._key(prefix)): each["Size"] for each in found}

    def upload(self, path: Path, name: str, sent: Callable[[int], None] | None = None) -> None:
        """Upload a file.

        Args:
            path: The file.
            name: Name of the object, relative to the job's folder.
            sent: Called with the number of bytes of each uploaded chunk.
        """
        with explained(f"Cannot write {path} to {self.location}/{name}"):
            self._client.upload_file(str(path), self.location.bucket, self._key(name), Callback=sent)

    def download(self, name: str, path: Path) -> None:
        """Download an object to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with explained(f"Cannot read {self.location}/{name}"):
            self._client.download_file(self.location.bucket, self._key(name), str(path))

    def download_all(self, prefix: str, folder: Path) -> None:
        """Download all objects under a prefix into a folder."""
        for name in self.sizes(prefix):
            self.download(prefix + name, inside(folder, name))

    def delete(self, names: list[str]) -> None:
        """Delete objects."""
        for name in names:
            with explained(f"Cannot delete {self.location}/{name}"):
                self._client.delete_object(Bucket=self.location.bucket, Key=self._key(name))

    def job(self) -> Job:
        """Return the job's description."""
        content = self.get(JOB)
        if content is None:
            raise LaunchError(f"{self.location} is not a job: check the address.")
        return _read(content, Job, f"{self.location}/{JOB}")

    def status(self) -> Status | None:
        """Return the job's status, or None if it does not exist yet."""
        content = self.get(STATUS)
        return None if content is None else _read(content, Status, f"{self.location}/{STATUS}")

    def put_status(self, state: str, message: str = "", exit_code: int | None = None) -> Status:
        """Write the job's status.

        Args:
            state: The new state.
            message: A message for the user.
            exit_code: The exit status of `fit` or `export`, if it ended.

        Returns:
            The status.
        """
        status = Status(state, message, exit_code)
        self.put(STATUS, msgspec.json.encode(status))
        return status

    def _key(self, name: str) -> str:
        return f"{self.location.key}/{name}"


def _etag(answer: dict[str, Any]) -> str:
    return str(answer["ETag"])


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder. Raises LaunchError if it is outside the folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise LaunchError(f"{name!r} is outside of {folder}.")
    return path


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the relative name and the path of every file in a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _read[T: (Job, Status)](content: bytes, kind: type[T], where: str) -> T:
    try:
        found = msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        # Both sides write whole objects, so a proxy has answered, or another program wrote the object: retry.
        raise UnreachedError(f"{where} is not a valid {kind.__name__}: {error}.") from None
    if isinstance(found, Job) and found.format != FORMAT:
        raise LaunchError(
            f"{where} has format {found.format}, but this program reads format {FORMAT}: use the same version of "
            "ludwig-serverless here and in the training image."
        )
    return found
