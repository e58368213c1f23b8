"""Promotions and their undoing, also interrupted at any step."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handler.__main__ import main
from handler.bundle import read_bundle
from handler.promotion import JOURNAL
from tests.bundles import INTENT, Head, edit_manifest, write_bundle, write_standard_bundles
from tests.handler.deployment import ROOT

OTHER = Head(name="intent", kind="category", words={"fly": "book_flight", "hotel": "book_flight"})
THIRD = Head(name="intent", kind="category", words={"hotel": "greeting"})
FOLDERS = ("intent", "shadow/intent", "previous/intent")


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Return the standard bundles with a shadow of the intent."""
    folder = write_standard_bundles(tmp_path / "bundles")
    write_bundle(folder / "shadow" / "intent", OTHER)
    return folder


def seals(bundles: Path) -> list[str | None]:
    """Return the seals of the live bundle, the shadow and the previous bundle; None where there is none."""
    places = [bundles / folder for folder in FOLDERS]
    return [read_bundle(place).seal if place.exists() else None for place in places]


def promote(bundles: Path, *options: str) -> int:
    return main(["promote", str(bundles), "intent", *options])


def test_a_promotion_and_its_undoing(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live, shadow, _ = seals(bundles)
    assert live is not None
    assert shadow is not None
    assert promote(bundles) == 0
    assert seals(bundles) == [shadow, None, live]
    out = capsys.readouterr().out
    assert "intent: the proof holds, and all 0 golden rows have the same answers as at export." in out
    assert f"build and deploy with ExpectedModels=intent@{shadow[:12]},language@" in out
    assert f"To undo it: ludwig-serverless promote {bundles} intent --undo" in out
    assert sorted(path.name for path in bundles.iterdir()) == ["intent", "language", "previous", "slots"]
    assert main(["check", str(bundles)]) == 0
    assert promote(bundles, "--undo") == 0
    assert seals(bundles) == [live, shadow, None]
    assert sorted(path.name for path in bundles.iterdir()) == ["intent", "language", "shadow", "slots"]


def test_a_second_promotion_replaces_the_previous_bundle(bundles: Path) -> None:
    shadow = seals(bundles)[1]
    assert promote(bundles) == 0
    third = read_bundle(write_bundle(bundles / "shadow" / "intent", THIRD)).seal
    assert promote(bundles) == 0
    assert seals(bundles) == [third, None, shadow]


CRASHING = """
import os, sys
from pathlib import Path
from handler import promotion, swapping
bundles, kind, steps, exchanges = sys.argv[1:]
if exchanges == "no":
    swapping._exchanged = lambda *_: False
left = int(steps)

def hook(event, arguments):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"):
        if left == 0:
            os._exit(9)
        left -= 1

move = promotion.plan(Path(bundles), "intent", undo=kind == "undo")
sys.addaudithook(hook)
promotion.carry_out(Path(bundles), move)
"""
"""Takes some steps on disk and then dies, as after a power failure."""


def crash(bundles: Path, kind: str, steps: int, exchanges: str) -> bool:
    command = [sys.executable, "-c", CRASHING, str(bundles), kind, str(steps), exchanges]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode == 9


@pytest.mark.parametrize("exchanges", ["yes", "no"])
@pytest.mark.parametrize("kind", ["promote", "undo"])
def test_a_promotion_that_dies_at_any_step_is_finished_by_the_next_one(
    tmp_path: Path, kind: str, exchanges: str
) -> None:
    for steps in range(30):
        bundles = write_standard_bundles(tmp_path / str(steps))
        write_bundle(bundles / ("shadow" if kind == "promote" else "previous") / "intent", OTHER)
        if kind == "promote":
            write_bundle(bundles / "previous" / "intent", THIRD)
        live, shadow, previous = seals(bundles)
        died = crash(bundles, kind, steps, exchanges)
        if exchanges == "yes":
            assert seals(bundles)[0] in (live, shadow if kind == "promote" else previous)
        if died:
            assert promote(bundles, *(["--undo"] if kind == "undo" else [])) == 0
        assert seals(bundles) == ([shadow, None, live] if kind == "promote" else [previous, live, None])
        assert not [
            path for path in bundles.rglob("*") if path.name.startswith(".promotion") and path.suffix != ".part"
        ]
        if not died:
            break
    assert 3 <= steps < 30


def test_an_interrupted_promotion_can_be_undone_at_once(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = seals(bundles)
    assert crash(bundles, "promote", 2, "no")
    assert seals(bundles)[0] is None
    assert promote(bundles, "--undo") == 0
    assert "Finished a promotion that was interrupted: intent is" in capsys.readouterr().out
    assert seals(bundles) == before


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ("no shadow", [], "shadow contains no bundle named 'intent' (found none): export the new model to"),
        ("", ["--undo"], "previous contains no bundle named 'intent' (found none): nothing was promoted"),
        ("altered", [], "vocabulary.json was altered"),
        ("other columns", [], "reads the columns ['utterance'], but the live bundle 'intent' reads ['text']"),
        ("failed proof", [], "intent: exported with --allow-failed-proof"),
        ("golden", [], "1 labels changed in 1 rows"),
        ("same", [], "is the same bundle as the live one"),
        ("twice", [], "are both named 'intent': remove the one"),
        ("no live", [], "contains no live bundle named 'intent' (found language, slots)"),
        ("", ["--shadow", "s3://a/b"], "--shadow is for bundles in S3 or on the Hub"),
        ("", ["--log", "/nowhere"], "/nowhere cannot be read (No such file or directory)"),
        ("journal", [], "is not a journal of a promotion"),
        ("foreign journal", [], "but it is neither in"),
    ],
)
def test_a_promotion_that_cannot_be_is_refused_and_changes_nothing(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, options: list[str], message: str
) -> None:
    _spoil(bundles, tmp_path, change)
    files = sorted(path.relative_to(bundles) for path in bundles.rglob("*"))
    assert promote(bundles, *options) == 1
    assert message in capsys.readouterr().err
    assert sorted(path.relative_to(bundles) for path in bundles.rglob("*")) == files


