"""Import Ludwig, which takes half a minute and much noise, once and in the way that export and training need it."""

import logging
import os
import sys
import warnings
from types import ModuleType

from export.console import say
from export.errors import ExportError

NOISY = ("bitsandbytes", "ludwig", "transformers", "torch", "torchmetrics", "lightning", "huggingface_hub", "pandas")


def import_ludwig(*, cpu_only: bool) -> ModuleType:
    """Return `ludwig.api`, with its logs, its warnings and its progress bars silenced.

    cpu_only: hide GPUs, so that answers are those of the processor that will serve them.
    """
    if cpu_only:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
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
        raise ExportError(
            f"Ludwig cannot be imported: {error}. Install it with `pip install 'ludwig-serverless[training]'`, "
            "or use `make demo`, which sets everything up."
        ) from None
    ludwig.globals.set_disable_progressbar(True)
    api: ModuleType = ludwig.api
    return api
