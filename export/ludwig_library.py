"""Import Ludwig, which takes half a minute and much noise, once and in the way that export and training need it."""

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
    """Let Ludwig find no GPU inside the block, so that its answers are those of a processor, as in Lambda.

    Ludwig asks torch for a GPU each time that it places a model or a batch, so torch is what must say no. The variable
    CUDA_VISIBLE_DEVICES does not do it: CUDA reads it once, and training in the same process may have come first.
    """
    import torch

    found = torch.cuda.is_available, torch.backends.mps.is_available
    torch.cuda.is_available = torch.backends.mps.is_available = lambda: False  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.cuda.is_available, torch.backends.mps.is_available = found


def import_ludwig() -> ModuleType:
    """Return `ludwig.api`, with its logs, its warnings and its progress bars silenced.

    Raises ExportError if Ludwig is not installed.
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
