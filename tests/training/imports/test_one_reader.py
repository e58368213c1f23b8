"""`fit` and `import` read the same rows from the same file, in every format."""

import json
from pathlib import Path

import pytest

from export.errors import RowsError
from tests.training.imports.command import error_of, imported, written
from training.dataset import TRAIN, prepare, read_dataset

CONFIG = {
    "input_features": [{"name": "text", "type": "text"}],
    "output_features": [{"name": "intent", "type": "category"}],
}
ROWS = [("hé, you; there", "greet"), ('say "hi"', "speak"), ("null", "1"), ("# 1 fan", "2")]
QUOTED = [('"' + text.replace('"', '""') + '"', label) for text, label in ROWS]
OBJECTS = [{"Text": text, "Intent": int(label) if label.isdecimal() else label} for text, label in ROWS]


def delimited(delimiter: str, header: str = "text{}intent", *, quoted: bool = True) -> str:
    lines = [delimiter.join(row) for row in (QUOTED if quoted else ROWS)]
    return "\n".join([header.format(delimiter), *lines, ""])


FILES: dict[str, bytes] = {
    "commas.csv": delimited(",").encode(),
    "semicolons.csv": delimited(";", "Text{}Intent").encode("utf-8-sig"),
    "tabs.csv": delimited("\t", "TEXT{}Intent").encode("utf-16"),
    "bars.csv": delimited("|").encode("utf-16-le"),
    "windows.csv": delimited(";").replace("\n", "\r\n").encode("cp1252"),
    "excel.csv": delimited(";", "sep=;\nutterance{}intent").encode("utf-8-sig"),
    "comments.csv": ("# exported\n\n" + delimited(",")).encode(),
    "escaped.csv": delimited(",").replace('""hi""', '\\"hi\\"').encode(),
    "unquoted.tsv": delimited("\t", quoted=False).encode(),
    "named.tsv": delimited("\t", "#text{}intent", quoted=False).encode(),
    "list.json": json.dumps(OBJECTS).encode(),
    "lines.json": "\n".join(map(json.dumps, OBJECTS)).encode("utf-16"),
    "lines.jsonl": "\n".join(json.dumps(each, ensure_ascii=False) for each in OBJECTS).encode("utf-8-sig"),
    "lines.ndjson": "\n".join(json.dumps(each, ensure_ascii=False) for each in OBJECTS).encode("cp1252"),
}


@pytest.mark.parametrize("name", FILES)
def test_fit_and_import_read_the_same(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, FILES[name])
    rows, report = imported(tmp_path, path, "--no-split")
    assert [(row["text"], row["intent"]) for row in rows] == ROWS
    assert report["rows"] == {"read": 4, "kept": 4, "dropped": 0}
    _, dataset = prepare(CONFIG, read_dataset({TRAIN: path}))
    assert list(dataset.itertuples(index=False, name=None)) == ROWS


def test_files_of_one_dataset_can_have_different_column_names(tmp_path: Path) -> None:
    paths = {0: "commas.csv", 1: "excel.csv", 2: "tabs.csv"}
    dataset = read_dataset({split: written(tmp_path, name, FILES[name]) for split, name in paths.items()})
    _, prepared = prepare(CONFIG, dataset)
    assert list(prepared[["text", "intent"]].itertuples(index=False, name=None)) == ROWS * 3
    assert prepared["split"].tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_a_headerless_file_keeps_its_first_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = "hi there,greet\nhello,greet\nbye now,leave\n"
    path = written(tmp_path, "in.csv", content)
    assert "Add a first line such as `text,intent`, or import the file with --no-header." in error_of(
        capsys, tmp_path, path
    )
    with pytest.raises(RowsError, match="has no header"):
        read_dataset({TRAIN: path})
    expected = [("hi there", "greet"), ("hello", "greet"), ("bye now", "leave")]
    for arguments in ([path, "--no-header"], [written(tmp_path, "headed.csv", "text,intent\n" + content)]):
        rows, _ = imported(tmp_path / arguments[0].stem, *arguments, "--no-split")
        assert [(row["text"], row["intent"]) for row in rows] == expected


def test_an_unknown_header_is_reported_with_both_solutions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = error_of(capsys, tmp_path, written(tmp_path, "in.csv", "hi there,greet\nbye,leave\n"))
    assert "Name the column with --column text=NAME; if the first line is not a header, pass --no-header." in error
