"""Load and run TorchScript graphs; the only handler module that imports torch, and only for TorchScript bundles.

A TorchScript archive contains a program, and two operators of its language open files: `from_file` reads any file, and
`save` writes one. Code can run as soon as torch loads the archive. So the archive is checked first, and torch gets a
copy of the checked entries, because two zip readers can interpret one file differently.
"""

import io
import os
import re
import zipfile
from collections.abc import Mapping
from typing import Any

from handler.bundle import Graph
from handler.errors import BundleError
from handler.extras import how_to_install
from handler.files import StrPath
from handler.tensor import Tensor

OPENS_FILES = re.compile(rb"\b(from_file|save)\b")
"""TorchScript's operators that take a file name. Code cannot refer to them by any other spelling."""


class TorchscriptGraph:
    """A traced module, loaded and ready. Safe to call from several threads."""

    def __init__(self, graph: Graph, folder: StrPath, threads: int = 1) -> None:
        """Load a graph.

        Args:
            graph: Its description in the manifest.
            folder: The bundle's folder.
            threads: How many threads torch may use in the whole process.

        Raises:
            BundleError: torch is not installed or cannot load the graph, or the graph's program opens files.
        """
        try:
            import torch
        except ModuleNotFoundError:
            raise BundleError(
                f"{folder} is a TorchScript bundle, but torch is not installed: {how_to_install('torchscript')}, or "
                "export the model with `--format onnx`."
            ) from None
        torch.set_num_threads(threads)
        path = os.path.join(folder, graph.file)
        try:
            archive = checked_archive(path)
            self._module = torch.jit.load(archive, map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BundleError(f"torch cannot load {path}: {reason}. Export the model again.") from None
        self._torch = torch
        self.inputs = [tensor.name for tensor in graph.inputs]
        self.outputs = [tensor.name for tensor in graph.outputs]

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph on one batch; see `RunningGraph.run`."""
        with self._torch.inference_mode():
            answers = self._module(*(self._lent(inputs[name]) for name in self.inputs))
        return {name: _tensor(answer) for name, answer in zip(self.outputs, answers, strict=True)}

    def _lent(self, tensor: Tensor) -> Any:
        """Return torch's view of a tensor's memory, which it copies if it is read-only."""
        torch = self._torch
        buffer = bytearray(tensor.flat) if tensor.flat.readonly else tensor.flat
        return torch.frombuffer(buffer, dtype=getattr(torch, tensor.dtype)).reshape(tensor.shape)


def _tensor(answer: Any) -> Tensor:
    """Return a tensor of torch as one of the handler, which shares its memory."""
    array = answer.contiguous().numpy()
    return Tensor(str(array.dtype), array.shape, array)


def checked_archive(path: StrPath) -> io.BytesIO:
    """Check a TorchScript archive and copy it.

    Args:
        path: The archive: a zip file with uncompressed entries, as export writes it.

    Returns:
        A new archive with exactly the entries that were checked.

    Raises:
        BundleError: The program opens files, an entry is compressed, or two entries have the same name.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        names = source.namelist()
        kinds = {entry.compress_type for entry in source.infolist()}
        if len(set(names)) < len(names) or kinds != {zipfile.ZIP_STORED}:
            raise BundleError(f"{path} is not an archive that export wrote. Export the model again.")
        for name in names:
            content = source.read(name)
            if found := OPENS_FILES.search(content) if "code" in name.split("/") else None:
                raise BundleError(
                    f"{path} contains a program that opens files ({found[1].decode()}). Someone may have altered it. "
                    "Do not use it: export the model again."
                )
            target.writestr(zipfile.ZipInfo(name), content)
    copy.seek(0)
    return copy
