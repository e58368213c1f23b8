"""`fit --hyperopt`: rejected arguments, and a search with Ludwig and Ray Tune."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.processes import tool
from tests.trained import DEMO_DATASET
from training.__main__ import main

ROOT = Path(__file__).parents[2]
MINUTES = 60
CONFIG = """
input_features: [{name: text, type: text, preprocessing: {tokenizer: space}, encoder: {type: embed}}]
output_features: [{name: intent, type: category}]
trainer: {epochs: 2, batch_size: 64, eval_batch_size: 64}
"""
SECTION = """
hyperopt:
  goal: maximize
  metric: accuracy
  output_feature: intent
  parameters: {trainer.learning_rate: {space: grid_search, values: [0.00001, 0.01]}}
  search_alg: {type: variant_generator}
  executor: {type: ray, num_samples: 1, max_concurrent_trials: 1, cpu_resources_per_trial: 1}
"""


def search(config: str, folder: Path) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(config)
    rows = ["--dataset", str(DEMO_DATASET), "--output", str(folder / "found")]
    return ["fit", "--hyperopt", "--config", str(path), *rows]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            CONFIG,
            "--hyperopt needs a section 'hyperopt' with parameters in the configuration, for example `hyperopt: {goal:",
        ),
        (CONFIG + SECTION, "A search needs Ray, which is not installed: run `"),
    ],
    ids=["section", "ray"],
)
def test_a_search_without_its_section_or_ray_is_rejected(
    config: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(search(config, tmp_path)) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "found").exists()


@pytest.mark.ludwig
@pytest.mark.integration
def test_a_search_writes_the_best_configuration(tmp_path: Path) -> None:
    command = [tool("ray", "python"), "-m", "training", *search(CONFIG + SECTION, tmp_path)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MINUTES * 60, check=False)
    assert finished.returncode == 0, finished.stderr
    best, worse = json.loads((tmp_path / "found" / "trials.json").read_text())
    assert (best["parameters"], worse["parameters"]) == (
        {"trainer.learning_rate": 0.01},
        {"trainer.learning_rate": 0.00001},
    )
    assert best["score"] > worse["score"]
    written = yaml.safe_load((tmp_path / "found" / "best.yaml").read_text())
    assert written["trainer"]["learning_rate"] == 0.01
    assert "hyperopt" not in written
