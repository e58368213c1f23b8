"""`distill`: a student learns a teacher's answers to texts without labels, and is an ordinary run."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from handler.hexabot import Service
from handler.predictor import Predictor
from handler.settings import Settings
from tests.training.tiny import tiny_config
from training.__main__ import main
from training.distill_command import unlabeled_texts
from training.distillation import ANSWERS, DISTILLATION
from training.errors import DatasetError
from training.workspace import Workspace

WORDS = {
    "music": ["song", "album", "melody", "tune", "concert", "guitar", "piano", "singer"],
    "food": ["pizza", "soup", "bread", "cheese", "dinner", "lunch", "salad", "recipe"],
    "travel": ["flight", "hotel", "train", "ticket", "airport", "luggage", "passport", "beach"],
}
FRAMES = ["i want a {}", "please find the {}", "show me {} and {}", "{} or {}", "what about {}", "the best {} with {}"]
KNOWN = 2
"""Words of each intent that the labeled rows of the student have; the teacher knows all."""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chat.txt", "\ufeffhello there\n\n  good bye \n"),
        ("chat.csv", 'utterance,at\nhello there,1\n"",2\ngood bye,3\n'),
        ("chat.jsonl", '{"text": "hello there"}\n{"text": "half \\ud800"}\n{"text": "good bye"}\n'),
    ],
)
def test_texts_without_labels_are_lines_or_a_column(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert list(unlabeled_texts(tmp_path / name)) == ["hello there", "good bye"]


def test_a_table_without_texts_is_an_error_that_names_its_columns(tmp_path: Path) -> None:
    (tmp_path / "chat.csv").write_text("message,at\nhello,1\n")
    with pytest.raises(DatasetError, match=r"has the columns \['message', 'at'\]; expected a column named"):
        unlabeled_texts(tmp_path / "chat.csv")
    with pytest.raises(DatasetError, match=r"Cannot read .*one message per line"):
        unlabeled_texts(tmp_path / "missing.txt")


def sentences(words: slice, seed: int) -> pd.DataFrame:
    """Return 40 sentences of each intent, whose words are a part of WORDS."""
    random = np.random.default_rng(seed)
    found = [
        (FRAMES[random.integers(len(FRAMES))].format(*random.choice(names[words], 2)), intent)
        for intent, names in WORDS.items()
        for _ in range(40)
    ]
    return pd.DataFrame(found, columns=["text", "intent"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a teacher, rows with labels, and texts without."""
    from training.config import read_config
    from training.fit import fit

    folder = tmp_path_factory.mktemp("distill")
    fit(read_config(Path("intent-light")), sentences(slice(None), 0), folder / "teacher")
    few, test = sentences(slice(KNOWN), 1), sentences(slice(KNOWN, None), 2)
    rows = pd.concat([few.assign(split=0), few[::4].assign(split=1), test.assign(split=2)])
    rows.to_csv(folder / "rows.csv", index=False)
    chat = [*sentences(slice(KNOWN, None), 3)["text"], *rows["text"], "zzz qqq"]
    (folder / "chat.txt").write_text("\n".join(chat), encoding="utf-8")
    return folder


def distill(folder: Path, *options: str) -> int:
    """Run the command."""
    data = ["--dataset", str(folder / "rows.csv"), "--unlabeled", str(folder / "chat.txt")]
    return main(["distill", str(folder / "teacher"), *data, "--output", str(folder / "student"), *options])


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_student_learns_words_that_only_the_teacher_knows_and_exports_with_proof(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from export.build import export_model
    from export.model import load_model

    (folder / "rows.entities.json").write_text('[{"name": "dish", "values": [{"value": "pizza"}]}]')
    with Workspace.of_run(folder / "student").held():  # the last step fails, after the teacher's answers
        assert distill(folder) == 1
    assert "Another training is using" in capsys.readouterr().err
    assert (folder / ".student-distillation" / ANSWERS).is_file()
    assert distill(folder) == 0
    told = capsys.readouterr()
    assert "Already done." in told.err
    assert (folder / "student" / "entities.json").read_text() == (folder / "rows.entities.json").read_text()
    found = json.loads((folder / "student" / DISTILLATION).read_text())
    assert json.loads(told.out) == found
    scores, texts = found["accuracy"], found["texts"]
    assert scores["teacher"] >= scores["distilled"] > scores["alone"] + 0.2
    assert "The teacher was trained on other rows" in told.err
    assert f"student distilled  {scores['distilled']:.1%}" in told.err
    # Rows of the dataset, those of its test above all, are not learned under the teacher's labels.
    rows = pd.read_csv(folder / "rows.csv")
    assert texts["given"] == texts["known"] + texts["unsure"] + texts["learned"]
    new = texts["given"] - texts["known"]
    assert f"The teacher answers {new} texts, of which {new} are already answered" in told.err
    assert texts["known"] >= len(rows)
    record = json.loads((folder / "student" / "training.json").read_text())
    assert len(rows) + texts["learned"] <= record["rows"] <= len(rows) + 2 * texts["learned"]
    assert not list(folder.glob(".student*"))

    manifest = export_model(load_model(folder / "student"), tmp_path / "intent", dataset=rows)
    assert manifest.parity.passed
    service = Service({"intent": Predictor(tmp_path / "intent")}, Settings(bundles=(), open=True))
    answer = service.predict({"text": "please find the airport"}).answer["intent"]["predictions"]
    assert answer["intent_predictions"] == "travel"


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_errors_of_distill_name_the_next_step(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "language.yaml").write_text(
        json.dumps(tiny_config(output_features=[{"name": "language", "type": "category"}]))
    )
    assert distill(folder, "--config", str(tmp_path / "language.yaml"), "--force") == 1
    assert "The teacher answers 'intent', but the student learns 'language'" in capsys.readouterr().err
    rows = pd.read_csv(folder / "rows.csv")
    (folder / "chat.txt").write_text("\n".join(rows["text"].str.upper()), encoding="utf-8")
    assert distill(folder, "--force") == 1
    assert "pass texts that have no labels yet" in capsys.readouterr().err


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_rows_without_a_split_are_split_as_for_the_teacher(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from export.model import load_model
    from training.config import read_config
    from training.distillation import Student, _split

    rows = sentences(slice(None), 0)
    teacher = load_model(folder / "teacher")
    _, split = _split(teacher, Student(read_config(Path("intent-light")), seed=7), rows)
    measured = pd.read_json(folder / "teacher" / "evaluation" / "predictions.jsonl", lines=True)
    assert sorted(split.loc[split["split"] == 2, "text"]) == sorted(measured["text"])
    assert "other rows" not in capsys.readouterr().err
