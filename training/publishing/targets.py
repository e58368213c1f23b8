"""Where a publication goes: told from its address, and alike to whoever publishes."""

from collections.abc import Mapping
from typing import Protocol

from handler.sources import HUB, S3
from training.errors import PublishError
from training.publishing.contents import Content


class Target(Protocol):
    """A place that holds versions, each of which appears at once or not at all, and never changes."""

    title: str

    def address(self, version: str) -> str:
        """Return what the handler and `fetch` are given to get a version."""

    def versions(self) -> list[str]:
        """Return the versions that are there, or were begun."""

    def publish(self, version: str, files: Mapping[str, Content], *, replace: bool) -> bool:
        """Publish files as a version. Returns False if exactly they are there already.

        replace: let the version name something else than it did. Raises PublishError where that is not to be, or not
        everything could be written; then the version is as it was, and a further attempt goes on.
        """


def find_target(place: str, *, private: bool) -> Target:
    """Return the target of an address. private: only for those who may read the Hub's repository."""
    if (found := HUB.fullmatch(place)) and not found["revision"]:
        from training.publishing.hub import HubTarget

        return HubTarget(found["repo"], private=private)
    if found := S3.fullmatch(place):
        from training.publishing.s3 import S3Target

        if private:
            raise PublishError("--private is for the Hub: who may read a bucket is the bucket's own setting.")
        return S3Target(found["bucket"], (found["prefix"] or "").strip("/"))
    raise PublishError(
        f"{place} is no place to publish to: give hf://owner/name or s3://bucket/prefix, and the version with "
        "--version."
    )
