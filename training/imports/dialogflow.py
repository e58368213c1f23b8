"""Exports of Dialogflow ES: a folder or a zip with `intents/NAME_usersays_LANGUAGE.json`, or such files alone."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from export.cells import cell
from training.errors import DatasetError
from training.imports.examples import Source, example_of
from training.imports.parts import joined

USERSAYS = re.compile(r"(?:.*/)?(?P<intent>[^/]+)_usersays_(?P<language>[A-Za-z-]+)\.json")
ENTRIES = re.compile(r"(?:.*/)?entities/(?P<entity>[^/]+)_entries_[A-Za-z-]+\.json")
IGNORED = "@sys.ignore"
TEMPLATE = "template of Dialogflow, not a text"
NO_PARTS = "no list of parts under `data`"
KIND = "Dialogflow export"


def is_usersays(data: Any) -> bool:
    """Tell whether JSON is the list of an intent's training phrases."""
    return (
        isinstance(data, list)
        and bool(data)
        and all(isinstance(each, Mapping) and isinstance(each.get("data"), list) for each in data)
    )


def read_usersays(path: Path, data: list[Any]) -> Source:
    """Read the training phrases of one intent, which the name of the file names.

    Args:
        path: `NAME_usersays_LANGUAGE.json`.
        data: What it holds.

    Returns:
        The examples.
    """
    source = Source(path, KIND)
    match = USERSAYS.fullmatch(path.name)
    if match is None:
        source.notes.append("Its name is not NAME_usersays_LANGUAGE.json, so its examples have no intent.")
    _take_phrases(source, str(path), match["intent"] if match else "", match["language"] if match else "", data)
    return source


def read_agent(path: Path) -> Source:
    """Read a folder or a zip that Dialogflow exported.

    Args:
        path: The folder or the zip.

    Returns:
        The examples of all intents; the entries of entities are synonyms and lookup tables.

    Raises:
        DatasetError: If it cannot be read, or has no training phrases.
    """
    source, files = Source(path, KIND), dict(_json_files(path))
    for name, data in files.items():
        if (match := USERSAYS.fullmatch(name)) and isinstance(data, list):
            described = files.get(name.replace(f"_usersays_{match['language']}.json", ".json"))
            intent = cell(described.get("name")) if isinstance(described, Mapping) else ""
            _take_phrases(source, f"{path}/{name}", intent or match["intent"], match["language"], data)
        elif (match := ENTRIES.fullmatch(name)) and isinstance(data, list):
            for entry in (entry for entry in data if isinstance(entry, Mapping)):
                value, words = cell(entry.get("value")), [cell(word) for word in entry.get("synonyms") or ()]
                source.vocabulary.add_synonyms(value, [word for word in words if word != value])
                source.vocabulary.add_lookup(match["entity"], [value, *words])
    if not source.examples and not source.dropped:
        raise DatasetError(
            f"{path} holds no intents/NAME_usersays_LANGUAGE.json of Dialogflow: for other data give its files, as in "
            f"{path}/*.yml."
        )
    return source


def _take_phrases(source: Source, place: str, intent: str, language: str, phrases: list[Any]) -> None:
    """Add the training phrases of an intent."""
    for row, phrase in enumerate(phrases, start=1):
        parts = phrase.get("data") if isinstance(phrase, Mapping) else None
        if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
            source.dropped.append((f"{place} phrase", row, NO_PARTS, str(phrase)[:60]))
            continue
        record = {**joined(parts, _name), "intent": intent, "language": cell(phrase.get("lang")) or language}
        if phrase.get("isTemplate"):
            source.dropped.append((f"{place} phrase", row, TEMPLATE, record["text"]))
        else:
            source.examples.append(example_of(record, f"{place} phrase", row))


def _name(part: Mapping[str, Any]) -> str:
    """Return the name of the parameter that a part is the value of, or else of its type; "" for plain text."""
    meta = cell(part.get("meta"))
    return "" if meta == IGNORED else cell(part.get("alias")) or meta.removeprefix("@")


def _json_files(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the names and contents of an export's JSON files, in the order of their names."""
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield file.relative_to(path).as_posix(), json.loads(file.read_bytes())
            return
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".json") and not name.startswith("__MACOSX"):
                    yield name, json.loads(archive.read(name))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DatasetError(f"{path} is not a zip that can be read: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} holds a file that is not JSON: {error}.") from None
