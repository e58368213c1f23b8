"""The benchmark of quality: datasets, samples, cells, and the page."""

import csv
import json
import random
import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.__main__ import main as bench
from benchmarks.quality.__main__ import PAGE, main
from benchmarks.quality.crf import answers_of_crf, shape
from benchmarks.quality.published import read_figures
from benchmarks.quality.sets import classes_of, find_tasks, sample
from tests.trained import DEMO_DATASET, ROOT

SLOT_ROWS = [
    *[(f"wake me at {hour}", "O O O B-time") for hour in range(1, 9)],
    *[(f"play {artist} at {hour}", "O B-artist O B-time") for hour, artist in enumerate(("abba", "queen", "muse"))],
    *[(greeting, "O") for greeting in ("hello", "hi", "thanks", "bye")],
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with the demo's rows as a dataset, and folders that are not datasets."""
    folder = tmp_path / "data"
    with DEMO_DATASET.open(encoding="utf-8", newline="") as file:
        rows = [{**row, "domain": "home"} for row in csv.DictReader(file)]
    random.Random(0).shuffle(rows)
    for name, part in (("train.csv", rows[:200]), ("valid.csv", rows[200:260])):
        _write(folder / "house" / name, part)
    _write(folder / "no-test" / "train.csv", rows[:3])
    _write(folder / "no-text" / "train.csv", [{"intent": "a"}])
    _write(folder / "no-text" / "valid.csv", [{"intent": "a"}])
    return folder


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "quality.md"
    path.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def run(data: Path, page: Path, *options: str) -> int:
    return main(["--data", str(data), "--page", str(page), "--kept", str(page.parent / "kept"), *options])


def test_the_columns_of_a_set_tell_what_it_teaches(data: Path) -> None:
    assert [(task.set_name, task.learn) for task in find_tasks(data)] == [
        ("house", "intent"),
        ("house", "slots"),
        ("house", "language"),
    ]


def test_a_sample_has_so_many_rows_of_each_class_and_larger_samples_contain_it(data: Path) -> None:
    for task in find_tasks(data):
        rows = task.train_rows()
        samples = {size: sample(rows, task.learn, size, seed=1) for size in (2, 5, None)}
        for size in (2, 5):
            for name in set().union(*(classes_of(value, task.learn) for value in rows[task.learn])):
                has, sampled = (
                    sum(name in classes_of(value, task.learn) for value in frame[task.learn])
                    for frame in (rows, samples[size])
                )
                assert min(size, has) <= sampled
                assert sampled == min(size, has) or task.learn == "slots"
        texts = {size: set(found["text"]) for size, found in samples.items()}
        assert texts[2] < texts[5] < texts[None] == set(rows["text"])
        assert not samples[5].equals(sample(rows, task.learn, 5, seed=2))


def test_a_crf_learns_slots_from_their_neighbors() -> None:
    texts, tags = zip(*SLOT_ROWS, strict=True)
    asked = ["wake me at 12", "play blur at 4", "hello"]
    assert answers_of_crf(texts, tags, asked) == ["O O O B-time", "O B-artist O B-time", "O"]
    assert (shape("iPhone15"), shape("12:30"), shape("L'Été")) == ("xXx0", "0:0", "X'Xx")


def test_what_was_measured_is_kept_and_the_rest_is_not_guessed(data: Path, page: Path) -> None:
    assert run(data, page, "--rows", "5", "10", "--seeds", "2", "--models", "svm", "crf") == 0
    written = page.read_text(encoding="utf-8")
    kept = sorted((page.parent / "kept").glob("*.json"))
    assert [path.name for path in kept if ".svm." in path.name and ".intent." in path.name] == [
        "house.intent.svm.10.0.json",
        "house.intent.svm.10.1.json",
        "house.intent.svm.5.0.json",
        "house.intent.svm.5.1.json",
    ]
    scores = [json.loads(path.read_bytes())["score"] * 100 for path in kept[:2]]
    assert f"{pd.Series(scores).mean():.1f} ± {pd.Series(scores).std():.1f} (2 seeds)" in written
    assert "| `intent-light` | not measured | not measured | not measured | not measured | not measured |" in written
    assert str(data) not in written

    changed = json.loads(kept[0].read_bytes()) | {"score": 0.123}
    for path in kept[:2]:
        path.write_text(json.dumps(changed | {"seed": json.loads(path.read_bytes())["seed"]}), encoding="utf-8")
    assert run(data, page, "--rows", "10", "--seeds", "2", "--models", "svm") == 0
    assert "12.3 ± 0.0 (2 seeds)" in page.read_text(encoding="utf-8"), "kept cells are not measured again"

    with (data / "house" / "train.csv").open("a", encoding="utf-8") as file:
        file.write((data / "house" / "valid.csv").read_text(encoding="utf-8").splitlines()[1] + "\n")
    assert run(data, page, "--report") == 0
    table = page.read_text(encoding="utf-8").split("<!-- begin quality -->")[1]
    assert "0 cells" in table
    assert "seeds)" not in table, "cells of other rows do not count"


def test_published_figures_stay_until_they_are_measured_again(data: Path, page: Path) -> None:
    assert run(data, page, "--rows", "5", "10", "--seeds", "1", "--models", "svm") == 0
    published = page.with_suffix(".json")
    before = {figure.key: figure for figure in read_figures(published)}
    assert set(before) == {("house", learn, "svm", rows) for learn in ("intent", "language") for rows in (5, 10)}
    table = page.read_text(encoding="utf-8")
    shutil.rmtree(page.parent / "kept")
    assert run(data, page, "--report") == 0
    assert page.read_text(encoding="utf-8") == table, "the stored cells are gone, their figures are not"

    assert run(data, page, "--rows", "10", "--seeds", "2", "--models", "svm", "--only", "house:intent") == 0
    after = {figure.key: figure for figure in read_figures(published)}
    changed = ("house", "intent", "svm", 10)
    assert {key for key, figure in after.items() if figure != before[key]} == {changed}
    assert after[changed].seeds == 2
    assert "5 cells" in page.read_text(encoding="utf-8")


def test_the_page_shows_the_figures_that_are_published() -> None:
    content = PAGE.read_text(encoding="utf-8")
    for figure in read_figures(PAGE.with_suffix(".json")):
        shown = (
            f"{figure.mean:.1f} (1 seed)" if figure.deviation is None else f"{figure.mean:.1f} ± {figure.deviation:.1f}"
        )
        assert shown in content


def test_folders_without_sets_and_other_sizes_are_rejected(
    tmp_path: Path, data: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "nothing", page) == 1
    assert "has no subfolder with train.csv, valid.csv" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(data, page, "--rows", "7")
    assert "expected one of 5, 10, 20, 50 and all, got '7'" in capsys.readouterr().err


def test_options_go_to_one_part_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench(["quality", "warm", "--data", "folder"])
    assert "--data is an option of a single part: name only that part" in capsys.readouterr().err


def test_the_page_says_how_it_is_made_and_no_figure_is_written_by_hand() -> None:
    content = PAGE.read_text(encoding="utf-8")
    head, _, rest = content.partition("<!-- begin quality -->")
    _, found, tail = rest.partition("<!-- end quality -->")
    assert found
    assert "`make bench PART=quality DATA=folder`" in head
    assert not tail.strip()
    assert "DATA" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.ludwig
def test_a_cell_trains_tests_exports_and_times_a_model(data: Path, page: Path) -> None:
    assert run(data, page, "--rows", "10", "--seeds", "1", "--models", "intent-light", "slots-lstm") == 0
    for name in ("house.intent.intent-light.10.0", "house.slots.slots-lstm.10.0"):
        found = json.loads((page.parent / "kept" / f"{name}.json").read_bytes())
        assert found["score"] > 0.2
        assert found["train_seconds"] > 0
        assert found["bundle_bytes"] > 10_000
        assert found["warm_milliseconds"] > 0
    assert not list((page.parent / "kept" / "work").iterdir())
