"""Rasa's training data: YAML with slots marked in the text, and JSON, which Hexabot writes too."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from export.cells import cell
from handler.vocabulary import Pattern
from training.errors import DatasetError
from training.imports.examples import Example, SourceFile, example_of
from training.imports.fields import PlainValues
from training.imports.marks import BrokenMarkError, read_marked
from training.imports.nested import words_in
from training.yaml_files import compose_documents

BROKEN_MARK = "slot marked in a way that cannot be read"
NO_EXAMPLE = "line that is not an example"
NULL = "tag:yaml.org,2002:null"
OTHER_SECTIONS = re.compile(
    "stories|rules|intents|entities|slots|responses|actions|forms|e2e_actions|session_config|pipeline|policies|recipe|"
    "language|assistant_id|action_endpoint|tracker_store|event_broker|lock_store|models|nlg|flows|test_cases"
)
"""Sections of Rasa files other than NLU data: stories, rules, the domain, the configuration, flows."""


class Line(NamedTuple):
    """An example in a YAML file.

    Attributes:
        number: Its line, starting at 1.
        text: Its text, with marks.
        language: Its language; "" if the file has none.
    """

    number: int
    text: str
    language: str


def read_rasa_yaml(path: Path, text: str) -> SourceFile:
    """Read intents, synonyms, lookup tables and the number of regular expressions from YAML.

    All documents of a file are read. For files of stories, rules or a domain, the source has no examples and a note.

    Args:
        path: The file, for messages.
        text: The content of the file.

    Returns:
        The examples, each with its line, and the vocabulary.

    Raises:
        DatasetError: The file is not YAML, repeats a key, or is not a Rasa file. The message names the line.
    """
    source = SourceFile(path, "Rasa NLU YAML")
    for item in _items(path, text, source):
        fields = _fields(item)
        kind = next((kind for kind in ("intent", "synonym", "lookup", "regex") if kind in fields), None)
        if kind is None or not isinstance(fields[kind], yaml.ScalarNode):
            source.notes.append(
                f"Line {item.start_mark.line + 1}: expected intent, synonym, lookup or regex, found {list(fields)}."
            )
            continue
        lines = list(_lines(source, fields.get("examples"), _language(fields)))
        if not lines:
            source.notes.append(f"Line {item.start_mark.line + 1}: the {kind} {fields[kind].value!r} has no examples.")
        _take_item(source, kind, str(fields[kind].value), lines)
    return source


def is_rasa_json(data: Any) -> bool:
    """Return whether JSON is Rasa JSON or Hexabot's Rasa JSON. A file may have only synonyms or lookup tables."""
    return isinstance(data, Mapping) and ("rasa_nlu_data" in data or "common_examples" in data)


def read_rasa_json(path: Path, data: Mapping[str, Any]) -> SourceFile:
    """Read Rasa's JSON. Without the key `rasa_nlu_data`, it is Hexabot's, with UTF-16 offsets.

    Args:
        path: The file, for messages.
        data: The content of the file.

    Returns:
        The examples and the vocabulary.

    Raises:
        DatasetError: The file has no list of examples.
    """
    inner = data.get("rasa_nlu_data", data)
    by_hexabot = inner is data
    source = SourceFile(
        path, "Hexabot's Rasa JSON" if by_hexabot else "Rasa JSON", units="utf-16" if by_hexabot else "characters"
    )
    examples = inner.get("common_examples", []) if isinstance(inner, Mapping) else None
    if not isinstance(examples, list):
        raise DatasetError(f"{path} has no list of common_examples: export the training data again.")
    values = PlainValues()
    for row, record in enumerate(examples, start=1):
        if isinstance(record, Mapping):
            read = values.of({"entities": [], **record}, row)
            source.examples.append(example_of(read, f"{path} example", row))
        else:
            source.dropped.append((f"{path} example", row, "not an object", str(record)[:60]))
    source.notes += values.notes("example")
    for synonym in _objects(source, inner, "entity_synonyms"):
        source.vocabulary.add_synonyms(cell(synonym.get("value")), words_in(synonym.get("synonyms")))
    for table in _objects(source, inner, "lookup_tables"):
        if isinstance(table.get("elements"), list):
            source.vocabulary.add_lookup(cell(table.get("name")), words_in(table["elements"]))
        else:
            source.notes.append(f"The lookup table {table.get('name')!r} is in another file, which was not read.")
    for feature in _objects(source, inner, "regex_features"):
        if pattern := cell(feature.get("pattern")):
            source.vocabulary.add_pattern(cell(feature.get("name")), Pattern(pattern=pattern, whole_words=True))
    return source


