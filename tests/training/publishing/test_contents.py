"""What `publish` accepts and rejects, on the command line, without sending anything."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from tests.bundles import TAGGER, edit_manifest, write_bundle
from tests.training.publishing.conftest import Made, write_proven_bundle
from training.__main__ import main
from training.errors import PublishError
from training.publishing.contents import read_listing

TO = ("--to", "hf://me/travel")


def test_a_dry_run_prints_the_card_and_sends_nothing(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*made.arguments, *TO, "--version", "v3", "--language", "en", "--language", "fr"]
    assert main(["publish", *arguments, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    card = ModelCard(out)
    assert card.data.to_dict() == {
        "language": ["en", "fr"],
        "library_name": "ludwig",
        "license": "cc-by-4.0",
        "pipeline_tag": "text-classification",
        "tags": ["ludwig", "ludwig-serverless", "hexabot", "nlu", "onnx"],
        "model-index": card.data.to_dict()["model-index"],
    }
    assert card.data.model_name == "travel"
    assert {result.metric_type: result.metric_value for result in card.data.eval_results or ()} == {
        "accuracy": 0.91,
        "loss": 0.25,
    }
    for part in (
        "ludwig-serverless serve hf://me/travel@v3",
        "It predicts `intent`, one of 3: `book_flight`, `book_hotel`, `greeting`.",
        "120 rows (SHA-256 of the dataset: `dddd",
        "| intent | accuracy | 0.9100 |",
        "| rows with equal labels | 1 |",
        "The bundle contains 1 of the rows",
    ):
        assert part in card.text
    assert "bundle/model.onnx" in err
    assert "Dry run: nothing was sent. Without --dry-run, this publishes hf://me/travel@v3." in err


def test_a_bundle_alone_and_a_run_alone(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "--bundle", str(made.bundle), *TO, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert "model/" not in err
    assert "| intent | accuracy | 0.9100 |" in out
    assert "Without a license, nobody else may use the model" in err
    assert main(["publish", "--run", str(made.run), *TO, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert "bundle/" not in err
    assert "ludwig-serverless export model bundles/travel" in out
    assert "Parity" not in out


def unproven(made: Made) -> None:
    parity = {"passed": False, "rows": 9, "odd_rows": 0, "ids_equal": 9, "labels_equal": 7, "max_abs_diff": 0.5}
    edit_manifest(made.bundle, parity={**parity, "tolerance": 1e-4, "worst": []})


def of_another_model(made: Made) -> None:
    (made.run / "model" / "model_weights.safetensors").write_bytes(b"retrained")


def altered(made: Made) -> None:
    (made.bundle / "model.onnx").write_bytes(b"altered")


def pickled(made: Made) -> None:
    (made.run / "model" / "model_weights.safetensors").rename(made.run / "model" / "model_weights")


def no_run(made: Made) -> None:
    (made.run / "model" / "training_set_metadata.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unproven, "failed its parity check: 2 of 9 rows have other labels than the model predicts"),
        (of_another_model, "was not exported from "),
        (altered, "model.onnx was altered"),
        (pickled, "are pickled, and loading a pickle can execute arbitrary code. Convert them to"),
        (no_run, "is not a Ludwig model: expected"),
    ],
)
def test_unpublishable_contents_are_rejected(
    spoil: Callable[[Made], None], message: str, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(made)
    assert main(["publish", *made.arguments, *TO, "--dry-run"]) == 1
    assert message in capsys.readouterr().err


def test_nothing_to_publish(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", *TO]) == 1
    assert "Nothing to publish: give --run runs/intent, --bundle" in capsys.readouterr().err


def test_a_missing_report_is_an_error(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    (made.run / "evaluation" / "report.html").unlink()
    assert main(["publish", *made.arguments, *TO, "--dry-run", "--with-report"]) == 1
    assert "report.html does not exist: omit --with-report, or evaluate the run first." in capsys.readouterr().err


@pytest.mark.parametrize("version", ["latest", "main", "../v1", "v/1", "", "v1.lock", "v..1", "-v"])
def test_an_invalid_version_is_rejected(version: str, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["publish", *made.arguments, *TO, f"--version={version}"])
    assert "expected letters, digits, dots and dashes" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\\x", "", "a//x", "./x", "c:x", "x\0"])
def test_a_listing_with_a_path_outside_its_folder_is_rejected(path: str) -> None:
    content = json.dumps({"version": "v1", "files": {path: {"sha256": "0" * 64, "bytes": 1}}}).encode()
    with pytest.raises(PublishError, match="which is outside its folder: do not use this version"):
        read_listing(content, "there")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"version": "v1", "files": {"a": 1}}'])
def test_an_invalid_listing_is_rejected(content: bytes) -> None:
    with pytest.raises(PublishError, match="there is not a listing that `ludwig-serverless publish` wrote"):
        read_listing(content, "there")


def test_a_folder_that_was_not_fetched_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["fetch", "hf://me/travel@v1", "--output", str(tmp_path), "--overwrite"]) == 1
    assert f"{tmp_path} exists and was not created by a fetch" in capsys.readouterr().err
    assert main(["fetch", "hf://me/travel@v1", "--output", ".", "--overwrite"]) == 1
    assert "contains the current folder" in capsys.readouterr().err


def test_the_card_of_a_tagger_names_its_task(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "slots", TAGGER)
    assert main(["publish", "--bundle", str(bundle), *TO, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert ModelCard(out).data.pipeline_tag == "token-classification"
    assert "It predicts `slots`, one of 4: `O`, `B-city`, `I-city`, `B-date`." in out


def test_the_license_in_an_old_bundle_is_kept(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    provenance = {"ludwig_version": "0.17.10", "model_sha256": "0" * 64, "exported_at": "x", "exporter_version": "x"}
    bundle = write_proven_bundle(tmp_path / "licensed", made.run, provenance={**provenance, "license": "CC-BY-4.0"})
    assert main(["publish", "--bundle", str(bundle), *TO, "--dry-run"]) == 0
    assert ModelCard(capsys.readouterr().out).data.license == "cc-by-4.0"