def _spoil(bundles: Path, tmp_path: Path, change: str) -> None:
    shadow = bundles / "shadow" / "intent"
    parity: dict[str, Any] = {"passed": False, "rows": 9, "odd_rows": 0, "ids_equal": 9, "labels_equal": 7}
    row = {"row": "row 7", "own": True, "values": {"text": "fly"}, "labels": {"intent_predictions": "greeting"}}
    move = {
        "kind": "promote",
        "name": "intent",
        "seal": "0" * 64,
        **dict(zip(("live", "source", "target"), FOLDERS, strict=True)),
    }
    changes: dict[str, Callable[[], object]] = {
        "no shadow": lambda: shadow.rename(tmp_path / "away"),
        "altered": lambda: (shadow / "vocabulary.json").write_text("[]"),
        "other columns": lambda: write_bundle(emptied(shadow), OTHER, column="utterance"),
        "failed proof": lambda: edit_manifest(
            shadow, parity={**parity, "max_abs_diff": None, "tolerance": 1e-4, "worst": []}
        ),
        "golden": lambda: edit_manifest(shadow, golden=[row]),
        "same": lambda: write_bundle(emptied(shadow), INTENT),
        "twice": lambda: write_bundle(bundles / "shadow" / "other", THIRD),
        "no live": lambda: (bundles / "intent").rename(tmp_path / "away"),
        "journal": lambda: (bundles / JOURNAL).write_text("{}"),
        "foreign journal": lambda: (bundles / JOURNAL).write_text(json.dumps(move)),
    }
    if change:
        changes[change]()


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder)
    return folder


def test_an_undoing_does_not_overwrite_a_new_shadow(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert promote(bundles) == 0
    write_bundle(bundles / "shadow" / "next", THIRD)
    assert promote(bundles, "--undo") == 1
    assert "contains another shadow of 'intent', and the live bundle would move there" in capsys.readouterr().err


def test_the_agreement_is_shown_and_a_dry_run_changes_nothing(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seals(bundles)
    shadow = str(before[1])[:12]
    same = {"output": "intent", "live": "greeting", "shadow": "greeting", "agrees": True, "count": 6}
    other = {"output": "intent", "live": "book_hotel", "shadow": None, "agrees": False, "count": 2}
    lines = [
        json.dumps({"message": "shadow", "model": "intent", "shadow": seal, "answers": [same, other]})
        for seal in (shadow, shadow, "f" * 12)
    ]
    log = tmp_path / "log"
    log.write_text("\n".join(["not JSON", '{"message":"request"}', f"2026-11-27T16:00:00 {lines[0]}", *lines[1:]]))
    assert promote(bundles, "--dry-run", "--log", str(log)) == 0
    out = capsys.readouterr().out
    assert "12 of 16 answers agree (75.0 %).\n       4  intent: book_hotel -> (unsure)\n" in out
    assert "Nothing was changed." in out
    assert seals(bundles) == before
    with log.open() as opened:
        monkeypatch.setattr("sys.stdin", opened)
        assert promote(bundles, "--dry-run", "--log", "-") == 0
    assert "12 of 16 answers agree" in capsys.readouterr().out
    log.write_text(lines[2])
    assert promote(bundles, "--log", str(log)) == 0
    assert "The log has no comparison of this shadow" in capsys.readouterr().out