def _take_item(source: SourceFile, kind: str, name: str, lines: list[Line]) -> None:
    """Add an intent's examples, a synonym's words or a lookup table's values, or count regular expressions."""
    match kind:
        case "intent":
            for line in lines:
                _take_example(source, name, line)
        case "synonym":
            source.vocabulary.add_synonyms(name, [line.text for line in lines])
        case "lookup":
            source.vocabulary.add_lookup(name, [line.text for line in lines])
        case _:
            for line in lines:
                source.vocabulary.add_pattern(name, Pattern(pattern=line.text, whole_words=True))


def _take_example(source: SourceFile, intent: str, line: Line) -> None:
    place = f"{source.path} line"
    try:
        plain, entities, doubt = read_marked(line.text)
    except BrokenMarkError as error:
        source.dropped.append((place, line.number, BROKEN_MARK, str(error)[:80]))
        return
    for entity in entities:
        marked = plain[entity.start : entity.end]
        if marked.casefold() != entity.value.casefold():
            source.vocabulary.add_synonyms(entity.value, [marked])
            source.vocabulary.add_marked(entity.name, entity.value, marked)
    broken = f"brackets that look like a mark: {doubt}" if doubt else ""
    source.examples.append(Example(place, line.number, plain, intent, line.language, entities=entities, broken=broken))


def _items(path: Path, text: str, source: SourceFile) -> list[yaml.MappingNode]:
    """Return the entries of all `nlu:` lists. Add a note about other content."""
    try:
        documents = compose_documents(text)
    except ValueError as error:
        raise DatasetError(f"{path} {error}.") from None
    sections = [(name, node) for document in documents for name, node in _pairs(document)]
    lists = [node for name, node in sections if name == "nlu"]
    others = [name for name, _ in sections if name not in ("nlu", "version")]
    if not lists and not any(map(OTHER_SECTIONS.fullmatch, others)):
        raise DatasetError(f"{path} has no list `nlu:`, found {others or 'no sections'}: pass Rasa's NLU file.")
    if not lists:
        source.notes.append(f"It has no NLU data, only {', '.join(others)}: skipped.")
    elif others:
        source.notes.append(f"The sections {', '.join(others)} have no NLU data: skipped.")
    items: list[yaml.MappingNode] = []
    for node in lists:
        items += _mappings(source, node)
    return items


def _mappings(source: SourceFile, node: yaml.Node) -> list[yaml.MappingNode]:
    """Return the entries of one `nlu:` list. An empty list gets a note; other kinds of entries are dropped."""
    line = node.start_mark.line + 1
    if (isinstance(node, yaml.ScalarNode) and node.tag == NULL) or node.value == []:
        source.notes.append(f"The section `nlu:` at line {line} is empty.")
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise DatasetError(f"{source.path} has no list under `nlu:` at line {line}: pass Rasa's NLU file.")
    for item in node.value:
        if not isinstance(item, yaml.MappingNode):
            place = (f"{source.path} line", item.start_mark.line + 1)
            source.dropped.append((*place, NO_EXAMPLE, str(item.value)[:60]))
    return [item for item in node.value if isinstance(item, yaml.MappingNode)]


def _lines(source: SourceFile, node: yaml.Node | None, language: str) -> Iterator[Line]:
    """Yield the examples under a node with their lines in the file: `- ` lines of a block, or a list."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            fields = _fields(item)
            inner = fields.get("text") if fields else item
            if isinstance(inner, yaml.ScalarNode):
                text = inner.value.strip().removeprefix("- ").strip()
                yield Line(_first_line(inner), text, _language(fields) or language)
            else:
                source.dropped.append((f"{source.path} line", item.start_mark.line + 1, NO_EXAMPLE, "no text"))
    elif isinstance(node, yaml.ScalarNode):
        for number, text in enumerate(node.value.split("\n"), start=_first_line(node)):
            if text.strip().startswith("-"):
                yield Line(number, text.strip()[1:].strip(), language)
            elif text.strip():
                source.dropped.append((f"{source.path} line", number, NO_EXAMPLE, text.strip()[:60]))


def _language(fields: Mapping[str, yaml.Node]) -> str:
    """Return the language in the metadata of an intent or example; "" if there is none."""
    language = dict(_pairs(fields["metadata"])).get("language") if "metadata" in fields else None
    return language.value.strip() if isinstance(language, yaml.ScalarNode) else ""


def _first_line(node: yaml.ScalarNode) -> int:
    """Return the line number of a value's first line, which is below the `|` of a block."""
    return int(node.start_mark.line) + (2 if node.style in ("|", ">") else 1)


def _fields(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    return dict(_pairs(node))


def _pairs(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    """Return the keys and values of a mapping; an empty list for other nodes."""
    return [(str(key.value), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _objects(source: SourceFile, data: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    """Return the objects of an optional section. Add a note about other content."""
    found = data.get(section) or []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        source.notes.append(f"{section} is not a list of objects and was not read.")
        return []
    return found
