"""Captured messages: what capture writes, review reads; a broken line costs only itself."""

import json

import handler.light_imports  # noqa: F401
from handler.captured import CapturedEntity, CapturedMessage, CapturedVerdict, decode_messages, encode_message

MESSAGE = CapturedMessage(
    id="3f0c",
    time="2026-11-27T16:30:00Z",
    text="سافرني إلى القاهرة ✈️",
    reason="below_threshold",
    version="7",
    models={"intent": CapturedVerdict("abc", "intent", None, 0.41, [("book_flight", 0.41), ("book_hotel", 0.3)])},
    language="ar",
    entities=[CapturedEntity(11, 18, "destination", "القاهرة", 0.8)],
)


def test_what_is_written_is_read() -> None:
    lines = encode_message(MESSAGE) + encode_message(MESSAGE)
    assert list(decode_messages(lines)) == [MESSAGE, MESSAGE]
    assert json.loads(lines.split(b"\n")[0])["models"]["intent"]["ranking"][1] == ["book_hotel", 0.3]


def test_a_broken_line_is_counted_and_costs_only_itself() -> None:
    line = encode_message(MESSAGE)
    content = b"\n" + line[:40] + b"\n" + line + b'\xff{"id": 1}\n' + b"[]\n" + line[:-20]
    assert list(decode_messages(content)) == [2, MESSAGE, 4, 5, 6]


def test_fields_of_a_later_version_are_ignored() -> None:
    later = json.dumps({**json.loads(encode_message(MESSAGE)), "mood": "cheerful"}).encode()
    assert list(decode_messages(later)) == [MESSAGE]
