"""The Hugging Face Hub as a target: a model repository, a commit for each publication, a tag for each version.

A commit holds all files or does not exist. Large files go to the Hub's storage before it, which knows them by their
content: what got there before a publication broke off is not sent again.
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
    401: f"The Hub does not know the token: {LOGIN}",
    402: "The account has no room for it, or must pay for it.",
    403: "The token may not write there: make one with write access, and check the owner's name.",
    404: "Check the name; a private repository needs a token that may read it.",
    409: "Another change is in progress there, or the name is taken: try again.",
    412: "Someone else has published meanwhile: try again.",
    429: "Too many requests: try again in some minutes.",
}


class HubTarget:
    """A model repository, which is made when something is published to it."""

    def __init__(self, repo: str, *, private: bool) -> None:
        """Make a client. Raises PublishError if huggingface_hub or a token is missing."""
        try:
            import huggingface_hub
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ModuleNotFoundError:
            raise PublishError(
                f"Publishing needs huggingface_hub, which is not installed: {how_to_install('training')}."
            ) from None
        if not sys.stderr.isatty():
            disable_progress_bars()
        self._hub: Any = huggingface_hub
        self._api: Any = huggingface_hub.HfApi()
        self._repo, self._private = repo, private
        self.title = repo.partition("/")[2]

    def address(self, version: str) -> str:
        """Return the version's place."""
        return f"hf://{self._repo}@{version}"

    def versions(self) -> list[str]:
        """Return the repository's tags."""
        return list(self._tags())

    def publish(self, version: str, files: Mapping[str, Content], *, replace: bool) -> bool:
        """Publish files as one commit, and tag it. Returns False if exactly they are there already."""
        if not self._hub.get_token():
            raise PublishError(f"Publishing to the Hub needs a token: {LOGIN}")
        tags = self._tags()
        if version in tags and self._listing(version) == files[LISTING]:
            return False
        if version in tags and not replace:
            raise PublishError(
                f"{self.address(version)} is there, with other content: give another --version, or --force to let "
                "the tag name the new content."
            )
        self._make_repository()
        with self._explained("written to"):
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
        with self._explained("made"):
            self._api.create_repo(self._repo, private=self._private or None, exist_ok=True)
            is_private = self._api.model_info(self._repo).private
        if self._private and not is_private:
            raise PublishError(
                f"--private is given, and hf://{self._repo} is public: make it private in its settings there, leave "
                "out --private, or give another name."
            )
        say(f"Uploading to hf://{self._repo}, which is {'private' if is_private else 'public'} ...")

    def _additions(self, files: Mapping[str, Content]) -> Iterator[Any]:
        for path, content in files.items():
            yield self._hub.CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)

    def _deletions(self, here: Iterable[str], files: Mapping[str, Content]) -> Iterator[Any]:
        """Yield what an earlier version held and this one does not; other people's files stay."""
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
    def _explained(self, deed: str) -> Iterator[None]:
        """Turn whatever the library and the HTTP library underneath raise into a sentence, without the request."""
        try:
            yield
        except PublishError:
            raise
        except Exception as raised:
            error = raised.__cause__ if isinstance(raised, RuntimeError) and raised.__cause__ else raised
            status = getattr(getattr(error, "response", None), "status_code", None)
            said = getattr(error, "server_message", None) or (str(error) if isinstance(error, ValueError) else "")
            remedy = REMEDIES.get(status or 0) or f"{unreached(raised)} Run the command again: it resumes.".lstrip()
            reason = " ".join(filter(None, [type(error).__name__, status and str(status)]))
            raise PublishError(
                f"hf://{self._repo} cannot be {deed} ({reason}{': ' if said else ''}{said}). {remedy}"
            ) from None
