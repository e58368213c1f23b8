"""A trained model is unchanged after it is published and fetched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handler.golden import replay
from handler.predictor import load_predictors
from handler.sources import local_folders
from tests.trained import Exported, Run, demo_rows
from training.__main__ import main

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]


def test_it_predicts_as_before(
    trained: Callable[[str], Run],
    exported: Callable[[str], Exported],
    loaded: Callable[[str], Any],
    s3: Any,
    tmp_path: Path,
) -> None:
    from export.model import load_model

    kind, uri = "language-cnn", "s3://models/language"
    run, bundle = trained(kind).fitted.folder, exported(kind)
    assert main(["publish", "--run", str(run), "--bundle", str(bundle.folder), "--to", uri, "--version", "v1"]) == 0
    predictors = load_predictors(local_folders([f"{uri}/v1"], tmp_path / "cache"))
    assert replay(predictors) == {"checked": len(bundle.manifest.golden), "changed": [], "unproven": []}

    assert main(["fetch", uri, "--output", str(tmp_path / "back")]) == 0
    back = load_model(tmp_path / "back")
    rows = demo_rows(10)[["text"]]
    assert back.predict(rows) == loaded(kind).predict(rows)
    assert back.weights_sha256 == bundle.manifest.provenance.model_sha256
    assert back.training == loaded(kind).training
