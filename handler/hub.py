"""Fetch bundles from the Hugging Face Hub: the one module of the handler that imports huggingface_hub."""

import shutil
from pathlib import Path

from handler.errors import BundleError


class HubSource:
    """A model repository at one commit: a branch that moves while its files are fetched does no harm."""

    def __init__(self, repo: str, revision: str | None) -> None:
        """Find the commit. Raises BundleError if huggingface_hub is missing, or the repository cannot be read."""
        try:
            import huggingface_hub
            from huggingface_hub.utils.tqdm import disable_progress_bars
        except ModuleNotFoundError:
            raise BundleError(
                f"hf://{repo} needs huggingface_hub, which is not installed: `pip install 'ludwig-serverless[fetch]'`, "
                "or build the image with FETCH=1."
            ) from None
        disable_progress_bars()
        self._hub = huggingface_hub
        self._place, self._repo = f"hf://{repo}" + (f"@{revision}" if revision else ""), repo
        try:
            info = huggingface_hub.HfApi().model_info(repo, revision=revision)
        except Exception as error:  # the HTTP library underneath raises kinds of its own
            raise self._explained(error, "") from None
        self._commit = info.sha
        self._names = [file.rfilename for file in info.siblings or ()]

    def names(self) -> list[str]:
        """Return the files of the repository."""
        return self._names

    def fetch(self, name: str, target: Path) -> None:
        """Write a file to `target`. The library keeps what a broken fetch has got, beside it, and goes on there."""
        beside = target.parent / ".hub"
        try:
            fetched = self._hub.hf_hub_download(self._repo, name, revision=self._commit, local_dir=beside)
            shutil.move(fetched, target)
        except Exception as error:  # the HTTP library underneath raises kinds of its own
            raise self._explained(error, name) from None

    def _explained(self, error: Exception, name: str) -> BundleError:
        return BundleError(
            f"{self._place}{'/' + name if name else ''} cannot be read ({type(error).__name__}). Look at the name and "
            "the revision; a private repository needs a token in HF_TOKEN."
        )
