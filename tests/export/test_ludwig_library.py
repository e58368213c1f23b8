"""Ludwig runs on the CPU, as Lambda does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from export.build import export_model
from export.ludwig_library import on_cpu
from export.model import load_model
from tests.trained import Run, demo_rows


def test_gpus_are_hidden_only_inside_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with on_cpu():
        assert [torch.cuda.is_available(), torch.backends.mps.is_available()] == [False, False]
    with pytest.raises(ZeroDivisionError), on_cpu():
        _ = 1 / 0
    assert [torch.cuda.is_available(), torch.backends.mps.is_available()] == [True, True]


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_model_is_proven_on_the_cpu_even_if_training_used_a_gpu_in_the_same_process(
    trained: Callable[[str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ludwig sees an initialized CUDA. On a machine without a GPU, moving a tensor to it raises an error."""
    folder = trained("language-cnn").fitted.folder
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    model = load_model(folder)
    assert export_model(model, tmp_path / "bundle", dataset=demo_rows(70)).parity.passed
    assert {tensor.device.type for tensor in model.ludwig_model.model.parameters()} == {"cpu"}
