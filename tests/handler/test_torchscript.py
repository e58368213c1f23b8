"""TorchScript archives: a program that opens files is refused before any of it runs."""

import zipfile
from pathlib import Path

import pytest
import torch

from handler import bundle
from handler.bundle import Graph
from handler.errors import BundleError
from handler.tensor import Tensor
from handler.torchscript import TorchscriptGraph

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

GRAPH = Graph(
    format="torchscript",
    file="model.pt",
    inputs=[bundle.GraphTensor("x", "float32", ["batch"])],
    outputs=[bundle.GraphTensor("y", "float32", ["batch"])],
)


class Doubling(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x * 2,)


class Reading(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.from_file("secret", False, 4, dtype=torch.uint8),)


class Writing(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        torch.save(x, "written")
        return (x,)


class WritingWhenLoaded(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x,)

    @torch.jit.export
    def __getstate__(self) -> bool:
        return True

    @torch.jit.export
    def __setstate__(self, state: bool) -> None:
        torch.save(state, "written")
        self.training = state


def scripted(module: torch.nn.Module, folder: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    """Write an archive as export writes it: without debug files."""
    torch.jit.save(torch.jit.script(module), str(folder / "whole.pt"))  # type: ignore[no-untyped-call]
    with (
        zipfile.ZipFile(folder / "whole.pt") as source,
        zipfile.ZipFile(folder / "model.pt", "w", compression) as target,
    ):
        for name in source.namelist():
            if not name.endswith(".debug_pkl"):
                target.writestr(name, source.read(name))
    return folder


def test_a_harmless_program_runs(tmp_path: Path) -> None:
    graph = TorchscriptGraph(GRAPH, scripted(Doubling(), tmp_path))
    assert graph.run({"x": Tensor.of("float32", [1.5])})["y"].tolist() == [3.0]
    assert graph.run({"x": Tensor("float32", (2,), bytes(8))})["y"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("module", "operator"), [(Reading(), "from_file"), (Writing(), "save"), (WritingWhenLoaded(), "save")]
)
def test_a_program_that_opens_files_is_refused(
    module: torch.nn.Module, operator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(b"\1\2\3\4")
    scripted(module, tmp_path)
    (tmp_path / "written").unlink(missing_ok=True)
    with pytest.raises(BundleError, match=rf"model\.pt contains a program that opens files \({operator}\)"):
        TorchscriptGraph(GRAPH, tmp_path)
    assert not (tmp_path / "written").exists()
    loaded = torch.jit.load(str(tmp_path / "model.pt"))(torch.ones(1))  # type: ignore[no-untyped-call]
    assert loaded[0].tolist() == [1, 2, 3, 4] if operator == "from_file" else (tmp_path / "written").exists()


def test_an_ambiguous_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.pt is not an archive that export wrote"):
        TorchscriptGraph(GRAPH, scripted(Doubling(), tmp_path, zipfile.ZIP_DEFLATED))
    scripted(Doubling(), tmp_path)
    with zipfile.ZipFile(tmp_path / "model.pt", "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(archive.namelist()[0], b"another")
    with pytest.raises(BundleError, match=r"model\.pt is not an archive that export wrote"):
        TorchscriptGraph(GRAPH, tmp_path)


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_not_an_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(BundleError, match=r"torch cannot load .*model\.pt: .* Export the model again"):
        TorchscriptGraph(GRAPH, tmp_path)
