"""The manifest's format: strict in every part, and unchanged unless its version changes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handler.bundle import MANIFEST, SCHEMA_VERSION, Manifest, read_bundle
from handler.errors import BundleError
from tests.bundles import INTENT, edit_manifest, write_bundle

FORMATS = {3: "a7c6d278eba6767e"}
"""A digest of the format, by the version that the handler reads."""


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object with named fields in a JSON schema."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from parts(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from parts(inner)


def without_prose(schema: Any) -> Any:
    """Return a JSON schema without its docstrings."""
    if isinstance(schema, dict):
        kept = {name: inner for name, inner in schema.items() if not isinstance(inner, str) or name != "description"}
        return {name: without_prose(inner) for name, inner in kept.items()}
    return [without_prose(inner) for inner in schema] if isinstance(schema, list) else schema


def objects(content: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every object in a JSON value."""
    if isinstance(content, dict):
        yield place
    for key, inner in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(inner, dict | list):
            yield from objects(inner, (*place, key))


def test_the_format_changes_only_with_its_version() -> None:
    schema = msgspec.json.encode(without_prose(msgspec.json.schema(Manifest)), order="sorted")
    assert {SCHEMA_VERSION: hashlib.sha256(schema).hexdigest()[:16]} == FORMATS, (
        "The manifest's format changed. Raise SCHEMA_VERSION, unless it is already above the last release's, and run "
        "`make bundles`. Then write the version and its digest into FORMATS. ARCHITECTURE.md (The bundle) has the rule."
    )


def test_every_part_of_a_manifest_refuses_unknown_fields() -> None:
    found = list(parts(msgspec.json.schema(Manifest)))
    assert len(found) > 30
    assert [part["title"] for part in found if part.get("additionalProperties") is not False] == []


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    """An older handler read a bundle with affixes without an error, and answered wrong tags."""
    bundle = write_bundle(tmp_path / "intent", INTENT)
    content = msgspec.json.decode((bundle / MANIFEST).read_bytes())
    free = {("files",), ("inputs", 0, "fill_value")}
    tried = [place for place in objects(content) if place not in free]
    assert ("inputs", 0, "tokenizer") in tried
    for place in tried:
        changed = msgspec.json.decode((bundle / MANIFEST).read_bytes())
        part = changed
        for key in place:
            part = part[key]
        part["prefixes"] = [2, 4]
        edit_manifest(bundle, **changed)
        with pytest.raises(
            BundleError, match=r"unknown field `prefixes`.* Export the model again with the same version"
        ):
            read_bundle(bundle)
        edit_manifest(bundle, **{**content, **({} if place else {"prefixes": None})})
    assert read_bundle(bundle).name == "intent"
