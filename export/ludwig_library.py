"""Import Ludwig, with its log noise silenced, and keep it on the CPU."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from export.console import say
from export.errors import ExportError
from handler.extras import how_to_install

NOISY = ("bitsandbytes", "ludwig", "transformers", "torch", "torchmetrics", "lightning", "huggingface_hub", "pandas")


@contextmanager
def on_cpu() -> Iterator[None]:
    """Hide all GPUs from Ludwig inside the block, so that it computes on the CPU as Lambda does.

    Ludwig asks torch for a GPU whenever it moves a model or a batch, so this patches torch. Setting
    CUDA_VISIBLE_DEVICES is not enough: CUDA reads it once, and training may already have run in the same process.
    """
    import torch

    found = torch.cuda.is_available, torch.backends.mps.is_available
    torch.cuda.is_available = torch.backends.mps.is_available = lambda: False  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.cuda.is_available, torch.backends.mps.is_available = found


def import_ludwig() -> ModuleType:
    """Import `ludwig.api` with its logs, warnings and progress bars silenced.

    Returns:
        The module `ludwig.api`.

    Raises:
        ExportError: Ludwig is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if "ludwig.api" not in sys.modules:
        say("Loading Ludwig, which takes about half a minute ...")
    for name in NOISY:
        warnings.filterwarnings("ignore", module=rf"{name}(\.|$)")
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        import ludwig.api
        import ludwig.globals
    except ModuleNotFoundError as error:
        raise ExportError(f"Ludwig cannot be imported: {error}. To install it, {how_to_install('training')}.") from None
    ludwig.globals.set_disable_progressbar(True)
    api: ModuleType = ludwig.api
    return api
