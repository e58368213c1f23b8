"""How a run's `expected.json` gets into a bundle."""

import json
from pathlib import Path

import pytest

from export.errors import ModelError
from export.expected import EXPECTED, with_expected
from handler.outputs import CategoryOutput, VectorOutput
from handler.thresholds import Expected

INTENT, VECTOR = CategoryOutput(name="intent", labels=["a", "b"]), VectorOutput(name="vector")
CONTENT = {"intent": {"labels": {"a": 3}, "edges": [0.5], "confidence": [1, 2]}}


def test_the_expected_answers_are_exported(tmp_path: Path) -> None:
    assert with_expected([INTENT, VECTOR], tmp_path / "model") == [INTENT, VECTOR]
    (tmp_path / EXPECTED).write_text(json.dumps(CONTENT))
    intent, vector = with_expected([INTENT, VECTOR], tmp_path / "model")
    assert vector is VECTOR
    assert isinstance(intent, CategoryOutput)
    assert intent.expected == Expected(labels={"a": 3}, edges=[0.5], confidence=[1, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"expected\.json is broken"),
        (json.dumps({"intent": {**CONTENT["intent"], "confidence": [1]}}), "1 edges, which must ascend, do not fit 1"),
        (json.dumps({"other": CONTENT["intent"]}), r"names \['other'\], which the model does not have"),
        (json.dumps({"vector": CONTENT["intent"]}), r"\['vector'\]"),
        (json.dumps({"intent": {**CONTENT["intent"], "labels": {"c": 1}}}), r"\['c'\].* Train again, or delete"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / EXPECTED).write_text(content)
    with pytest.raises(ModelError, match=message):
        with_expected([INTENT, VECTOR], tmp_path / "model")
