"""Reports of `ludwig-serverless import`: duplicates, contradictions, splits."""

from pathlib import Path

import pytest

from tests.training.imports.command import error_of, imported, places, written


def test_duplicates_and_texts_with_two_labels_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path, "in.csv", "text,intent\nhi,greet\nHi ,leave\nhi,greet\nbye,leave\n")
    _, report = imported(tmp_path, source)
    assert report["same_text_under_two_labels"] == [
        {
            "text": "hi",
            "column": "intent",
            "labels": {"greet": [f"{source} line 2", f"{source} line 4"], "leave": [f"{source} line 3"]},
        }
    ]
    assert report["duplicates"] == [{"text": "hi", "places": [f"{source} line 2", f"{source} line 4"]}]
    assert report["fewer_than"] == {
        "rows": 10,
        "labels": {"intent": {"greet": 2, "leave": 2}, "language": {}, "entity": {}},
    }
    told = capsys.readouterr().err
    assert "Texts with more than one intent: 1." in told
    assert "Duplicate rows: 1" in told
    assert "Fewer than 10: greet 2, leave 2." in told
    rows, report = imported(tmp_path, source, "--drop-duplicates", "--overwrite")
    assert (len(rows), places(report, "dropped", "the same text and labels")) == (3, [f"{source} line 4"])


TEMPLATES = "".join(
    f"{{}} {city} {verb},{verb},{city}\n" for city in ("Rome", "Oslo", "New York", "Bonn") for verb in ("fly", "drive")
)


def many(folder: Path) -> Path:
    rows = "".join(TEMPLATES.format(*[f"word{i}"] * 8) for i in range(40))
    return written(folder, "in.csv", "text,intent,city\n" + rows)


def test_splits_are_by_intent_and_keep_templates_together(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, many(tmp_path))
    assert report["splits"]["rows"] == {"train": 256, "validation": 32, "test": 32}
    assert report["splits"]["intents_without"] == {"train": [], "validation": [], "test": []}
    parts: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        parts.setdefault((row["text"].split()[0], row["intent"]), set()).add(row["split"])
    assert all(len(found) == 1 for found in parts.values())
    for intent in ("fly", "drive"):
        assert [sum(row["intent"] == intent and row["split"] == part for row in rows) for part in "012"] == [
            128,
            16,
            16,
        ]


def test_splits_depend_only_on_the_seed(tmp_path: Path) -> None:
    source = many(tmp_path)
    found = [
        [row["split"] for row in imported(tmp_path, source, "--overwrite", "--seed", seed)[0]] for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("given", "sizes"), [("0.5,0.25,0.25", [160, 80, 80]), ("0.9,0.1,0", [288, 32, 0]), ("1,0,0", None)]
)
def test_split_sets_the_fractions(given: str, sizes: list[int] | None, tmp_path: Path) -> None:
    rows, report = imported(tmp_path, many(tmp_path), "--split", given)
    if sizes:
        assert [sum(row["split"] == part for row in rows) for part in "012"] == sizes
    else:
        assert "split" not in rows[0]
        assert "or they are too similar" in report["notes"][0]


@pytest.mark.parametrize("given", ["0.8,0.1", "a,b,c", "0.8,0.1,0.2", "-1,1,1", "0,0.5,0.5", "nan,0,1"])
def test_fractions_must_sum_to_one(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path, "in.csv", "text,intent\na,b\n")
    assert "expected fractions of train, validation and test with a sum of 1" in error_of(
        capsys, tmp_path, source, f"--split={given}"
    )


def test_the_files_own_split_is_kept(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent,split\nhi,a,train\nbye,b,dev\nHI,a,2\n")
    rows, report = imported(tmp_path, source)
    assert [row["split"] for row in rows] == ["0", "1", "2"]
    assert (report["splits"]["origin"], report["splits"]["templates_in_two_parts"]) == ("the files' own", 1)
    assert report["splits"]["intents_without"]["test"] == ["b"]


def test_an_incomplete_split_is_replaced_and_reported(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent,split\nhi,a,train\nbye,b,dev\nso,a,\n")
    _, report = imported(tmp_path, source)
    assert report["splits"]["origin"].startswith("by intent")
    assert report["notes"][0].startswith("The files' own split was replaced")


def test_a_file_without_a_split_joins_the_train_rows_of_the_others(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent,split\nhi,a,train\nbye,b,dev\nHI,a,2\n")
    reviewed = written(
        tmp_path, "reviewed.csv", "text,intent,captured_id,captured_version\nso long,b,x1,2\nhey,a,x2,\n"
    )
    rows, report = imported(tmp_path, source, reviewed)
    assert [row["split"] for row in rows] == ["0", "1", "2", "0", "0"]
    assert report["splits"]["origin"] == "the files' own"


def test_provenance_passes_through_and_is_no_trait(tmp_path: Path) -> None:
    content = (
        "text,intent,captured_id,captured_version,mood\nso long 2,b,x1,2,glad\nhey 3,a,x2,3,sad\n,c,x3,,\nhi,,x4,,\n"
    )
    rows, report = imported(tmp_path, written(tmp_path, "reviewed.csv", content), "--no-split")
    assert [(row["captured_id"], row["captured_version"]) for row in rows] == [("x1", "2"), ("x2", "3")]
    assert list(report["columns"]) == ["mood"]


def test_small_files_keep_a_validation_row(tmp_path: Path) -> None:
    rows, _ = imported(tmp_path, written(tmp_path, "in.csv", "text,intent\na,x\nb,y\nc,x\n"))
    assert sorted(row["split"] for row in rows) == ["0", "1", "2"]
    rows, report = imported(tmp_path, written(tmp_path, "in.csv", "text,intent\na,x\nA,x\n"), "--overwrite")
    assert ("split" in rows[0], len(report["notes"])) == (False, 1)
