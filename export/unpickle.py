"""Turn the pickled weights of an old model into safetensors: `python -m export.unpickle MODEL_DIR`.

Reading them is what can run code, so this belongs where nothing of value is: a container, a machine to throw away.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.console import say
from export.errors import ExportError, ModelError
from export.model import PICKLED_WEIGHTS, WEIGHTS, find_model_folder


def main(arguments: Sequence[str]) -> int:
    """Write the safetensors beside the pickle. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export.unpickle", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="MODEL_DIR", help="a folder that an old Ludwig wrote")
    try:
        written = unpickle(parser.parse_args(arguments).folder)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"Written: {written}. From now on it is read, and {PICKLED_WEIGHTS} beside it is not: delete that.")
    return 0


def unpickle(path: Path) -> Path:
    """Write the weights of a model as safetensors, and return the file. Raises ModelError if they are no tensors."""
    folder = find_model_folder(path, allow_pickle=True)
    if (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} has {WEIGHTS} already.")
    import torch
    from safetensors.torch import save_file

    try:
        weights = torch.load(folder / PICKLED_WEIGHTS, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what it met: pickle's errors, RuntimeError, EOFError ...
        raise ModelError(
            f"{folder / PICKLED_WEIGHTS} holds no plain weights: {type(error).__name__}: {error}"
        ) from None
    if not isinstance(weights, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in weights.values()):
        raise ModelError(f"{folder / PICKLED_WEIGHTS} holds no plain weights: expected tensors by name.")
    # A tensor that has two names is kept under the first: Ludwig ties them again, and refuses both.
    named: dict[object, str] = {}
    for name, tensor in weights.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else name
        named.setdefault(place, name)
    kept = {name: weights[name].clone().contiguous() for name in named.values()}
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})
    return folder / WEIGHTS


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
