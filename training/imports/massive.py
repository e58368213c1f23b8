"""Records of MASSIVE, Amazon's dataset in 51 languages, with slots such as `[time : nine am]` in `annot_utt`."""

import re
from collections.abc import Mapping
from typing import Any

ANNOTATED = "annot_utt"
MARK = re.compile(r"\[(?P<name>[^:\[\]]+):(?P<value>[^\[\]]+)\]")
NAMES = {"utt": "text", "locale": "language", "partition": "split"}
BOOKKEEPING = ("id", "worker_id", "slot_method", "judgments", ANNOTATED)


def plain_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a MASSIVE record with the column names of a dataset.

    Args:
        record: A line of the file, with `annot_utt`.

    Returns:
        The record with `text`, `entities`, `language` and `split`; entities have no offsets if the marked text
        differs from the utterance.
    """
    plain = {NAMES.get(name, name): value for name, value in record.items() if name not in BOOKKEEPING}
    marked = record[ANNOTATED]
    if not isinstance(marked, str):
        return plain
    text, entities, position = "", [], 0
    for match in MARK.finditer(marked):
        name, value = match["name"].strip(), match["value"].strip()
        if not name or not value:
            continue  # not a mark: it stays in the text
        text += marked[position : match.start()]
        entity = {"entity": name, "value": value, "start": len(text)}
        text, position = text + value, match.end()
        entities.append({**entity, "end": len(text)})
    text += marked[position:]
    if plain.setdefault("text", text) != text:
        entities = [{key: entity[key] for key in ("entity", "value")} for entity in entities]
    return {**plain, "entities": entities}
