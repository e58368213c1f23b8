"""Write captured messages to a local folder or to a prefix in Amazon S3."""

import os
from collections.abc import Mapping

from handler.capture_batches import CaptureStore
from handler.errors import CaptureError, SettingsError

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
    from handler.s3_upload import S3Store

    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    return S3Store(bucket, prefix, environ)
