"""Write captured messages to a local folder or to a prefix in Amazon S3."""

import os
from collections.abc import Callable, Mapping
from functools import cached_property

from handler.capture_batches import CaptureStore
from handler.errors import CaptureError, SettingsError

S3_SECONDS = 10.0
"""The shortest time between two objects of an instance. It bounds what requests to S3 cost."""
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
"""Permissions for the owner only."""


class FolderStore:
    """A local folder.

    Attributes:
        seconds: The shortest time between two writes.
    """

    seconds = 1.0

    def __init__(self, folder: str) -> None:
        """Create the folder.

        Args:
            folder: Its path.

        Raises:
            SettingsError: The folder cannot be created or is not writable.
        """
        try:
            os.makedirs(folder, PRIVATE_FOLDER, exist_ok=True)
            writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        if not writable:
            raise SettingsError(
                f"NLU_CAPTURE={folder} is not a folder that this process can write: name another folder, or "
                "s3://bucket/prefix. On Lambda, only S3 keeps messages."
            )
        self._folder = folder

    def put(self, name: str, content: bytes) -> None:
        """Write a file completely or not at all; see `CaptureStore`."""
        path = os.path.join(self._folder, *name.split("/"))
        part = f"{path}.part"
        try:
            os.makedirs(os.path.dirname(path), PRIVATE_FOLDER, exist_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
                file.write(content)
            os.replace(part, path)
        except OSError as error:
            raise CaptureError(f"{type(error).__name__}: {error.strerror}") from None


class LaterStore:
    """A store that is created with the first write, so that no start waits for its modules.

    Attributes:
        seconds: The shortest time between two writes.
    """

    def __init__(self, seconds: float, create: Callable[[], CaptureStore]) -> None:
        """Keep how to create the store.

        Args:
            seconds: The shortest time between two writes.
            create: Creates the store.
        """
        self.seconds = seconds
        self._create = create

    @cached_property
    def _store(self) -> CaptureStore:
        return self._create()

    def put(self, name: str, content: bytes) -> None:
        """Write a file; see `CaptureStore`."""
        self._store.put(name, content)


def store_at(place: str, environ: Mapping[str, str]) -> CaptureStore:
    """Return the store that NLU_CAPTURE names.

    Args:
        place: A folder or `s3://bucket/prefix`.
        environ: The environment variables, with AWS's region and credentials.

    Returns:
        The store.

    Raises:
        SettingsError: The folder cannot be written, or AWS's region is unknown.
    """
    if not place.startswith("s3://"):
        return FolderStore(place)
    bucket, _, prefix = place.removeprefix("s3://").partition("/")

    def create() -> CaptureStore:
        from handler.s3_upload import S3Store

        return S3Store(bucket, prefix, environ)

    # Lambda always sets a region and credentials, so nothing has to be checked at the start.
    return LaterStore(S3_SECONDS, create) if "AWS_LAMBDA_RUNTIME_API" in environ else create()
