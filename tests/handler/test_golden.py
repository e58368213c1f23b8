"""Golden rows: what a bundle must answer again before it takes traffic."""

from pathlib import Path

import pytest

from deploy.pre_traffic import parse_models
from handler.__main__ import main
from handler.bundle import read_bundle
from handler.golden import expected_models, replay, seals
from handler.predictor import load_predictors
from tests.bundles import INTENT, TAGGER, edit_manifest, write_bundle


def golden(text: str, labels: dict[str, object]) -> dict[str, object]:
    return {"row": "row 7", "own": True, "values": {"text": text}, "labels": labels}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = write_bundle(tmp_path / "nlu", INTENT, TAGGER, name="nlu")
    edit_manifest(
        folder,
        golden=[
            golden("fly to Paris", {"intent_predictions": "book_flight"}),
            golden("a hotel", {"intent_predictions": "book_hotel"}),
        ],
    )
    return folder


def test_equal_labels(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(load_predictors([bundle])) == {"checked": 2, "changed": [], "unproven": []}
    assert main(["check", str(bundle)]) == 0
    out = capsys.readouterr().out
    assert "nlu: all 2 rows have the same answers as at export." in out
    assert f"ExpectedModels=nlu@{read_bundle(bundle).seal[:12]}\n" in out


def test_expected_models_are_names_with_seals(bundle: Path, tmp_path: Path) -> None:
    other = write_bundle(tmp_path / "intent", INTENT)
    predictors = load_predictors([bundle, other])
    assert seals(predictors) == {"nlu": read_bundle(bundle).seal, "intent": read_bundle(other).seal}
    assert parse_models(expected_models(predictors)) == {name: seal[:12] for name, seal in seals(predictors).items()}


def test_a_changed_label_is_named_without_quoting_the_text(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_manifest(bundle, golden=[golden("fly to Paris", {"intent_predictions": "greeting", "gone": True})])
    assert replay(load_predictors([bundle]))["changed"] == [
        {"model": "nlu", "row": "row 7", "column": column, "expected": expected, "found": found}
        for column, expected, found in [("intent_predictions", "greeting", "book_flight"), ("gone", True, None)]
    ]
    assert main(["check", str(bundle)]) == 1
    out, err = capsys.readouterr()
    assert "nlu: row 7: intent_predictions was 'greeting' and is now 'book_flight'" in out
    assert "error: 2 labels changed in 1 rows. Do not deploy these bundles: export the models again." in err
    assert "Paris" not in out + err


def test_a_bundle_without_golden_rows(tmp_path: Path) -> None:
    assert replay(load_predictors([write_bundle(tmp_path / "a", INTENT)])) == {
        "checked": 0,
        "changed": [],
        "unproven": [],
    }


def test_a_bundle_that_failed_its_proof_is_refused_even_if_its_golden_rows_pass(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parity = {"passed": False, "rows": 9, "odd_rows": 0, "ids_equal": 9, "labels_equal": 7, "max_abs_diff": None}
    edit_manifest(bundle, parity={**parity, "tolerance": 1e-4, "worst": []})
    assert replay(load_predictors([bundle])) == {"checked": 2, "changed": [], "unproven": ["nlu"]}
    assert main(["check", str(bundle)]) == 1
    assert "error: nlu: exported with --allow-failed-proof after a failed proof" in capsys.readouterr().err
