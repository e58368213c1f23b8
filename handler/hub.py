"""Fetch bundles from the Hugging Face Hub; the only handler module that imports huggingface_hub."""

import re
import shutil
from pathlib import Path

from handler.errors import BundleError, TooLargeError
from handler.extras import how_to_install
from handler.native import panics_as_errors

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A commit's full name. Branches move, tags can be moved; a commit is always the same files."""


class HubSource:
    """A model repository at one commit: a branch that moves while its files are fetched does no harm."""

    def __init__(self, repo: str, revision: str | None) -> None:
        """Find the commit. Raises BundleError if huggingface_hub is missing, or the repository cannot be read."""
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
        self._place, self._repo = f"hf://{repo}" + (f"@{revision}" if revision else ""), repo
        try:
            info = huggingface_hub.HfApi().model_info(repo, revision=revision)
        except Exception as error:  # the HTTP library underneath raises kinds of its own
            raise self._explained(error, "") from None
        if COMMIT.fullmatch(revision or "") and info.sha != revision:
            raise BundleError(f"{self._place} names a commit, and the Hub answers with {info.sha}: do not use it.")
        self._commit = info.sha
        self._names = [file.rfilename for file in info.siblings or ()]

    def names(self) -> list[str]:
        """Return the files of the repository."""
        return self._names

    def fetch(self, name: str, target: Path, limit: int) -> None:
        """Write a file to `target`. The library keeps the bytes of a broken fetch beside it, and resumes there.

        Raises TooLargeError for a file of more than `limit` bytes, before any is downloaded, and BundleError if it
        cannot be read.
        """
        beside = target.parent / ".hub"
        try:
            with panics_as_errors():  # the library downloads with hf_xet, which is written in Rust
                found = self._hub.get_hf_file_metadata(self._hub.hf_hub_url(self._repo, name, revision=self._commit))
                if found.size is None or found.size > limit:
                    raise TooLargeError(f"{self._place}/{name}", found.size, limit)
                fetched = self._hub.hf_hub_download(self._repo, name, revision=self._commit, local_dir=beside)
            shutil.move(fetched, target)
        except BundleError:
            raise
        except Exception as error:  # the HTTP library underneath raises kinds of its own
            raise self._explained(error, name) from None

    def _explained(self, error: Exception, name: str) -> BundleError:
        return BundleError(
            f"{self._place}{'/' + name if name else ''} cannot be read ({type(error).__name__}). "
            + (unreached(error) or "Check the name and the revision; a private repository needs a token in HF_TOKEN.")
        )


def unreached(error: BaseException | None) -> str:
    """Say that the Hub was not reached, or could not answer, where that is what an error means.

    Args:
        error: what the library raised. Its HTTP library has been requests, httpx and httpx2, so classes go by name.

    Returns:
        A sentence with what to do, or "" where the Hub has answered: then names and tokens matter.
    """
    names = set[str]()
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status:
            is_failing = status >= 500 or status == 429
            return f"The Hub answers with status {status}: try again in some minutes." if is_failing else ""
        names |= {kind.__name__ for kind in type(error).__mro__}
        error = error.__cause__ or error.__context__
    if "OfflineModeIsEnabled" in names:
        return "HF_HUB_OFFLINE is set: unset it, or give a folder on this machine."
    if names & {"TransportError", "ConnectionError", "Timeout"}:
        return (
            "The Hub cannot be reached: check the network and a proxy (HTTPS_PROXY). A function in a VPC needs a NAT "
            "gateway."
        )
    return ""
