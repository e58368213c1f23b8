"""Training data of Rasa: NLU in YAML, with slots marked in the text, and in JSON, which Hexabot writes too."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from training.errors import DatasetError
from training.imports.cells import cell
from training.imports.examples import Example, Source, example_of
from training.imports.marks import BrokenMarkError, read_marked

BROKEN_MARK = "slot marked in a way that cannot be read"
NO_EXAMPLE = "line that is no example"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_rasa_yaml(path: Path, text: str) -> Source:
    """Read intents, synonyms, lookup tables and the number of regular expressions from YAML.

    Raises DatasetError, naming the line, if it is not YAML or holds no NLU data.
    """
    source = Source(path, "Rasa NLU YAML")
    for item in _items(path, text, source):
        fields = _fields(item)
        kind = next((kind for kind in ("intent", "synonym", "lookup", "regex") if kind in fields), None)
        if kind is None or not isinstance(fields[kind], yaml.ScalarNode):
            source.notes.append(
                f"Line {item.start_mark.line + 1}: expected intent, synonym, lookup or regex, found {list(fields)}."
            )
            continue
        _take_item(source, kind, str(fields[kind].value), list(_lines(source, fields.get("examples"))))
    return source


def read_rasa_json(path: Path, data: Mapping[str, Any]) -> Source:
    """Read Rasa's JSON; without `rasa_nlu_data` around it, it is Hexabot's, whose offsets JavaScript counted."""
    inner = data.get("rasa_nlu_data", data)
    by_hexabot = inner is data
    source = Source(
        path, "Hexabot's Rasa JSON" if by_hexabot else "Rasa JSON", units="utf-16" if by_hexabot else "characters"
    )
    examples = inner.get("common_examples") if isinstance(inner, Mapping) else None
    if not isinstance(examples, list):
        raise DatasetError(f"{path} has no list of common_examples: export the training data again.")
    for row, record in enumerate(examples, start=1):
        if isinstance(record, Mapping):
            source.examples.append(example_of({"entities": [], **record}, f"{path} example", row))
        else:
            source.dropped.append((f"{path} example", row, "no object", str(record)[:60]))
    for synonym in _objects(source, inner, "entity_synonyms"):
        source.vocabulary.add_synonyms(cell(synonym.get("value")), _words(synonym.get("synonyms")))
    for table in _objects(source, inner, "lookup_tables"):
        if isinstance(table.get("elements"), list):
            source.vocabulary.add_lookup(cell(table.get("name")), _words(table["elements"]))
        else:
            source.notes.append(f"The lookup table {table.get('name')!r} is in another file, which was not read.")
    source.vocabulary.patterns += len(_objects(source, inner, "regex_features"))
    return source


def _take_item(source: Source, kind: str, name: str, lines: list[tuple[int, str]]) -> None:
    """Add an intent's examples, a synonym's words or a lookup table's values, or count regular expressions."""
    match kind:
        case "intent":
            for line, text in lines:
                _take_example(source, name, line, text)
        case "synonym":
            source.vocabulary.add_synonyms(name, [text for _, text in lines])
        case "lookup":
            source.vocabulary.add_lookup(name, [text for _, text in lines])
        case _:
            source.vocabulary.patterns += len(lines)


def _take_example(source: Source, intent: str, line: int, text: str) -> None:
    place = f"{source.path} line"
    try:
        plain, entities, doubt = read_marked(text)
    except BrokenMarkError as error:
        source.dropped.append((place, line, BROKEN_MARK, str(error)[:80]))
        return
    for entity in entities:
        marked = plain[entity.start : entity.end]
        if marked.casefold() != entity.value.casefold():
            source.vocabulary.add_synonyms(entity.value, [marked])
    broken = f"brackets that look like a mark: {doubt}" if doubt else ""
    source.examples.append(Example(place, line, plain, intent, entities=entities, broken=broken))


def _items(path: Path, text: str, source: Source) -> list[yaml.MappingNode]:
    try:
        root = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise DatasetError(f"{path} is not YAML{line}: {error.problem or error}.") from None
    except yaml.YAMLError as error:
        raise DatasetError(f"{path} is not YAML: {error}.") from None
    sections = _fields(root) if isinstance(root, yaml.MappingNode) else {}
    if not isinstance(sections.get("nlu"), yaml.SequenceNode):
        raise DatasetError(f"{path} has no list `nlu:`, found {list(sections) or 'no sections'}: give Rasa's NLU file.")
    if others := [name for name in sections if name not in ("nlu", "version")]:
        source.notes.append(f"The sections {', '.join(others)} are no training data of the NLU.")
    items: list[yaml.MappingNode] = []
    for item in sections["nlu"].value:
        if isinstance(item, yaml.MappingNode):
            items.append(item)
        else:
            source.dropped.append((f"{path} line", item.start_mark.line + 1, NO_EXAMPLE, str(item.value)[:60]))
    return items


def _lines(source: Source, node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Yield the examples under a node with their lines in the file: `- ` lines of a block, or a list."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            inner = _fields(item).get("text") if isinstance(item, yaml.MappingNode) else item
            if isinstance(inner, yaml.ScalarNode):
                yield _first_line(inner), inner.value.strip().removeprefix("- ").strip()
            else:
                source.dropped.append((f"{source.path} line", item.start_mark.line + 1, NO_EXAMPLE, "no text"))
    elif isinstance(node, yaml.ScalarNode):
        for line, text in enumerate(node.value.split("\n"), start=_first_line(node)):
            if text.strip().startswith("-"):
                yield line, text.strip()[1:].strip()
            elif text.strip():
                source.dropped.append((f"{source.path} line", line, NO_EXAMPLE, text.strip()[:60]))


def _first_line(node: yaml.ScalarNode) -> int:
    """Return the line on which a value's first line is: below the `|` of a block."""
    return int(node.start_mark.line) + (2 if node.style in ("|", ">") else 1)


def _fields(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    return {str(key.value): value for key, value in node.value}


def _objects(source: Source, data: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    """Return the objects of a section, which may be absent; note what else is in it."""
    found = data.get(section) or []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        source.notes.append(f"{section} is no list of objects, and was not read.")
        return []
    return found


def _words(found: object) -> list[str]:
    return [cell(word) for word in found] if isinstance(found, list) else []
