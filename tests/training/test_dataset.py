"""Training rows: columns, labels, splits."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from training.config import Config
from training.dataset import (
    TEST,
    TRAIN,
    VALIDATION,
    dataset_sha256,
    prepare,
    read_dataset,
    tell_weaknesses,
)
from training.errors import DatasetError
from training.out_of_scope import out_of_scope

STRATIFY = {"type": "stratify", "column": "intent", "probabilities": [0.8, 0.1, 0.1]}


def config(text: str = "text", split: Mapping[str, object] | None = None, output: str = "category") -> Config:
    made: Config = {
        "input_features": [{"name": text, "type": "text"}],
        "output_features": [{"name": "intent", "type": output}],
    }
    return {**made, "preprocessing": {"split": dict(split)}} if split else made


def table(intents: Sequence[object], **more: object) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"text {i}" for i in range(len(intents))], "intent": intents, **more})


@pytest.mark.parametrize(("read", "given"), [("text", "utterance"), ("utterance", "text")])
def test_the_text_can_be_in_the_column_utterance(read: str, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = pd.DataFrame({given: ["hi", "bye"], "intent": ["a", "b"]})
    _, prepared = prepare(config(read), dataset)
    assert list(prepared.columns) == [read, "intent"]
    assert list(prepared[read]) == ["hi", "bye"]
    assert capsys.readouterr().err == f"Reading the column '{given}' as '{read}'.\n"


def test_the_named_column_wins(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = pd.DataFrame({"utterance": ["no", "no"], "text": ["hi", "bye"], "intent": ["a", "b"]})
    _, prepared = prepare(config(), dataset)
    assert list(prepared["text"]) == ["hi", "bye"]
    assert capsys.readouterr().err == ""


def test_no_other_column_is_guessed() -> None:
    dataset = pd.DataFrame({"words": ["hi", "bye"], "label": ["a", "b"]})
    with pytest.raises(DatasetError, match=r"lacks the columns \['text', 'intent'\].*it has \['words', 'label'\]"):
        prepare(config(), dataset)


def test_columns_that_nothing_reads_are_dropped() -> None:
    _, prepared = prepare(config(), table(["a", "b"], source="web"))
    assert list(prepared.columns) == ["text", "intent"]


@pytest.mark.parametrize("nothing", [None, float("nan"), ""], ids=["none", "nan", "empty"])
def test_rows_without_a_label_are_skipped(nothing: object, capsys: pytest.CaptureFixture[str]) -> None:
    _, prepared = prepare(config(), table(["a", nothing, "b", "a"]))
    assert list(prepared["text"]) == ["text 0", "text 2", "text 3"]
    assert list(prepared.index) == [0, 1, 2]
    assert capsys.readouterr().err == "Skipped 1 of 4 rows without a value in intent.\n"


def test_labels_are_clean_before_anything_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    intents = [" a", "a ", "b", " ", " oos", "oos"]
    kept, outside = out_of_scope(config(), table(intents, split=[0, 1, 0, 0, 1, 2]), "oos ", 1)
    _, prepared = prepare(config(), kept)
    assert list(prepared["intent"]) == ["a", "a", "b"]
    assert list(outside["split"]) == [VALIDATION, TEST]
    said = capsys.readouterr().err
    assert "'intent': removed extra white space in 3 rows, such as ' a'." in said
    assert "'intent': 1 rows contain only white space, which counts as a missing label." in said
    assert "Skipped 1 of 4 rows without a value in intent." in said
    _, prepared = prepare(config(), table(["a ", "b"]))
    assert list(prepared["intent"]) == ["a", "b"]


def test_similar_labels_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    tell_weaknesses(config(), table(["Greet"] * 11 + ["greet"] * 12))
    hint = "has labels that differ only in case, separators or encoding"
    assert f"'intent' {hint}: 'Greet' (11), 'greet' (12). If they mean the same, use one" in capsys.readouterr().err
    tell_weaknesses(config(output="sequence"), table(["B-City I-City O", "B-city"]))
    assert f"'intent' {hint}: 'City' (1), 'city' (1)." in capsys.readouterr().err


@pytest.mark.parametrize("intents", [["a", "a"], ["a", ""], [None, None]], ids=["one", "one left", "none left"])
def test_a_single_class_is_rejected(intents: list[object]) -> None:
    with pytest.raises(DatasetError, match=r"'intent' has the values .*: expected at least two different ones"):
        prepare(config(), table(intents))


def test_sequences_may_have_a_single_value() -> None:
    _, prepared = prepare(config(output="sequence"), table(["O O", "O O"]))
    assert len(prepared) == 2


@pytest.mark.parametrize("splits", [[0, 1, 2], ["0", "1", "2"], [0.0, 1.0, 1.0]], ids=["int", "str", "float"])
def test_a_split_column_is_used(splits: list[object]) -> None:
    given = config(split=STRATIFY)
    fixed, prepared = prepare(given, table(["a", "b", "a"], split=splits))
    assert fixed["preprocessing"]["split"] == {"type": "fixed", "column": "split"}
    assert list(prepared["split"]) == [int(float(str(split))) for split in splits]
    assert prepared["split"].dtype.kind == "i"
    assert given["preprocessing"]["split"] == STRATIFY


@pytest.mark.parametrize(
    "splits",
    [["train", "valid", "test"], [0, 1, 3], [0, 1, None], [0, 0, 2], [1, 1, 2], [0, 1, 0.5]],
    ids=["words", "three", "missing", "no validation", "no training", "half"],
)
def test_a_split_column_with_other_values_is_rejected(splits: list[object]) -> None:
    with pytest.raises(DatasetError, match=r"'split' may contain only 0 \(train\), 1 \(validation\) and 2 \(test\)"):
        prepare(config(), table(["a", "b", "a"], split=splits))


def test_a_stratified_split_is_kept_if_all_classes_are_large_enough(capsys: pytest.CaptureFixture[str]) -> None:
    prepared, _ = prepare(config(split=STRATIFY), table(["a"] * 10 + ["b"] * 10))
    assert prepared["preprocessing"]["split"] == STRATIFY
    assert capsys.readouterr().err == ""


def test_small_classes_are_split_at_random(capsys: pytest.CaptureFixture[str]) -> None:
    given = config(split=STRATIFY)
    prepared, _ = prepare(given, table(["a"] * 20 + ["b"] * 9 + ["c"] * 3))
    # Ludwig's split at random knows no column, and unknown keys are refused.
    expected = {key: value for key, value in STRATIFY.items() if key != "column"} | {"type": "random"}
    assert prepared["preprocessing"]["split"] == expected
    assert given["preprocessing"]["split"] == STRATIFY
    assert capsys.readouterr().err == (
        "Splitting at random instead of by 'intent': 2 of its 3 values have fewer than 10 rows (b, c).\n"
    )


def test_one_file_keeps_its_own_split(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("text,intent,split\nhi,a,0\nbye,b,1\n")
    assert list(read_dataset({TRAIN: path})["split"]) == ["0", "1"]


def test_separate_files_become_the_splits(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,intent,split\nhi,a,1\nbye,b,1\n")
    (tmp_path / "valid.tsv").write_text("intent\ttext\nb\tciao\n")
    (tmp_path / "test.jsonl").write_text('{"text": "hey", "intent": "a"}\n')
    files = {TRAIN: "train.csv", VALIDATION: "valid.tsv", TEST: "test.jsonl"}
    dataset = read_dataset({split: tmp_path / name for split, name in files.items()})
    fixed, prepared = prepare(config(), dataset)
    assert prepared.to_dict("list") == {
        "text": ["hi", "bye", "ciao", "hey"],
        "intent": ["a", "b", "b", "a"],
        "split": [0, 0, 1, 2],
    }
    assert fixed["preprocessing"]["split"]["type"] == "fixed"


def test_the_digest_does_not_depend_on_the_file_format(tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["hé,\n", "b"], "intent": ["x", "y"]})
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.to_json(tmp_path / "a.json", orient="records")
    digests = {dataset_sha256(read_dataset({TRAIN: tmp_path / name})) for name in ("a.csv", "a.json")}
    assert digests == {dataset_sha256(rows)}
    assert dataset_sha256(rows[::-1]) not in digests
    assert dataset_sha256(rows.replace("b", "c")) not in digests


def test_the_digest_accepts_unpaired_surrogates() -> None:
    assert len(dataset_sha256(pd.DataFrame({"text": ["\ud800"]}, dtype=object))) == 64
