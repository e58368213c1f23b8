"""What the real service captures is what a review shows: from a request to the dataset."""

import json
import urllib.request
from pathlib import Path

import pytest

from export.rows import read_rows
from tests.handler.deployment import served
from training.review.captures import read_captures
from training.review.desk import Item, Submission
from training.review.messages import message_desk

BUNDLES = Path(__file__).parents[3] / "examples" / "bundles"
TEXTS = ["book me a flight to New York next friday morning", "أريد حجز غرفة في القاهرة", "zorp 😀 blib", "🙂"]


@pytest.mark.integration
def test_captured_messages_are_reviewed_with_the_services_guesses_and_slots(tmp_path: Path) -> None:
    captured = tmp_path / "captured"
    with served([BUNDLES], "--open", "--capture", str(captured), NLU_CAPTURE_SAMPLE="1", NLU_VERSION="7") as port:
        for text in TEXTS:
            body = json.dumps({"text": text}).encode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/understand", body, {"content-type": "application/json"}
            )
            urllib.request.urlopen(request).close()
    found = read_captures(str(captured))
    assert ([message.text for message in found.messages], found.unreadable) == (TEXTS, [])
    desk = message_desk(found.messages, tmp_path / "reviewed.csv")
    items: dict[str, Item] = {item.text: item for group in desk.state()["groups"] for item in group}
    flight = items[TEXTS[0]]
    assert flight.choices[0].label == "book_flight"
    assert len(flight.choices) == 5
    assert {(mark.name, flight.text[mark.start : mark.end]) for mark in flight.marks or ()} == {
        ("destination", "New York"),
        ("date", "next friday morning"),
    }
    assert items[TEXTS[1]].language == "ar"
    desk.decide([Submission(flight.id, "label", "book_flight", flight.language, flight.marks)])
    desk.close()
    (row,) = read_rows(tmp_path / "reviewed.csv").to_dict("records")
    assert (row["slots"], row["captured_id"]) == (
        "O O O O O B-destination I-destination B-date I-date I-date",
        flight.id,
    )
