"""Which vocabulary of entities goes into a bundle."""

import json
from pathlib import Path
from typing import Any

import pytest

from export.entities import copy_entities
from export.errors import ModelError
from handler.vocabulary import FILE, read_entities

CITY = {"name": "city", "values": [{"value": "Paris", "synonyms": ["Lutèce"]}], "keywords": ["Paris"]}


def copied(folder: Path, content: Any) -> str | None:
    (folder / "run").mkdir()
    (folder / "bundle").mkdir()
    if content is not None:
        (folder / "run" / FILE).write_text(content if isinstance(content, str) else json.dumps(content))
    return copy_entities(folder / "run", folder / "bundle")


def test_the_vocabulary_of_a_run_is_copied(tmp_path: Path) -> None:
    assert copied(tmp_path, [CITY]) == FILE
    (entity,) = read_entities(tmp_path / "bundle" / FILE)
    assert (entity.name, entity.values[0].synonyms, entity.keywords) == ("city", ["Lutèce"], ["Paris"])


def test_a_run_without_a_vocabulary_has_none(tmp_path: Path) -> None:
    assert copied(tmp_path, None) is None
    assert list((tmp_path / "bundle").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is broken: Input data was truncated"),
        ([{"name": "city", "colour": 1}], "unknown field `colour`"),
        ([{"name": "zip", "patterns": [{"pattern": "(a)\\1"}]}], "the pattern .* of 'zip': it has a backreference"),
        ([{"name": "zip", "patterns": [{"pattern": "(?=a)"}]}], "is not supported"),
    ],
)
def test_a_vocabulary_that_cannot_be_served_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        copied(tmp_path, content)
    assert list((tmp_path / "bundle").iterdir()) == []
