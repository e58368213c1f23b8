"""Files of a run and its bundle, made without training, and the targets to publish them to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from handler.bundle import describe_file
from tests.bundles import INTENT, edit_manifest, write_bundle
from tests.handler.hub import Hub, running_hub, send_library_to
from tests.processes import use_empty_aws

BUCKET = "models"
UTTERANCE = "fly me to a place that nobody may read of"
RECORD = {
    "config": {"output_features": [{"name": "intent", "type": "category"}]},
    "dataset_sha256": "d" * 64,
    "rows": 120,
    "seed": 42,
    "metrics": {"intent": {"accuracy": 0.91, "loss": 0.25}},
}


@dataclass(frozen=True)
class Made:
    """The folders of a run and of its bundle, and the command-line arguments for them."""

    run: Path
    bundle: Path

    @property
    def arguments(self) -> list[str]:
        return ["--run", str(self.run), "--bundle", str(self.bundle), "--license", "cc-by-4.0"]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Write a run with every file that a run may have, and the bundle of its model."""
    run = tmp_path / "runs" / "intent"
    write_run(run)
    return Made(run, write_proven_bundle(tmp_path / "bundles" / "intent", run))


def write_run(run: Path, weights: bytes = b"weights " * 60_000) -> None:
    model = run / "model"
    (model / "llm_eval_examples").mkdir(parents=True)
    (run / "evaluation").mkdir()
    (model / "model_weights.safetensors").write_bytes(weights)
    encoder = {"type": "bert", "pretrained_model_name_or_path": str(run / "minilm")}
    config = {"input_features": [{"name": "text", "encoder": encoder}], "ludwig_version": "0.17.10"}
    (model / "model_hyperparameters.json").write_text(json.dumps(config))
    (model / "training_set_metadata.json").write_text(json.dumps({"text": {"idx2str": ["fly", "/start"]}}))
    (model / "training_progress.json").write_text("{}")
    (model / "llm_eval_examples" / "0.csv").write_text(UTTERANCE)
    (run / "training.json").write_text(json.dumps(RECORD))
    (run / "description.json").write_text(json.dumps({"command": f"{run}/secret"}))
    (run / "evaluation" / "metrics.json").write_text(json.dumps({"accuracy": 0.91}))
    (run / "evaluation" / "predictions.csv").write_text(UTTERANCE)
    (run / "evaluation" / "report.html").write_text(f"<p>{UTTERANCE}</p>")


def write_proven_bundle(bundle: Path, run: Path, **changes: Any) -> Path:
    write_bundle(bundle, INTENT)
    golden = [{"row": "row 3", "own": True, "values": {"text": "hello"}, "labels": {"intent_predictions": "greeting"}}]
    provenance = {
        "ludwig_version": "0.17.10",
        "model_sha256": describe_file(run / "model" / "model_weights.safetensors").sha256,
        "exported_at": "2026-01-01T00:00:00Z",
        "exporter_version": "test",
        "training": RECORD,
    }
    edit_manifest(bundle, **{"golden": golden, "provenance": provenance, **changes})
    return bundle


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Run an empty Hub and set a token with write access."""
    with running_hub() as running:
        send_library_to(running, tmp_path / "hub-cache", monkeypatch)
        monkeypatch.setenv("HF_TOKEN", "hf_write")
        yield running


@pytest.fixture
def s3(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of an S3 server with one empty bucket; publishing uses the same server."""
    use_empty_aws(aws_address, monkeypatch)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client
