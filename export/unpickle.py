"""Convert the pickled weights of an old model to safetensors: `python -m export.unpickle MODEL_DIR`.

Reading a pickle can run code. Run this in a sandbox, such as a container or a disposable machine.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.console import say
from export.errors import ExportError, ModelError
from export.model import PICKLED_WEIGHTS, WEIGHTS, find_model_folder


def main(arguments: Sequence[str]) -> int:
    """Write the safetensors file next to the pickle. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export.unpickle", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="MODEL_DIR", help="a folder that an old Ludwig wrote")
    try:
        written = unpickle(parser.parse_args(arguments).folder)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"Wrote {written}. Ludwig now reads this file: delete {PICKLED_WEIGHTS} next to it.")
    return 0


def unpickle(path: Path) -> Path:
    """Write the weights of a model as safetensors.

    Args:
        path: The model folder, or the run folder that contains it.

    Returns:
        The path of the safetensors file.

    Raises:
        ModelError: The model already has safetensors, or the pickle contains anything other than named tensors.
    """
    folder = find_model_folder(path, allow_pickle=True)
    if (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} already has {WEIGHTS}: export it without --allow-pickle.")
    import torch
    from safetensors.torch import save_file

    try:
        weights = torch.load(folder / PICKLED_WEIGHTS, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types: UnpicklingError, RuntimeError, EOFError ...
        raise ModelError(
            f"{folder / PICKLED_WEIGHTS} does not contain plain weights: {type(error).__name__}: {error}"
        ) from None
    if not isinstance(weights, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in weights.values()):
        raise ModelError(f"{folder / PICKLED_WEIGHTS} does not contain plain weights: expected a dict of tensors.")
    # Keep tied weights under their first name only: Ludwig ties them again, and rejects a file with both names.
    named: dict[object, str] = {}
    for name, tensor in weights.items():
        storage = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else name
        named.setdefault(storage, name)
    kept = {name: weights[name].clone().contiguous() for name in named.values()}
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})
    return folder / WEIGHTS


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
