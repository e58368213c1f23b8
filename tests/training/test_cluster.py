"""`fit --backend ray`: rejected configurations, and trainings on a local cluster of two workers."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file

from handler.bundle import read_bundle
from tests.processes import tool
from tests.trained import DEMO_DATASET
from training.__main__ import main

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "training" / "ray-cluster.yaml"
MINUTES = 60
TOLERANCE = 1e-5
TINY_CONFIG = """
input_features: [{name: text, type: text, preprocessing: {tokenizer: space}, encoder: {type: embed}}]
output_features: [{name: NAME, type: category}]
trainer: {epochs: 12, batch_size: 64, early_stop: -1, optimizer: {type: sgd}, learning_rate: 0.01, eval_batch_size: 64}
"""
VALIDATE = """
import sys, yaml
from ray.autoscaler._private.util import prepare_config, validate_config
validate_config(prepare_config(yaml.safe_load(open(sys.argv[1]))))
"""


def fit(*more: str) -> list[str]:
    return ["fit", "--dataset", str(DEMO_DATASET), "--backend", "ray", *more]


@pytest.mark.parametrize("backend", ["{type: ray, trainer: {num_workers: 2}}", "ray"])
def test_ludwigs_own_ray_backend_is_rejected(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"{TINY_CONFIG}backend: {backend}\n")
    assert main(fit("--config", str(config), "--output", str(tmp_path / "run"))) == 1
    err = capsys.readouterr().err
    assert "Ludwig trains a copy of the model in each worker on a part of the rows, and keeps one of them" in err
    assert not (tmp_path / "run").exists()


def test_missing_ray_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(fit("--config", "intent-lstm", "--output", str(tmp_path / "run"))) == 1
    assert "--backend ray needs Ray, which is not installed: run `" in capsys.readouterr().err


def test_the_ec2_cluster_configuration() -> None:
    """Checks the settings for cost and access that Ray's own validation does not cover."""
    config = yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))
    types = config["available_node_types"]
    assert types["worker"]["min_workers"] == 0
    assert config["idle_timeout_minutes"] <= 15
    assert config["provider"]["cache_stopped_nodes"] is False
    assert types["worker"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        assert "RAY_AUTH_MODE=token" in config[commands][-1]
    for kind in types.values():
        assert kind["node_config"]["MetadataOptions"]["HttpTokens"] == "required"
        assert all(disk["Ebs"]["Encrypted"] for disk in kind["node_config"]["BlockDeviceMappings"])


@pytest.mark.integration
def test_ray_accepts_the_ec2_cluster_configuration() -> None:
    subprocess.run([tool("ray", "python"), "-c", VALIDATE, str(CLUSTER)], check=True, timeout=MINUTES)


@contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster of two workers and return its address."""
    command = [tool("ray", "python"), str(Path(__file__).with_name("ray_cluster.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=MINUTES)


def killed_once(process: subprocess.Popen[str], folder: Path) -> str:
    """Kill the first worker of a training when a checkpoint is in a folder, and return all that the training prints."""
    lines: list[str] = []
    pid = None
    with process:
        for line in process.stderr or ():
            lines.append(line)
            found = re.search(r"pid=(\d+).*  epoch ", line)
            if pid is None and found and list(folder.glob("checkpoint-*")):
                pid = int(found[1])
                os.kill(pid, signal.SIGKILL)
    assert pid, "".join(lines)
    return "".join(lines)


@pytest.mark.integration
def test_runs_of_two_workers_are_downloaded_and_exported(tmp_path: Path) -> None:
    """Two trainings on a worker each, and then one on both, of which the first is killed."""
    python, environ = tool("ray", "python"), {**os.environ, "PYTHONWARNINGS": "ignore"}
    trainings: dict[str, subprocess.Popen[str]] = {}
    with cluster() as address:
        for name in ("intent", "language"):
            config = tmp_path / f"{name}.yaml"
            config.write_text(TINY_CONFIG.replace("NAME", name))
            more = fit("--config", str(config), "--output", str(tmp_path / name), "--address", address)
            command = [python, "-m", "training", *more]
            trainings[name] = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
        logs = {name: process.communicate(timeout=8 * MINUTES)[1] for name, process in trainings.items()}
        more = fit("--config", str(tmp_path / "intent.yaml"), "--output", str(tmp_path / "shared"), "--workers", "2")
        command = [python, "-m", "training", *more, "--address", address]
        shared = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
        trainings["shared"], logs["shared"] = shared, killed_once(shared, tmp_path / ".shared-training")
    for name, process in trainings.items():
        assert process.returncode == 0, logs[name]
        assert f"Saved to {tmp_path / name}" in logs[name]
        assert "3 machines with 2 CPUs" in logs[name]
        assert {"model", "training.json"} <= {path.name for path in (tmp_path / name).iterdir()}
    assert "A worker was lost: restarting from epoch " in logs["shared"]
    alone, together = (
        load_file(tmp_path / name / "model" / "model_weights.safetensors") for name in ("intent", "shared")
    )
    assert max(abs(alone[layer] - together[layer]).max() for layer in alone) < TOLERANCE
    pairs = [str(tmp_path / part) for name in trainings for part in (name, f"bundles/{name}")]
    subprocess.run([python, "-m", "export", *pairs], cwd=ROOT, env=environ, check=True, timeout=5 * MINUTES)
    assert all(read_bundle(tmp_path / "bundles" / name).parity.passed for name in trainings)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
