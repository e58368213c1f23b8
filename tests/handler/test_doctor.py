"""`ludwig-serverless doctor`: the timings of a cold start."""

from pathlib import Path

import pytest

from handler.__main__ import main
from handler.doctor import Imported, read_imports


def test_a_start_is_shown_by_import_and_by_bundle(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(bundles)]) == 0
    table = capsys.readouterr().out
    steps = [line.rpartition("#")[2].strip() for line in table.splitlines() if "#" in line]
    assert steps[:4] == [
        "imports",
        "settings and log",
        "finding bundles, and fetching remote ones",
        "loading onnxruntime",
    ]
    assert steps[4:7] == [
        f"intent: {step}" for step in ("manifest and hashes", "graph", "tokenizers, vocabularies and the rest")
    ]
    assert steps[-3:] == ["routes", "first answer", "second answer"]
    assert "modules imported" in table


def test_a_start_that_fails_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(tmp_path)]) == 1
    assert f"error: The service does not start: handler.errors.BundleError: No bundle in {tmp_path}" in (
        capsys.readouterr().err
    )


def test_imports_follow_the_module_that_imports_them() -> None:
    traced = """import time: self [us] | cumulative | imported package
import time:       100 |        100 |     c
import time:      1000 |       1100 |   b
import time:      2000 |       2000 |   d
import time:       500 |       3600 | a
something else
"""
    assert read_imports(traced) == [
        Imported("a", 0, 3.6),
        Imported("b", 1, 1.1),
        Imported("c", 2, 0.1),
        Imported("d", 1, 2.0),
    ]
