"""A teacher's answers are the likely labels, and are stored, so that no text is asked about twice."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny import tiny, tiny_config
from training import teacher
from training.teacher import Teacher, likely


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        ([0.1, 0.9, 0.0], {"b": 0.9}),
        ([0.4, 0.35, 0.25], {"a": 0.4, "b": 0.35, "c": 0.25}),
        ([0.19, 0.21, 0.6], {"c": 0.6, "b": 0.21}),
        ([0.15, 0.15, 0.15], {"a": 0.15}),
    ],
)
def test_likely_labels_are_the_most_likely_one_and_others_with_a_large_probability(
    probabilities: list[float], labels: dict[str, float]
) -> None:
    found = likely(["a", "b", "c"], np.array(probabilities))
    assert found == labels
    assert list(found) == list(labels)


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_answers_are_stored_after_each_block_and_asked_again_only_of_another_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from export.model import load_model
    from training.fit import fit

    fit(tiny_config(), tiny(), tmp_path / "run")
    monkeypatch.setattr(teacher, "BLOCK", 2)
    path = tmp_path / "answers.json"
    asked = Teacher(load_model(tmp_path / "run"), "intent", path)
    texts = ["hello", "good bye", "there", "كيف الحال 😀"]
    found = asked.answers(texts[:3])
    assert [max(labels.values()) >= 0.5 for labels in found.values()] == [True] * 3
    stored = json.loads(path.read_text())
    assert stored["answers"] == found
    assert "Answered, texts 3/3" in capsys.readouterr().err

    stored["answers"]["hello"] = {"stored": 1.0}
    path.write_text(json.dumps(stored))
    assert asked.answers(texts)["hello"] == {"stored": 1.0}
    assert "4 texts, of which 3 are already answered" in capsys.readouterr().err
    other = replace(asked, model=replace(asked.model, weights_sha256="of another teacher"))
    assert other.answers(texts)["hello"] == found["hello"]
    path.write_text("{")
    assert asked.answers(texts[:1])["hello"] == found["hello"]
