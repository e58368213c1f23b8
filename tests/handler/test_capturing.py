"""Unsure messages and a sample of the others are captured, scrubbed, and never change a response."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from handler.capture_batches import Batches
from handler.captured import CapturedMessage, decode_messages
from handler.capturing import Capture
from handler.comparison import ShadowComparison
from handler.deferred import Deferred
from handler.hexabot import load_service
from handler.messages import Answer, Request
from handler.observing import Observation
from handler.routes import Routes
from handler.settings import Settings
from handler.vocabulary import EntityWords, Pattern, Value
from scripts.ask_emulator import free_port
from tests.bundles import (
    CRASH,
    INTENT,
    LANGUAGE,
    TAGGER,
    Head,
    edit_manifest,
    give_entities,
    write_bundle,
    write_standard_bundles,
)
from tests.handler.deployment import ROOT, START_SECONDS, environment, run_python, wait_for_port
from tests.hexabot_client import http_api_event, multipart

SURE, CLOSE, UNSURE = "fly", "fly hotel", "nothing of this"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}


class Store:
    """A store in memory."""

    seconds = 0.0

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, name: str, content: bytes) -> None:
        assert name not in self.files
        self.files[name] = content


class Captured:
    """A service that captures, whose deferred work runs when the test asks for the messages."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"capture": "memory", "capture_sample": 0.0, "version": "7", **settings}
        found = Settings(bundles=(str(folder),), open=True, **given)
        self.service = load_service(found)
        self.store, self.deferred = Store(), Deferred()
        self.capture = Capture(self.service, found, self.deferred, Batches(self.store))
        self.routes, self.without = Routes(self.service, found, [self.capture]), Routes(self.service, found)
        self.count = 0

    def ask(self, fields: Mapping[str, Any], path: str = "/predict", **headers: str) -> Answer:
        self.count += 1
        given = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = Request(f"id-{self.count}", "POST", path, [], given, json.dumps(fields).encode())
        return self.routes.answer(request)

    def messages(self) -> list[CapturedMessage]:
        self.deferred.answered()
        self.deferred.run_after_invocation()
        found = [each for content in self.store.files.values() for each in decode_messages(content)]
        assert all(isinstance(each, CapturedMessage) for each in found)
        return [each for each in found if isinstance(each, CapturedMessage)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the standard bundles; the intent has a threshold."""
    found = write_standard_bundles(tmp_path / "bundles")
    manifest = json.loads((found / "intent" / "manifest.json").read_text())
    outputs = manifest["outputs"]
    outputs[0]["thresholds"] = {"default": 0.45, "by_label": {}}
    edit_manifest(found / "intent", outputs=outputs)
    return found


@pytest.mark.parametrize(("text", "reason"), [(SURE, None), (CLOSE, "small_margin"), (UNSURE, "below_threshold")])
def test_only_unsure_messages_are_captured(folder: Path, text: str, reason: str | None) -> None:
    service = Captured(folder)
    service.ask({"text": text})
    assert [each.reason for each in service.messages()] == ([] if reason is None else [reason])


def test_a_margin_of_zero_captures_no_close_decision(folder: Path) -> None:
    service = Captured(folder, capture_margin=0.0)
    service.ask({"text": CLOSE})
    assert service.messages() == []


def test_an_unsure_language_is_no_reason_to_capture(folder: Path) -> None:
    service = Captured(folder)
    service.ask({"text": "fly vers مرحبا"})  # three languages, one intent
    assert service.messages() == []


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (1.0, 20), (0.5, None)])
def test_a_share_of_the_other_messages_is_sampled(folder: Path, share: float, count: int | None) -> None:
    service = Captured(folder, capture_sample=share)
    for _ in range(20):
        service.ask({"text": SURE})
    found = service.messages()
    assert {each.reason for each in found} <= {"sample"}
    assert len(found) in ({count} if count is not None else range(1, 20))  # 2 in a million fail


def test_a_failed_model_is_a_reason_to_capture(tmp_path: Path) -> None:
    for head in (LANGUAGE, INTENT, TAGGER):
        write_bundle(tmp_path / head.name, head, breaking=head is INTENT)
    service = Captured(tmp_path)
    service.ask({"text": f"fly {CRASH}"})
    (message,) = service.messages()
    assert (message.reason, set(message.models), message.text) == ("fallback", {"language"}, f"fly {CRASH}")


def test_what_is_captured_of_a_message(folder: Path) -> None:
    service = Captured(folder)
    service.ask({"text": "hotel  fly to Paris, me@example.com"})
    (message,) = service.messages()
    assert (message.id, message.version, message.language, message.reason) == ("id-1", "7", "en", "small_margin")
    assert message.text == "hotel  fly to Paris, <email>"
    assert message.time.endswith("Z")
    assert len(message.time) == len("2026-11-27T16:30:00.000Z")
    assert next(iter(service.store.files)).startswith(message.time[:10].replace("-", "/") + "/")
    intent = message.models["intent"]
    assert (intent.seal, intent.output) == (service.service.predictors["intent"].manifest.seal, "intent")
    assert intent.label == "book_flight"
    assert [label for label, _ in intent.ranking[:2]] == ["book_flight", "book_hotel"]
    assert intent.confidence == intent.ranking[0][1]
    assert set(message.models) == {"intent", "language"}


def test_an_unsure_label_is_ranked_but_not_the_answer(folder: Path) -> None:
    service = Captured(folder)
    service.ask({"text": UNSURE})
    (message,) = service.messages()
    assert message.models["intent"].label is None
    assert len(message.models["intent"].ranking) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fly hotel to Paris!", [(13, 18, "city", "Paris")]),
        ("😀 fly hotel Paris.", [(12, 17, "city", "Paris")]),
        ("joe@example.com: fly hotel Paris", [(19, 24, "city", "Paris")]),
        ("fly hotel +49 170 1234567", [(10, 17, "phone", "<phone>")]),
        ("fly hotel box 0170 1234567", [(10, 21, "box", "box <phone>")]),
        ("fly hotel https://x.example/Paris/a", []),
        ("fly hotel City of Light", [(10, 23, "city", "Paris")]),
    ],
)
def test_entities_have_their_position_in_the_scrubbed_text(
    folder: Path, text: str, expected: list[tuple[int, int, str, str]]
) -> None:
    give_entities(
        folder / "slots",
        EntityWords(
            name="city", values=[Value(value="Paris", synonyms=["City of Light"])], keywords=["Paris", "City of Light"]
        ),
        EntityWords(name="phone", patterns=[Pattern(pattern=r"[+]\d+ \d+ \d+")]),
        EntityWords(name="box", patterns=[Pattern(pattern=r"box \d+ \d+")]),
    )
    service = Captured(folder)
    service.ask({"text": text})
    (message,) = service.messages()
    assert [(each.start, each.end, each.type, each.value) for each in message.entities] == expected


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/predict", {"text": CLOSE}),
        ("/understand", {"text": CLOSE}),
        ("/parse", {"q": CLOSE}),
        ("/mcp", {**CALL, "params": {"name": "understand", "arguments": {"text": CLOSE}}}),
    ],
)
def test_every_route_for_messages_captures_and_answers_the_same(
    folder: Path, path: str, fields: dict[str, Any]
) -> None:
    service = Captured(folder)
    answer = service.ask(fields, path)
    request = Request("id-1", "POST", path, [], {"content-type": "application/json"}, json.dumps(fields).encode())
    assert (answer.status, answer.body) == (200, service.without.answer(request).body)
    assert [each.text for each in service.messages()] == [CLOSE]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/batch_predict", {"dataset": {"columns": ["text"], "data": [[CLOSE]]}}),
        ("/evaluate", {"common_examples": [{"text": CLOSE, "intent": "greeting"}]}),
        ("/mcp", {**CALL, "params": {"name": "list_models"}}),
        ("/predict", {"text": " \n"}),
        ("/predict", {"text": CLOSE, "model": "nobody"}),
    ],
)
def test_nothing_else_is_captured(folder: Path, path: str, fields: dict[str, Any]) -> None:
    service = Captured(folder, capture_sample=1.0)
    service.ask(fields, path)
    assert service.messages() == []


@pytest.mark.parametrize(("value", "count"), [("1", 0), ("true", 0), ("anything", 0), ("0", 1), ("", 1), ("no", 1)])
def test_a_caller_can_keep_a_message_out(folder: Path, value: str, count: int) -> None:
    service = Captured(folder, capture_sample=1.0)
    service.ask({"text": CLOSE}, x_no_capture=value)
    assert len(service.messages()) == count


def test_a_model_with_its_own_column_and_two_outputs(tmp_path: Path) -> None:
    tone = Head(name="tone", kind="category", words={"fly": "calm", "hello": "angry"})
    write_bundle(tmp_path / "both", INTENT, tone, name="both", column="question")
    service = Captured(tmp_path)
    service.ask({"question": CLOSE})
    (message,) = service.messages()
    assert (message.text, set(message.models), message.language) == (CLOSE, {"intent", "tone"}, None)


def comparison(agrees: bool) -> ShadowComparison:
    return ShadowComparison("intent", "intent", "category", 0, "a", "b", agrees, "x", "y", False, False, 0.9, 0.9)


@pytest.mark.parametrize(
    ("text", "agrees", "reasons"), [(SURE, False, ["shadow"]), (SURE, True, []), (CLOSE, False, ["small_margin"])]
)
def test_a_shadow_that_disagrees_captures_a_message_once(
    folder: Path, text: str, agrees: bool, reasons: list[str]
) -> None:
    service = Captured(folder)
    seen: list[Observation] = []
    service.routes = Routes(service.service, Settings(bundles=(), open=True), [service.capture, seen.append])
    service.ask({"text": text})
    service.capture.compared(seen[0], [comparison(True), comparison(agrees)])
    assert [each.reason for each in service.messages()] == reasons


def test_no_text_reaches_the_log_even_if_capture_fails(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Captured(folder)

    def broken(text: str) -> None:
        raise ValueError(text)

    monkeypatch.setattr("handler.scrubbing.scrub", broken)
    answer = service.ask({"text": f"{CLOSE} zebra"})
    assert (answer.status, service.messages()) == (200, [])
    assert "deferred work failed" in caplog.text
    assert "zebra" not in caplog.text


def test_a_service_that_does_not_capture_loads_nothing_for_it(folder: Path, tmp_path: Path) -> None:
    content_type, body = multipart({"text": CLOSE})
    event = http_api_event("POST", "/predict", body, headers={"content-type": content_type})
    program = (
        "import json, sys; from handler.entrypoint import lambda_handler, observing\n"
        "lambda_handler(json.loads(sys.argv[1]), None)\n"
        "observing.deferred and observing.deferred.stop()\n"
        "print(json.dumps([name for name in sys.modules if 'captur' in name or 'scrub' in name or 's3_' in name]))"
    )
    without = run_python("-c", program, json.dumps(event), **environment(folder))
    assert json.loads(without.stdout.splitlines()[-1]) == [], without.stderr
    with_capture = run_python("-c", program, json.dumps(event), **environment(folder, NLU_CAPTURE=str(tmp_path / "c")))
    assert "handler.scrubbing" in json.loads(with_capture.stdout.splitlines()[-1]), with_capture.stderr
    (written,) = (tmp_path / "c").rglob("*.jsonl")
    assert CLOSE.encode() in written.read_bytes()
    assert CLOSE not in with_capture.stdout + with_capture.stderr


@pytest.mark.integration
def test_serve_writes_what_is_left_when_it_ends(folder: Path, tmp_path: Path) -> None:
    port, texts = free_port(), [f"fly hotel {name}" for name in ("one", "two", "me@example.com")]
    command = [sys.executable, "-m", "handler", "serve", str(folder), "--open", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--capture", str(tmp_path / "captured")], cwd=ROOT, stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_for_port(port, lambda: process.poll() is None)
            for text in texts:
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request(
                    "POST", "/understand", json.dumps({"text": text}), {"content-type": "application/json"}
                )
                assert connection.getresponse().status == 200
                connection.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(START_SECONDS)
    files = sorted((tmp_path / "captured").rglob("*.jsonl"))
    found = [each for file in files for each in decode_messages(file.read_bytes())]
    assert [each.text for each in found if isinstance(each, CapturedMessage)] == [
        "fly hotel one",
        "fly hotel two",
        "fly hotel <email>",
    ]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert not list((tmp_path / "captured").rglob("*.part"))
