"""Read files of any format, recognized by extension, and JSON by content."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from export.encodings import read_text
from export.tables import (
    ENDINGS,
    JSON_ENDINGS,
    TEXT_COLUMNS,
    described,
    json_table,
    read_json,
    read_table,
    records_in,
)
from training.errors import DatasetError
from training.imports import clinc, conll, dialogflow, hexabot, intent_lists, luis, rasa, snips
from training.imports.examples import ImportedVocabulary, SourceFile
from training.imports.tables import NAMES, Columns, table_source

YAML_ENDINGS = (".yml", ".yaml")
CONLL_ENDINGS = (".conll", ".iob", ".iob2", ".bio", ".txt")
NO_OFFSETS = (
    "The slots have no offsets: if Hexabot's Ludwig helper wrote them, adjacent slots with one name are merged, and "
    "values without offsets are missing. Choose tensorflow-nlu-helper as Hexabot's Default NLU Helper and export again."
)
CONVERSIONS = {
    ".md": "Rasa's Markdown is not supported: convert it with "
    "`rasa data convert nlu -f yaml --data {path} --out nlu.yml`, and import nlu.yml.",
    ".lu": "LUIS's .lu is not supported: convert it with "
    "`bf luis:convert --in {path} --out luis.json`, and import luis.json.",
    ".xlsx": "Spreadsheets are not supported: save it as CSV.",
    ".xls": "Spreadsheets are not supported: save it as CSV.",
    ".ods": "Spreadsheets are not supported: save it as CSV.",
}
JSON_LINES = (
    'Any other data can be imported as JSON Lines, one object per line: {"text": "fly to Oslo", "intent": "fly", '
    '"entities": [{"entity": "city", "start": 7, "end": 11}]}; `end` is the position after the last character.'
)


class JsonFormat(NamedTuple):
    """A JSON format.

    Attributes:
        recognizes: Returns whether parsed JSON has this format.
        read: Reads the path's parsed JSON.
    """

    recognizes: Callable[[Any], bool]
    read: Callable[[Path, Any], SourceFile]


JSON_FORMATS = (
    JsonFormat(hexabot.is_entity_list, hexabot.read_entity_list),
    JsonFormat(rasa.is_rasa_json, rasa.read_rasa_json),
    JsonFormat(luis.is_luis, luis.read_luis),
    JsonFormat(snips.is_snips, snips.read_snips),
    JsonFormat(dialogflow.is_usersays, dialogflow.read_usersays),
    JsonFormat(clinc.is_clinc, clinc.read_clinc),
    JsonFormat(intent_lists.is_intent_list, intent_lists.read_intent_list),
)


def read_source(path: Path, columns: Columns, *, header: bool = True) -> SourceFile:
    """Read a file, or the folder of a Dialogflow export.

    Args:
        path: Training data in any supported format.
        columns: The dataset's column name, by the file's column name.
        header: Whether the first line of a CSV names its columns.

    Returns:
        The examples and the vocabulary. For a file with neither, the source has a note.

    Raises:
        DatasetError: The format is unknown, or does not match the content.
        RowsError: The file is missing or broken.
    """
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".zip":
        source = dialogflow.read_agent(path)
    elif suffix in YAML_ENDINGS or suffix in CONLL_ENDINGS:
        source = _read_lines(path)
    elif suffix in JSON_ENDINGS:
        source = _read_json(path, columns)
    elif suffix in ENDINGS:
        known = NAMES | {name.casefold() for name in columns}
        table = read_table(path, known, header=header)
        source = table_source(table, SourceFile(path, table.kind), columns)
    else:
        raise DatasetError(f"{path} has the extension {path.suffix!r}. {_conversion(path)}")
    if not (source.examples or source.dropped or source.notes or source.vocabulary != ImportedVocabulary()):
        source.notes.append("It has no rows.")
    return source


def _conversion(path: Path) -> str:
    """Return how to import a file with an unknown extension."""
    endings = ", ".join((*ENDINGS, *YAML_ENDINGS, *CONLL_ENDINGS, ".zip"))
    conversion = CONVERSIONS.get(path.suffix.lower(), f"Expected one of {endings}.")
    return f"{conversion.format(path=path)} {JSON_LINES}"


def _read_lines(path: Path) -> SourceFile:
    """Read a file whose lines matter: Rasa's YAML, or CoNLL."""
    try:
        text, note = read_text(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from None
    if path.suffix.lower() in YAML_ENDINGS:
        source = rasa.read_rasa_yaml(path, text)
    elif conll.is_conll(text) or path.suffix.lower() != ".txt":
        source = conll.read_conll(path, text)
    else:
        raise DatasetError(f"{path} is not in CoNLL format with a word and its tag per line. {JSON_LINES}")
    if note:
        source.notes.insert(0, note)
    return source


def _read_json(path: Path, columns: Columns) -> SourceFile:
    content = read_json(path)
    for form in JSON_FORMATS:
        if content.lines is None and form.recognizes(content.data):
            source = form.read(path, content.data)
            source.notes[:0] = content.notes
            return source
    content = replace(content, data=records_in(content.data, (*TEXT_COLUMNS, *columns)) or content.data)
    if not isinstance(content.data, list):
        raise DatasetError(
            f"{path} is {described(content.data)}; expected a list of objects (Hexabot's export), or an export of "
            f"Rasa, LUIS, Dialogflow or Snips. {JSON_LINES}"
        )
    table = json_table(path, content)
    if content.lines:
        return table_source(table, SourceFile(path, "JSON Lines"), columns)
    hexabot = SourceFile(path, "JSON, as Hexabot exports it", units="utf-16", rewritten_tags=True)
    source = table_source(table, hexabot, columns)
    if any(example.tags for example in source.examples):
        source.notes.append(NO_OFFSETS)
    return source
