"""A job's folder in S3, as the launcher and the worker see it.

Every answer of S3 about an object has an ETag. One without it comes from something in between, such as a sign-in page.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from training.errors import LaunchError, UnreachedError
from training.launch.aws import Aws, explained
from training.launch.job import FORMAT, JOB, STATUS, Job, Place, Status


class Folder:
    """Objects under a job's key, named relative to it. Every method raises LaunchError."""

    def __init__(self, aws: Aws, place: Place) -> None:
        self.place = place
        self._client: Any = aws.client("s3")

    def check_bucket(self, region: str) -> None:
        """Raise LaunchError if the bucket cannot be used, or is in another region than the instance would be."""
        with explained(f"The bucket {self.place.bucket} cannot be used"):
            found = self._client.head_bucket(Bucket=self.place.bucket).get("BucketRegion") or region
        if found != region:
            raise LaunchError(
                f"The bucket {self.place.bucket} is in {found}, and the instance would run in {region}: traffic "
                f"between them costs money with every checkpoint. Give --region {found}, or another bucket."
            )

    def put(self, name: str, content: bytes) -> None:
        """Write an object."""
        with explained(f"{self.place}/{name} cannot be written"):
            _etag(self._client.put_object(Bucket=self.place.bucket, Key=self._key(name), Body=content))

    def get(self, name: str, start: int = 0) -> bytes | None:
        """Return an object from a byte on, or None if it is not there."""
        wanted = {"Range": f"bytes={start}-"} if start else {}
        with explained(f"{self.place}/{name} cannot be read"):
            try:
                answer = self._client.get_object(Bucket=self.place.bucket, Key=self._key(name), **wanted)
                _etag(answer)
                content: bytes = answer["Body"].read()
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] == "InvalidRange":
                    return b""
                if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                    return None
                raise
        return content

    def tag(self, name: str) -> str | None:
        """Return what changes with an object's content, or None if it is not there."""
        with explained(f"{self.place}/{name} cannot be read"):
            try:
                return _etag(self._client.head_object(Bucket=self.place.bucket, Key=self._key(name)))
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                    return None
                raise

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the bytes of each object under a prefix, by its name relative to that."""
        with explained(f"{self.place}/{prefix} cannot be read"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.place.bucket, Prefix=self._key(prefix)
            )
            found = [each for page in pages for each in (page["Contents"] if page["KeyCount"] else ())]
            return {each["Key"].removeprefix(self._key(prefix)): each["Size"] for each in found}

    def upload(self, path: Path, name: str, sent: Callable[[int], None] | None = None) -> None:
        """Write a file. sent: told of the bytes as they go."""
        with explained(f"{path} cannot be written to {self.place}/{name}"):
            self._client.upload_file(str(path), self.place.bucket, self._key(name), Callback=sent)

    def download(self, name: str, path: Path) -> None:
        """Write an object to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with explained(f"{self.place}/{name} cannot be read"):
            self._client.download_file(self.place.bucket, self._key(name), str(path))

    def download_all(self, prefix: str, folder: Path) -> None:
        """Write everything under a prefix into a folder."""
        for name in self.sizes(prefix):
            self.download(prefix + name, inside(folder, name))

    def delete(self, names: list[str]) -> None:
        """Delete objects."""
        for name in names:
            with explained(f"{self.place}/{name} cannot be deleted"):
                self._client.delete_object(Bucket=self.place.bucket, Key=self._key(name))

    def job(self) -> Job:
        """Return the job's description."""
        content = self.get(JOB)
        if content is None:
            raise LaunchError(f"{self.place} holds no job: check its address.")
        return _read(content, Job, f"{self.place}/{JOB}")

    def status(self) -> Status | None:
        """Return the job's status, or None if it has none yet."""
        content = self.get(STATUS)
        return None if content is None else _read(content, Status, f"{self.place}/{STATUS}")

    def put_status(self, state: str, message: str = "", exit_code: int | None = None) -> Status:
        """Write the job's status, and return it."""
        status = Status(state, message, exit_code)
        self.put(STATUS, msgspec.json.encode(status))
        return status

    def _key(self, name: str) -> str:
        return f"{self.place.key}/{name}"


def _etag(answer: dict[str, Any]) -> str:
    return str(answer["ETag"])


def inside(folder: Path, name: str) -> Path:
    """Return a path in a folder. Raises LaunchError if it would be outside."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise LaunchError(f"{name!r} would be outside of {folder}.")
    return path


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file in a folder, with its name relative to it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _read[T: (Job, Status)](content: bytes, kind: type[T], where: str) -> T:
    try:
        found = msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        # Both sides write whole objects, so this is an answer of something else, or a foreign object: try again.
        raise UnreachedError(f"{where} cannot be read as {kind.__name__}: {error}.") from None
    if isinstance(found, Job) and found.format != FORMAT:
        raise LaunchError(
            f"{where} has the format {found.format}, and this program reads {FORMAT}: use the same version of "
            "ludwig-serverless here and in the training image."
        )
    return found
