"""The page of the measurements, and the command lines that write it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks import bulk
from benchmarks.__main__ import PARTS, Part, main
from benchmarks.growth import bend, slope
from benchmarks.report import ratios, record, spread, table, write_section
from benchmarks.synthetic import write_bundle
from handler.bundle import read_bundle
from handler.predictor import Predictor
from ludwig_serverless.cost.measured import MEASURED, Figure, read_measured

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
PAGES = {"costs": "docs/deploy.md", "quality": "docs/quality.md"}
SECTIONS = [part.name for part in PARTS if part.name not in PAGES]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_part_replaces_its_own_section_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n<!-- begin cold -->\nold\n<!-- end cold -->\ntext\n<!-- begin warm -->\nkept\n<!-- end warm -->\n",
        encoding="utf-8",
    )
    write_section(page, "cold", ["| new |"])
    write_section(page, "cold", ["| newer |"])
    assert page.read_text(encoding="utf-8") == (
        "# Title\n<!-- begin cold -->\n\n| newer |\n\n<!-- end cold -->\ntext\n"
        "<!-- begin warm -->\nkept\n<!-- end warm -->\n"
    )


def test_a_page_without_the_section_is_not_changed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- begin cold -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no section for 'cold'"):
        write_section(page, "cold", ["new"])
    assert page.read_text(encoding="utf-8") == "<!-- begin cold -->\n"


@pytest.mark.parametrize("part", SECTIONS)
def test_the_page_has_a_section_and_the_command_of_every_part(part: str) -> None:
    content = PAGE.read_text(encoding="utf-8")
    assert content.count(f"<!-- begin {part} -->") == content.count(f"<!-- end {part} -->") == 1
    assert f"`make bench PART={part}`" in content


def test_no_figure_of_the_page_is_written_by_hand() -> None:
    content = PAGE.read_text(encoding="utf-8")
    for part in [*SECTIONS, *bulk.SECTIONS.values(), bulk.MEMORY_SECTION]:
        head, _, rest = content.partition(f"<!-- begin {part} -->")
        content = head + rest.partition(f"<!-- end {part} -->")[2]
    prose = [line for line in content.splitlines() if not line.startswith("#")]
    assert [line for line in prose if any(character.isdigit() for character in line)] == []


def test_every_engine_writes_the_same_answers() -> None:
    content = PAGE.read_text(encoding="utf-8")
    measured = {
        section: content.partition(f"<!-- begin {section} -->")[2].partition(f"<!-- end {section} -->")[0]
        for section in bulk.SECTIONS.values()
    }
    rows = {section: re.findall(r"--rows (\d+)", text) for section, text in measured.items()}
    digests = {section: re.findall(r"`([0-9a-f]{64})`", text) for section, text in measured.items()}
    assert len(set(map(tuple, rows.values()))) == 1, f"measure all engines with the same rows: {rows}"
    assert all(len(found) == 1 for found in digests.values())
    assert len(set(map(tuple, digests.values()))) == 1, f"the engines answer differently: {digests}"


@pytest.mark.parametrize("part", [part.name for part in PARTS])
def test_every_part_has_help(part: str) -> None:
    done = python("-m", f"benchmarks.{part}", "--help")
    assert done.returncode == 0, done.stderr
    assert PAGES.get(part, "docs/performance.md") in done.stdout


def test_all_parts_are_listed_and_an_unknown_one_is_rejected() -> None:
    listed = python("-m", "benchmarks", "--help").stdout
    assert [part.name for part in PARTS if part.name not in listed] == []
    refused = python("-m", "benchmarks", "colder")
    assert refused.returncode == 2
    assert "unknown part colder: expected cold, warm" in refused.stderr


def test_the_number_of_runs_must_be_positive() -> None:
    refused = python("-m", "benchmarks.warm", "--runs", "0")
    assert refused.returncode == 2
    assert "expected a positive integer, got 0" in refused.stderr


def test_numbers_become_cells() -> None:
    assert spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0 to 3.0)"
    assert ratios([2.0, 9.0, 8.0], [1.0, 3.0, 2.0]) == ["2.00", "3.00", "4.00"]
    assert table(["", "ms"], [["warm", "1"]]) == ["|  | ms |", "| --- | --: |", "| warm | 1 |"]


def test_slope_and_bend_of_a_curve() -> None:
    assert slope([1, 10, 100], [2.0, 20.0, 200.0]) == pytest.approx(1)
    assert slope([1, 10, 100], [5.0, 5.0, 5.0]) == pytest.approx(0)
    assert bend([1, 10, 100, 1000], [5.0, 5.0, 5.0, 40.0]) == "100"
    assert bend([1, 10, 100], [5.0, 5.1, 5.2]) == "not here"


def test_figures_are_kept_one_by_one(tmp_path: Path) -> None:
    from argparse import Namespace

    options = Namespace(measured=tmp_path / "measured.json")
    record(options, "cold", {"cold_start_milliseconds": 412.34})
    record(options, "warm", {"warm_answer_milliseconds": 1.0})
    assert "quantiles" not in json.loads(options.measured.read_bytes())["cold_start_milliseconds"]
    record(options, "cold", {"cold_start_milliseconds": 400}, {"cold_start_milliseconds": [500.0, 300.0, 400.0]})
    kept = json.loads(options.measured.read_bytes())
    assert {name: figure["value"] for name, figure in kept.items()} == {
        "cold_start_milliseconds": 400.0,
        "warm_answer_milliseconds": 1.0,
    }
    stored = msgspec.json.decode(options.measured.read_bytes(), type=dict[str, Figure])["cold_start_milliseconds"]
    assert stored.observations == 3
    assert dict(stored.quantiles)[0.0] == 300
    assert dict(stored.quantiles)[0.5] == 400
    assert dict(stored.quantiles)[0.75] == 450
    assert kept["warm_answer_milliseconds"]["by"] == "python -m benchmarks.warm"


def test_the_shipped_figures_are_what_the_costs_need() -> None:
    assert MEASURED.is_file()
    assert read_measured().cold_start_milliseconds.value > 0


@pytest.mark.parametrize("shape", [{"vocabulary": 40, "labels": 3, "length": 4}, {"labels": 200}])
def test_a_synthetic_bundle_answers_and_claims_no_proof(tmp_path: Path, shape: dict[str, int]) -> None:
    folder = write_bundle(tmp_path / "intent", **shape)
    assert read_bundle(folder).parity.passed is False
    (columns,) = Predictor(folder).predict([{"text": "w1 w2"}])
    assert sum(columns["intent_probabilities"]) == pytest.approx(1, abs=1e-5)
    assert len(columns["intent_probabilities"]) == shape.get("labels", 20)


def test_a_failing_part_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`benchmarks.report` is the part that succeeds, because it is a module that exits at once."""
    monkeypatch.setattr("benchmarks.__main__.PARTS", (Part("missing", 30, "nothing"), Part("report", 30, "nothing")))
    assert main([]) == 1
    said = capfd.readouterr().err
    assert "== report succeeded after" in said
    assert "these parts failed: missing. Their sections are unchanged" in said


def test_memory_is_measured_with_the_local_engine_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bulk.main(["--memory", "--engine", "ray"])
    assert "--memory measures the local engine, but --engine is ray" in capsys.readouterr().err
