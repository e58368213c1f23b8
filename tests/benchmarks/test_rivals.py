"""The baselines give the handler's answers; otherwise the ratios would compare different work."""

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
    """Invoke a Lambda function in a separate process, because each loads its models on import."""
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
    """Return the handler's answers with the demo's bundles."""
    found = answers("handler.entrypoint", ROOT / "examples" / "bundles", TEXTS + ODD_TEXTS)
    assert {status for status, _ in found} == {200}
    return found


def test_plain_fastapi_answers_the_same_bytes(expected: list[tuple[int, str]]) -> None:
    assert answers("benchmarks.baseline_fastapi", ROOT / "examples" / "bundles", TEXTS + ODD_TEXTS) == expected


@pytest.mark.parametrize("baseline", ["benchmarks.baseline_minimal", "benchmarks.baseline_capi"])
def test_the_baselines_answer_the_same_bytes(expected: list[tuple[int, str]], baseline: str) -> None:
    """The baselines always answer a language; if the handler is unsure, only the rest is compared."""
    found = answers(baseline, ROOT / "examples" / "bundles", TEXTS + ODD_TEXTS)
    sure = 0
    for ours, theirs in zip(expected, found, strict=True):
        if "below_threshold" in json.loads(ours[1])["language"]:
            assert without_language(ours[1]) == without_language(theirs[1])
        else:
            assert ours == theirs
            sure += 1
    assert sure > len(TEXTS) / 2


def without_language(body: str) -> dict[str, Any]:
    """Return an answer without its language."""
    return {name: answer for name, answer in json.loads(body).items() if name != "language"}


def test_the_texts_include_small_numbers_and_slots(expected: list[tuple[int, str]]) -> None:
    """The baselines have their own JSON writer, so the texts must cover the numbers that it handles."""
    bodies = "".join(body for _, body in expected)
    assert "0.0000" in bodies
    assert "e-6" in bodies
    assert "B-destination" in bodies


@pytest.mark.parametrize("baseline", ["benchmarks.baseline_minimal", "benchmarks.baseline_capi"])
def test_the_baselines_answer_the_same_bytes_without_a_language_model(tmp_path: Path, baseline: str) -> None:
    exported = write_bundle(tmp_path / "synthetic" / "intent", vocabulary=50, labels=5, length=8)
    texts = ("w1 w2 w3", "w4 and more words than the graph has places for")
    assert answers(baseline, exported.parent, texts) == answers("handler.entrypoint", exported.parent, texts)
