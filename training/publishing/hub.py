"""Publish to the Hugging Face Hub: a model repository with a commit and a tag for each version.

A commit is atomic. Large files are uploaded to the Hub's content-addressed storage before the commit, so that a
publication that resumes after an interruption does not send them again.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export.console import say
from handler.extras import how_to_install
from handler.hub import unreached
from training.errors import PublishError
from training.publishing.contents import BUNDLE, EVALUATION, LISTING, MODEL, Content

OWN_FOLDERS = (f"{BUNDLE}/", f"{MODEL}/", f"{EVALUATION}/")
BRANCH = "main"
LOGIN = "`hf auth login`, or set HF_TOKEN to one of https://huggingface.co/settings/tokens."
REMEDIES = {
    401: f"The Hub rejects the token: run {LOGIN}",
    402: "The account's storage is full, or its plan does not include this.",
    403: "The token lacks write access: create one with it, and check the owner's name.",
    404: "Check the name; a private repository needs a token with read access.",
    409: "Another change is in progress, or the name is taken: try again.",
    412: "Someone else has published in the meantime: try again.",
    429: "Too many requests: try again in a few minutes.",
}


class HubTarget:
    """A model repository on the Hub. The first publication creates it."""

    def __init__(self, repo: str, *, private: bool) -> None:
        """Create the client.

        Args:
            repo: `owner/name` of the repository.
            private: Whether to create the repository as private.

        Raises:
            PublishError: huggingface_hub is not installed.
        """
        try:
            import huggingface_hub
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ModuleNotFoundError:
            raise PublishError(
                f"Publishing to the Hub needs huggingface_hub, which is not installed: {how_to_install('training')}."
            ) from None
        if not sys.stderr.isatty():
            disable_progress_bars()
        self._hub: Any = huggingface_hub
        self._api: Any = huggingface_hub.HfApi()
        self._repo, self._private = repo, private
        self.title = repo.partition("/")[2]

    def address(self, version: str) -> str:
        """Return the URI of a version."""
        return f"hf://{self._repo}@{version}"

    def versions(self) -> list[str]:
        """Return the repository's tags."""
        return list(self._tags())

    def publish(self, version: str, files: Mapping[str, Content], *, replace: bool) -> bool:
        """Publish files as one commit and tag it; see `Target.publish` for arguments and exceptions."""
        if not self._hub.get_token():
            raise PublishError(f"Publishing to the Hub needs a token: run {LOGIN}")
        tags = self._tags()
        if version in tags and self._listing(version) == files[LISTING]:
            return False
        if version in tags and not replace:
            raise PublishError(
                f"{self.address(version)} already exists with other content: choose another --version, or move the tag "
                "to the new content with --force."
            )
        self._make_repository()
        with self._explained("write to"):
            head = self._api.model_info(self._repo)
            here = [file.rfilename for file in head.siblings or ()]
            commit = self._api.create_commit(
                self._repo,
                operations=[*self._additions(files), *self._deletions(here, files)],
                commit_message=f"Publish {version}",
                revision=BRANCH,
                parent_commit=head.sha,
            )
            if version in tags:
                self._api.delete_tag(self._repo, tag=version)
            self._api.create_tag(self._repo, tag=version, revision=commit.oid)
        return True

    def _make_repository(self) -> None:
        with self._explained("create"):
            self._api.create_repo(self._repo, private=self._private or None, exist_ok=True)
            is_private = self._api.model_info(self._repo).private
        if self._private and not is_private:
            raise PublishError(
                f"hf://{self._repo} is public, but --private was given: make it private in its settings on the Hub, "
                "omit --private, or choose another name."
            )
        say(f"Uploading to hf://{self._repo}, which is {'private' if is_private else 'public'} ...")

    def _additions(self, files: Mapping[str, Content]) -> Iterator[Any]:
        for path, content in files.items():
            yield self._hub.CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)

    def _deletions(self, here: Iterable[str], files: Mapping[str, Content]) -> Iterator[Any]:
        """Yield deletions of files from an earlier version that this one lacks; unrelated files stay."""
        for path in here:
            if path.startswith(OWN_FOLDERS) and path not in files:
                yield self._hub.CommitOperationDelete(path)

    def _tags(self) -> dict[str, str]:
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._explained("read"):
            try:
                return {tag.name: tag.target_commit for tag in self._api.list_repo_refs(self._repo).tags}
            except RepositoryNotFoundError:
                return {}

    def _listing(self, version: str) -> bytes | None:
        from huggingface_hub.errors import EntryNotFoundError

        with self._explained("read"):
            try:
                path = self._api.hf_hub_download(self._repo, LISTING, revision=version)
            except EntryNotFoundError:
                return None
            return Path(path).read_bytes()

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Convert any exception of the Hub or HTTP library into a one-sentence PublishError without the request.

        action: what failed, for "Cannot {action} hf://...".
        """
        try:
            yield
        except PublishError:
            raise
        except Exception as raised:
            error = raised.__cause__ if isinstance(raised, RuntimeError) and raised.__cause__ else raised
            status = getattr(getattr(error, "response", None), "status_code", None)
            said = getattr(error, "server_message", None) or (str(error) if isinstance(error, ValueError) else "")
            remedy = REMEDIES.get(status or 0) or f"{unreached(raised)} Re-run the same command to resume.".lstrip()
            reason = " ".join(filter(None, [type(error).__name__, status and str(status)]))
            raise PublishError(
                f"Cannot {action} hf://{self._repo} ({reason}{': ' if said else ''}{said}). {remedy}"
            ) from None
