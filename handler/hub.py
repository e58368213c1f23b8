"""Fetch bundles from the Hugging Face Hub; the only handler module that imports huggingface_hub."""

import re
import shutil
from pathlib import Path

from handler.errors import BundleError, TooLargeError
from handler.extras import how_to_install
from handler.native import panics_as_errors

COMMIT = re.compile(r"[0-9a-f]{40}")
"""The full hash of a commit. Branches and tags can move, but a commit always has the same files."""


class HubSource:
    """A model repository at one commit, so an update of the branch during the download cannot mix two versions."""

    def __init__(self, repo: str, revision: str | None) -> None:
        """Look up the commit.

        Args:
            repo: The repository, `owner/name`.
            revision: A branch, tag or commit; None for the default branch.

        Raises:
            BundleError: huggingface_hub is not installed, or the repository cannot be read.
        """
        try:
            import huggingface_hub
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ModuleNotFoundError:
            raise BundleError(
                f"hf://{repo} needs huggingface_hub, which is not installed: {how_to_install('fetch')}, "
                "or build the image with FETCH=1."
            ) from None
        disable_progress_bars()
        self._hub = huggingface_hub
        self._uri, self._repo = f"hf://{repo}" + (f"@{revision}" if revision else ""), repo
        try:
            info = huggingface_hub.HfApi().model_info(repo, revision=revision)
        except Exception as error:  # the Hub's HTTP library raises its own exceptions
            raise self._explained(error, "") from None
        if COMMIT.fullmatch(revision or "") and info.sha != revision:
            raise BundleError(f"{self._uri} names a commit, but the Hub returned commit {info.sha}: do not use it.")
        self._commit = info.sha
        self._names = [file.rfilename for file in info.siblings or ()]

    def names(self) -> list[str]:
        """Return the paths of the files in the repository."""
        return self._names

    def fetch(self, name: str, target: Path, limit: int) -> None:
        """Download a file. After an interruption, the library resumes from the bytes that it kept beside `target`.

        Args:
            name: The file's path in the repository.
            target: Where to write it.
            limit: The largest allowed size in bytes.

        Raises:
            TooLargeError: The file is over the limit. Nothing is downloaded.
            BundleError: The file cannot be read.
        """
        beside = target.parent / ".hub"
        try:
            with panics_as_errors():  # the library downloads with hf_xet, which is written in Rust
                found = self._hub.get_hf_file_metadata(self._hub.hf_hub_url(self._repo, name, revision=self._commit))
                if found.size is None or found.size > limit:
                    raise TooLargeError(f"{self._uri}/{name}", found.size, limit)
                fetched = self._hub.hf_hub_download(self._repo, name, revision=self._commit, local_dir=beside)
            shutil.move(fetched, target)
        except BundleError:
            raise
        except Exception as error:  # the Hub's HTTP library raises its own exceptions
            raise self._explained(error, name) from None

    def _explained(self, error: Exception, name: str) -> BundleError:
        return BundleError(
            f"{self._uri}{'/' + name if name else ''} cannot be read ({type(error).__name__}). "
            + (unreached(error) or "Check the name and the revision; a private repository needs a token in HF_TOKEN.")
        )


def unreached(error: BaseException | None) -> str:
    """Return advice if an error means that the Hub is unreachable or failing.

    Args:
        error: The error that huggingface_hub raised. Different versions use requests, httpx or httpx2, so exception
            classes are recognized by name.

    Returns:
        A sentence that says what to do, or "" if the Hub answered the request, so the name or the token is wrong.
    """
    names = set[str]()
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status:
            is_failing = status >= 500 or status == 429
            return f"The Hub returned status {status}: try again in a few minutes." if is_failing else ""
        names |= {kind.__name__ for kind in type(error).__mro__}
        error = error.__cause__ or error.__context__
    if "OfflineModeIsEnabled" in names:
        return "HF_HUB_OFFLINE is set: unset it, or use a local folder."
    if names & {"TransportError", "ConnectionError", "Timeout"}:
        return (
            "The Hub cannot be reached: check the network and the proxy settings (HTTPS_PROXY). A function in a VPC "
            "needs a NAT gateway."
        )
    return ""
