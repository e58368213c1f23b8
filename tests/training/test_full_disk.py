"""A disk that is full, or a limit that is reached: one line, and nothing that was finished is lost.

The limit is the operating system's on the size of a file, so what breaks is what writes the larger file.
"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trained import ROOT
from tests.training.tiny import TINY_CONFIG, tiny

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]
MODEL_BYTES, SMALLEST_BYTES = 100_000, 1_000
"""The first lets the tiny model be saved, but not the report with its pictures; the second lets hardly anything."""


def run(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def test_fit_and_export_report_failed_writes(tmp_path: Path) -> None:
    config, data, output = tmp_path / "config.yaml", tmp_path / "data.csv", tmp_path / "run"
    config.write_text(TINY_CONFIG.replace("parallel_cnn", "embed"))
    tiny().to_csv(data, index=False)
    fit = ("training", "fit", "--config", config, "--dataset", data, "--output", output)

    failed = run(MODEL_BYTES, *fit)
    assert (failed.returncode, "Traceback" in failed.stderr) == (1, False), failed.stderr
    assert "cannot be written: File too large" in failed.stderr
    assert not output.exists()

    resumed = run(resource.RLIM_INFINITY, *fit)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming from epoch 5" in resumed.stderr

    failed = run(SMALLEST_BYTES, "export", output, tmp_path / "bundle")
    assert (failed.returncode, "Traceback" in failed.stderr) == (1, False), failed.stderr
    assert not (tmp_path / "bundle").exists()
