"""Files are read as the same parts every time, and a row that cannot be read stops nothing."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.plan import Place, input_files
from ludwig_serverless.batch.reading import Part, read_parts


def parts(path: Path, rows: int) -> list[Part]:
    place = Place(str(path))
    (file,) = input_files(place)
    return list(read_parts(place.system, file, 0, rows))


def write(path: Path, texts: list[str]) -> Path:
    table = pa.table({"id": [str(number) for number in range(len(texts))], "text": texts})
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path, row_group_size=7)
    elif path.suffix == ".csv":
        path.write_text("id,text\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(texts)), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("rows", [1, 10, 25, 1000])
def test_every_row_is_in_exactly_one_part(tmp_path: Path, suffix: str, rows: int) -> None:
    texts = [f"message {number}\nof two lines, مرحبا" for number in range(25)]
    found = parts(write(tmp_path / f"in{suffix}", texts), rows)
    assert [row["text"] for part in found for row in part.table.to_pylist()] == texts
    assert [part.first_row for part in found] == list(range(0, 25, rows))
    assert {part.table.num_rows for part in found[:-1]} <= {rows}
    assert len({part.name for part in found}) == len(found)
    assert found[-1].done == 1.0


def test_csv_rows_with_too_many_values_or_other_bytes_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"id,text\n1,fly\n2,too,many\n3,caf\xe9\n4,hello\n")
    (part,) = parts(path, 100)
    assert part.table.column("id").to_pylist() == ["1", "4"]
    reasons = {each.content: each.reason for each in part.unreadable}
    assert reasons == {"2,too,many": "expected 2 values, found 3", "3 caf\ufffd": "a value is not UTF-8"}


def test_json_lines_that_are_no_objects_are_reported_and_other_types_become_text(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": 1, "text": "fly", "tags": ["a"]}\n\n[1]\n{"id": 2,\n{"id": 3, "text": null}\n')
    (part,) = parts(path, 100)
    assert part.table.to_pylist() == [
        {"id": "1", "text": "fly", "tags": '["a"]'},
        {"id": "3", "text": None, "tags": None},
    ]
    assert [each.row for each in part.unreadable] == [2, 3]


def test_a_file_of_bad_rows_only_is_one_empty_part(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("no\nneither\n")
    (part,) = parts(path, 1)
    assert part.table.num_rows == 0
    assert len(part.unreadable) == 2


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(BatchError, match=r"in\.parquet cannot be read.*run the same command again"):
        parts(path, 10)


def test_files_are_found_in_subfolders_without_markers(tmp_path: Path) -> None:
    for name in ("b/2.csv", "a/1.JSONL", "_SUCCESS", ".hidden.csv", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\nfly\n")
    assert [(Path(file.path).name, file.format) for file in input_files(Place(str(tmp_path)))] == [
        ("1.JSONL", "jsonl"),
        ("2.csv", "csv"),
    ]


@pytest.mark.parametrize("location", ["https://example.org/in.csv", "s3://", "gs://bucket/in"])
def test_other_locations_are_refused(location: str) -> None:
    with pytest.raises(BatchError, match="s3://bucket/prefix"):
        Place(location)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(BatchError, match=r"expected \.parquet.*found notes\.txt"):
        input_files(Place(str(tmp_path)))
