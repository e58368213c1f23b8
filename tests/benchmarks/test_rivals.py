"""What the handler is measured beside answers the same: else the ratios would compare different work."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthetic import write_bundle
from scripts.ask_emulator import TEXTS, hexabot_event

ROOT = Path(__file__).resolve().parents[2]
ODD_TEXTS = (
    "",
    " ",
    "  a  room,  in Paris!  ",
    "book\ta flight\nto New York",
    "from Rome to Cape Town " * 20,
    "réserver un hôtel à Zürich 😀",
    "أريد رحلة من القاهرة إلى باريس غدا",
)
ASK = """
import asyncio, importlib, json, sys
asyncio.set_event_loop(asyncio.new_event_loop())
handler = importlib.import_module(sys.argv[1]).lambda_handler
answers = [handler(event, None) for event in json.load(sys.stdin)]
print(json.dumps([[answer["statusCode"], answer["body"]] for answer in answers]))
"""


def answers(module: str, bundles: Path, texts: tuple[str, ...]) -> list[tuple[int, str]]:
    """Ask a Lambda function in a process of its own, since each reads its models when it is imported."""
    environ = {**os.environ, "NLU_BUNDLES": str(bundles), "NLU_OPEN": "1", "NLU_LOG_LEVEL": "ERROR"}
    events = json.dumps([hexabot_event(text, "") for text in texts])
    done = subprocess.run(
        [sys.executable, "-c", ASK, module], cwd=ROOT, env=environ, input=events, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return [(status, body) for status, body in found]


@pytest.fixture(scope="module")
def expected() -> list[tuple[int, str]]:
    """Give what the handler answers with the demo's bundles."""
    found = answers("handler.entrypoint", ROOT / "examples" / "bundles", TEXTS + ODD_TEXTS)
    assert {status for status, _ in found} == {200}
    return found


@pytest.mark.parametrize("module", ["benchmarks.baseline_minimal", "benchmarks.baseline_fastapi"])
def test_a_rival_answers_the_same_bytes(module: str, expected: list[tuple[int, str]]) -> None:
    assert answers(module, ROOT / "examples" / "bundles", TEXTS + ODD_TEXTS) == expected


def test_the_texts_try_small_numbers_and_slots(expected: list[tuple[int, str]]) -> None:
    """The minimal baseline writes its JSON itself: the texts must reach what its writer mends."""
    bodies = "".join(body for _, body in expected)
    assert "0.0000" in bodies
    assert "e-6" in bodies
    assert "B-destination" in bodies


def test_the_floor_answers_the_same_where_no_model_knows_the_language(tmp_path: Path) -> None:
    exported = write_bundle(tmp_path / "synthetic" / "intent", vocabulary=50, labels=5, length=8)
    texts = ("w1 w2 w3", "w4 and more words than the graph has places for")
    assert answers("benchmarks.baseline_minimal", exported.parent, texts) == answers(
        "handler.entrypoint", exported.parent, texts
    )
