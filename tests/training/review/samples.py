"""Captured messages for the tests of the review."""

import gzip
from pathlib import Path

from handler.captured import CapturedEntity, CapturedMessage, CapturedVerdict, encode_message

TEXTS = [
    ("book a flight to Paris", "en", 0.61, "book_flight", "cancel_booking"),
    ("book a flight to Rome", "en", 0.58, "book_flight", "cancel_booking"),
    ("book me a flight to Oslo please", "en", 0.55, "cancel_booking", "book_flight"),
    ("what is the weather in Cairo", "en", 0.44, "weather", "book_hotel"),
    ("أريد حجز غرفة في القاهرة", "ar", 0.39, "book_hotel", "book_flight"),
    ("🙂 ok", "en", 0.31, "smalltalk", "weather"),
]
"""Text, language, confidence, the best intent and the second one."""
SLOTS = {"Paris": "destination", "Rome": "destination", "Oslo": "destination"}


def messages() -> list[CapturedMessage]:
    """Return six messages: three similar ones, and three others."""
    return [
        CapturedMessage(
            id=f"m{number}",
            time=f"2026-11-0{number + 1}T10:00:00Z",
            text=text,
            reason="below_threshold",
            version="7",
            models={
                "language": CapturedVerdict("b", "language", language, 0.99, [(language, 0.99)]),
                "intent": CapturedVerdict("a", "intent", None, sure, [(best, sure), (second, round(0.9 - sure, 2))]),
            },
            language=language,
            entities=[
                CapturedEntity(text.index(word), text.index(word) + len(word), name, word, 0.8)
                for word, name in SLOTS.items()
                if word in text
            ],
        )
        for number, (text, language, sure, best, second) in enumerate(TEXTS)
    ]


def captured(folder: Path) -> Path:
    """Write the messages into a folder as the service does: two files, one of them compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [encode_message(message) for message in messages()]
    (folder / "2026-11-01.jsonl").write_bytes(b"".join(lines[:3]))
    (folder / "2026-11-04.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[2:])))
    return folder
