"""Load and run TorchScript graphs; the only handler module that imports torch, and only for such bundles.

A TorchScript archive holds a program, and its language has two operators that open files: `from_file` reads any file,
and `save` writes one. Code may run as soon as torch loads the archive. So the archive is checked first, and torch gets
a copy of what was checked: two programs can read one zip file differently.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handler.bundle import Graph
from handler.errors import BundleError
from handler.extras import how_to_install

OPENS_FILES = re.compile(rb"\b(from_file|save)\b")
"""The operators of TorchScript with a file's name among their arguments. Their names have no other spelling."""


class TorchscriptGraph:
    """A traced module, loaded and ready. Safe to call from several threads."""

    def __init__(self, graph: Graph, folder: Path, threads: int = 1) -> None:
        """Load a graph.

        Args:
            graph: Its description in the manifest.
            folder: The bundle's folder.
            threads: How many threads torch may use.

        Raises:
            BundleError: torch is missing, refuses the graph, or the graph's program opens files.
        """
        try:
            import torch
        except ModuleNotFoundError:
            raise BundleError(
                f"{folder} is a TorchScript bundle, and torch is not installed: {how_to_install('torchscript')}, or "
                "export the model with `--format onnx`."
            ) from None
        torch.set_num_threads(threads)
        path = folder / graph.file
        try:
            archive = checked_archive(path)
            self._module = torch.jit.load(archive, map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BundleError(f"torch cannot load {path}: {reason}. Export the model again.") from None
        self._torch = torch
        self.inputs = [tensor.name for tensor in graph.inputs]
        self.outputs = [tensor.name for tensor in graph.outputs]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a batch: named arrays in, named arrays out, as the manifest's `graph` describes them."""
        with self._torch.inference_mode():
            answers = self._module(*(self._torch.from_numpy(inputs[name]) for name in self.inputs))
        return {name: answer.numpy() for name, answer in zip(self.outputs, answers, strict=True)}


def checked_archive(path: Path) -> io.BytesIO:
    """Return a TorchScript archive, written again from the entries that were looked at.

    Args:
        path: The archive, a zip file whose entries are stored uncompressed, as export writes it.

    Raises:
        BundleError: Its program opens files, or it has compressed entries or two of one name.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        names = source.namelist()
        kinds = {entry.compress_type for entry in source.infolist()}
        if len(set(names)) < len(names) or kinds != {zipfile.ZIP_STORED}:
            raise BundleError(f"{path} is not an archive that export writes. Export the model again.")
        for name in names:
            content = source.read(name)
            if found := OPENS_FILES.search(content) if "code" in name.split("/") else None:
                raise BundleError(
                    f"{path} has a program that opens files ({found[1].decode()}). Do not use a bundle that somebody "
                    "changed; export the model again."
                )
            target.writestr(zipfile.ZipInfo(name), content)
    copy.seek(0)
    return copy
