"""`ludwig-serverless import` of entities with other tools' keys. Unreadable entities are not tagged as outside."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.imports.command import imported, places, slots, written

TEXT = "book a table for two in Oslo"


def row_of(tmp_path: Path, *entities: object) -> tuple[str, dict[str, Any]]:
    """Import a row with some entities, and return its tags and the report."""
    data = [{"text": TEXT, "intent": "Book", "entities": entities}]
    rows, report = imported(tmp_path, written(tmp_path, "in.json", json.dumps(data)), "--slot", "city")
    return slots(rows)[TEXT], report


@pytest.mark.parametrize(
    "entity",
    [
        {"entity": "city", "startPos": 24, "endPos": 27},
        {"entity": "city", "startPos": 24, "endPos": 27, "children": []},
        {"entity": "city", "startIndex": 24, "endIndex": 27},
        {"entity": "city", "start": 24, "stop": 28},
        {"entity": "city", "startIndex": 24, "stop": 28},
        {"entity": "city", "start_index": 24, "end_index": 28},
        {"category": "city", "offset": 24, "length": 4},
        {"label": "city", "start_offset": 24, "end_offset": 28},
        {"entity": "city", "start": 24, "end": 28, "body": "Oslo", "entities": []},
        {"slot": "city", "start": "24", "end": 28.0, "text": "Oslo"},
        {"entity": "city", "value": "Oslo", "startPos": None, "endPos": "?"},
        {"entity": "city", "value": "Oslo", "start": 24},
    ],
)
def test_offsets_are_read_under_every_common_key(entity: dict[str, Any], tmp_path: Path) -> None:
    assert row_of(tmp_path, entity)[0] == "O O O O O O B-city"


@pytest.mark.parametrize(
    "entity",
    [
        {"entity": "city", "from": 24, "to": 27},
        {"entity": "city"},
        {"entity": "city", "value": None, "start": None, "end": None},
        {"entity": "city", "value": ["Oslo"]},
        {"entity": "city", "start": 24},
        {"entity": "city", "startPos": 99, "endPos": 102},
        {"value": "Oslo", "start": 24, "end": 28},
        "Oslo",
        None,
    ],
)
def test_unreadable_entities_make_the_slots_unknown(entity: object, tmp_path: Path) -> None:
    known = {"entity": "city", "value": "two", "start": 17, "end": 20}
    tags, report = row_of(tmp_path, known, entity)
    assert (tags, report["counts"]["intent"]) == ("", {"Book": 1})
    assert len(places(report, "findings", "entity or tags that cannot") + places(report, "findings", "value not")) == 1
