"""Publishing targets: one interface for the Hub and S3, chosen by URI."""

from collections.abc import Mapping
from typing import Protocol

from handler.sources import HUB, S3
from training.errors import PublishError
from training.publishing.contents import Content


class Target(Protocol):
    """A location that stores versions. A version appears atomically and never changes."""

    title: str

    def address(self, version: str) -> str:
        """Return the URI from which the handler and `fetch` read a version."""

    def versions(self) -> list[str]:
        """Return the versions that exist, including unfinished ones."""

    def publish(self, version: str, files: Mapping[str, Content], *, replace: bool) -> bool:
        """Publish files as a version.

        Args:
            version: Name of the version.
            files: Content of each file, by path.
            replace: Whether an existing version may get new content.

        Returns:
            False if the version already has exactly these files.

        Raises:
            PublishError: The version exists with other content, or a file could not be written. The existing version
                is unchanged, and a repeated call resumes.
        """


def find_target(uri: str, *, private: bool) -> Target:
    """Return the target of a URI.

    Args:
        uri: `hf://owner/name` or `s3://bucket/prefix`.
        private: Whether to create the Hub repository as private.

    Raises:
        PublishError: The URI is not a publishing target, or `private` is not supported there.
    """
    if (found := HUB.fullmatch(uri)) and not found["revision"]:
        from training.publishing.hub import HubTarget

        return HubTarget(found["repo"], private=private)
    if found := S3.fullmatch(uri):
        from training.publishing.s3 import S3Target

        if private:
            raise PublishError("--private works only for the Hub: in S3, the bucket's policy controls read access.")
        return S3Target(found["bucket"], (found["prefix"] or "").strip("/"))
    raise PublishError(
        f"Cannot publish to {uri!r}; expected hf://owner/name or s3://bucket/prefix (set the version with --version)."
    )
