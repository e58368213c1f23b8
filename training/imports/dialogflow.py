"""Dialogflow exports: a folder or zip from ES (or api.ai) or CX, or single ES files of training phrases."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from export.cells import cell
from training.errors import DatasetError
from training.imports.examples import SourceFile, example_of
from training.imports.nested import take_values
from training.imports.parts import joined

USERSAYS = re.compile(r"(?:.*/)?(?P<intent>[^/]+)_usersays_(?P<language>[A-Za-z-]+)\.json")
CX_PHRASES = re.compile(r"(?:.*/)?intents/(?P<intent>[^/]+)/trainingPhrases/(?P<language>[A-Za-z-]+)\.json")
OLD_INTENT = re.compile(r"(?:.*/)?intents/(?P<intent>[^/]+)\.json")
"""An intent file. Only api.ai stores training phrases in it; Dialogflow does not."""
ENTITY = re.compile(
    r"(?:.*/)?(?:entities/(?P<es>[^/]+?)(?:_entries_[A-Za-z-]+)?|entityTypes/(?P<cx>[^/]+)/entities/[A-Za-z-]+)\.json"
)
IGNORED = "@sys.ignore"
TEMPLATE = "template of Dialogflow, not a text"
NO_PARTS = "phrase without a list of parts"
KIND = "Dialogflow export"


class Phrases(NamedTuple):
    """Training phrases of one intent in one language.

    Attributes:
        intent: Name of the intent.
        language: The language; "" if the file does not name it.
        phrases: The phrases, as in the file.
    """

    intent: str
    language: str
    phrases: list[Any]


def is_usersays(data: Any) -> bool:
    """Return whether JSON is the list of an intent's training phrases."""
    return (
        isinstance(data, list)
        and bool(data)
        and all(isinstance(each, Mapping) and isinstance(each.get("data"), list) for each in data)
    )


def read_usersays(path: Path, data: list[Any]) -> SourceFile:
    """Read the training phrases of one intent. The file name has the name of the intent.

    Args:
        path: `NAME_usersays_LANGUAGE.json`.
        data: The content of the file.

    Returns:
        The examples.
    """
    source, match = SourceFile(path, KIND), USERSAYS.fullmatch(path.name)
    if match is None:
        source.notes.append("The file name is not NAME_usersays_LANGUAGE.json, so the examples have no intent.")
    intent, language = (match["intent"], match["language"]) if match else ("", "")
    _take_phrases(source, str(path), Phrases(intent, language, data))
    return source


def read_agent(path: Path) -> SourceFile:
    """Read a Dialogflow export.

    Args:
        path: The folder or the zip.

    Returns:
        The examples of all intents; the entries of entities are synonyms and lookup tables.

    Raises:
        DatasetError: The export cannot be read, or has no training phrases.
    """
    source, files = SourceFile(path, KIND), dict(_json_files(path))
    for name, data in files.items():
        if found := _phrases_in(name, data, files):
            _take_phrases(source, f"{path}/{name}", found)
        elif match := ENTITY.fullmatch(name):
            entries = data if isinstance(data, Mapping) else {"entries": data}
            section = "entities" if "entities" in entries else "entries"
            take_values(source.vocabulary, match["es"] or match["cx"], entries, section)
    if not source.examples and not source.dropped:
        raise DatasetError(
            f"{path} has no Dialogflow training phrases such as intents/NAME_usersays_en.json. For other data, pass "
            f"the files, such as {path}/*.yml."
        )
    return source


def _phrases_in(name: str, data: Any, files: Mapping[str, Any]) -> Phrases | None:
    """Return the training phrases in a file of an export, or None if it is another kind of file."""
    if (match := USERSAYS.fullmatch(name)) and isinstance(data, list):
        described = files.get(name.replace(f"_usersays_{match['language']}.json", ".json"))
        intent = cell(described.get("name")) if isinstance(described, Mapping) else ""
        return Phrases(intent or match["intent"], match["language"], data)
    if not isinstance(data, Mapping):
        return None
    if (match := CX_PHRASES.fullmatch(name)) and isinstance(data.get("trainingPhrases"), list):
        return Phrases(match["intent"], match["language"], data["trainingPhrases"])
    if (match := OLD_INTENT.fullmatch(name)) and isinstance(data.get("userSays"), list):
        return Phrases(cell(data.get("name")) or match["intent"], "", data["userSays"])
    return None


def _take_phrases(source: SourceFile, place: str, found: Phrases) -> None:
    """Add the training phrases of an intent."""
    for row, phrase in enumerate(found.phrases, start=1):
        parts = phrase.get("data", phrase.get("parts")) if isinstance(phrase, Mapping) else None
        if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
            source.dropped.append((f"{place} phrase", row, NO_PARTS, str(phrase)[:60]))
            continue
        language = cell(phrase.get("lang")) or cell(phrase.get("languageCode")) or found.language
        record = {**joined(parts, _name), "intent": found.intent, "language": language}
        if phrase.get("isTemplate"):
            source.dropped.append((f"{place} phrase", row, TEMPLATE, record["text"]))
        else:
            source.examples.append(example_of(record, f"{place} phrase", row))


def _name(part: Mapping[str, Any]) -> str:
    """Return the parameter name of a part, or else its entity type; "" for plain text."""
    meta = cell(part.get("meta"))
    if meta == IGNORED:
        return ""
    return cell(part.get("alias")) or cell(part.get("parameterId")) or meta.removeprefix("@")


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
        raise DatasetError(f"{path} is not a readable zip file: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} contains a file that is not JSON: {error}.") from None
