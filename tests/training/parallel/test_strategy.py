"""Trainings on two workers give the model of one worker."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from export.model import TRAINING_RECORD
from tests.processes import tool
from training.errors import ConfigError

ROOT = Path(__file__).parents[3]
MINUTES = 60
TOLERANCE = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.ludwig
@given(rows=st.integers(0, 200), workers=st.integers(1, 9))
def test_every_row_has_one_worker(rows: int, workers: int) -> None:
    from training.parallel.strategy import shares

    found = shares(rows, workers)
    assert (sum(found), len(found)) == (rows, workers)
    assert max(found) - min(found) <= 1


@pytest.mark.ludwig
def test_batch_normalization_is_refused() -> None:
    from torch import nn

    from training.parallel.strategy import check_layers

    check_layers(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
    with pytest.raises(ConfigError, match="The configuration uses batch normalization"):
        check_layers(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))


@pytest.mark.integration
def test_two_workers_of_torchrun_train_the_model_of_one(tmp_path: Path) -> None:
    """Weights of SGD are equal, with a last incomplete batch; with dropout, the models are equally good."""
    script = Path(__file__).with_name("shared_trainings.py")
    command = [tool("ray", "python"), "-m", "torch.distributed.run", "--nproc-per-node", "2", str(script)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, env=environ, timeout=10 * MINUTES, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert found.stderr.count("epoch 3/3, intent") == 2, "each of the two trainings is told once"
    for name in ("category", "tagger"):
        assert differences(tmp_path, name)
        assert max(differences(tmp_path, name).values()) < TOLERANCE
    assert max(differences(tmp_path, "dropout").values()) > TOLERANCE, "each worker has its own dropout"
    shared, alone = (metrics(tmp_path / f"dropout-{kind}") for kind in ("shared", "alone"))
    assert shared["accuracy"] == pytest.approx(alone["accuracy"], abs=0.05)
    assert alone["accuracy"] > 0.9


def differences(folder: Path, name: str) -> dict[str, float]:
    """Return the largest difference in each layer's weights between two trainings of a configuration."""
    shared, alone = (
        load_file(folder / f"{name}-{kind}" / "model" / "model_weights.safetensors") for kind in ("shared", "alone")
    )
    assert shared.keys() == alone.keys()
    return {layer: float(abs(shared[layer] - alone[layer]).max()) for layer in shared}


def metrics(run: Path) -> Any:
    return json.loads((run / TRAINING_RECORD).read_text())["metrics"]["intent"]
