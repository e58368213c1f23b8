"""Answer the calls of Hexabot v2's TensorFlow helper and of its older core helper: /parse, /evaluate and /train.

They send Rasa's requests of long ago. The helpers pass entities on as they get them, so that exact offsets, main values
of synonyms and further traits arrive in Hexabot unchanged.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from handler.entities import Entity
from handler.errors import PayloadTooLargeError, RequestError
from handler.hexabot import TEXT, Fields, Outcome
from handler.understanding import INTENT, Understander
from handler.unsure import LANGUAGE

NO_TRAINING = (
    "This service answers and does not train: export the samples from Hexabot, run `ludwig-serverless train "
    "nlpsample.json --output bundles`, and deploy the bundles."
)
"""Sent with an error status: Hexabot marks its samples as trained after a success."""
SHAPE = 'a dataset such as {"common_examples": [{"text": "hello", "intent": "greeting", "entities": []}]}'
WRONG_ROWS = 100
"""The most wrong rows that an evaluation lists."""


class Expected(msgspec.Struct, frozen=True):
    """An entity of an example. Traits and values that Hexabot did not locate have no offsets."""

    entity: str
    value: str
    start: int | None = None
    end: int | None = None


class Example(msgspec.Struct, frozen=True):
    """A sample, as the helpers write it."""

    text: str
    intent: str
    entities: list[Expected] = msgspec.field(default_factory=list)


class Dataset(msgspec.Struct, frozen=True):
    """The samples to evaluate."""

    common_examples: list[Example]


def parse(understander: Understander, fields: Fields) -> Outcome:
    """Answer a text in the helpers' format.

    Args:
        understander: Makes the compact answer.
        fields: `q`, the text; `project` and other fields are ignored.

    Returns:
        An outcome with text, intent, language, intent_ranking and entities. An intent or a language that is unsure is
        left out: the helpers would pass it on, whatever its confidence. The value of an entity is its main value.

    Raises:
        RequestError: `q` is missing or not a text.
    """
    if "q" not in fields:
        raise RequestError("The field 'q' is missing: send the message as a JSON key or a form field.")
    outcome = understander.understand({TEXT: fields["q"]})
    outcome.answer = parsed(outcome.answer)
    return outcome


def parsed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a compact answer in the helpers' format."""
    answer: dict[str, Any] = {TEXT: found[TEXT]}
    if found[INTENT]["name"] is not None:
        answer[INTENT] = {key: found[INTENT][key] for key in ("name", "confidence")}
    if found[LANGUAGE]["confidence"] > 0:
        answer[LANGUAGE] = {"name": found[LANGUAGE]["value"], "confidence": found[LANGUAGE]["confidence"]}
    answer["intent_ranking"] = found[INTENT]["ranking"]
    answer["entities"] = [*map(_entity, found["entities"]), *_traits(found["traits"])]
    return answer


def evaluate(understander: Understander, fields: Fields, max_rows: int) -> Outcome:
    """Compare the answers to a dataset with its labels.

    Args:
        understander: Makes the compact answer.
        fields: The dataset, in Rasa's old JSON format.
        max_rows: The most samples that one request may have.

    Returns:
        An outcome with, for the intent and each other label, the number of samples, of right answers and the accuracy;
        for entities precision, recall and F1; and the samples with a wrong answer.

    Raises:
        PayloadTooLargeError: There are too many samples, or one is too long.
        RequestError: The body is not a dataset.
    """
    try:
        examples = msgspec.convert(fields, Dataset).common_examples
    except msgspec.ValidationError as error:
        raise RequestError(f"The body is not {SHAPE}: {error}.") from None
    if len(examples) > max_rows:
        raise PayloadTooLargeError(
            f"The dataset has {len(examples)} samples, and the limit is {max_rows}: run `ludwig-serverless evaluate`."
        )
    total = Outcome()
    labels: dict[str, list[bool]] = {}
    entities = {"expected": 0, "found": 0, "right": 0}
    wrong = []
    for example in examples:
        outcome = understander.understand({TEXT: example.text})
        _add_times(total, outcome)
        expected, found = _labels_of(example), _answered(outcome.answer)
        located = {(each.entity, each.start, each.end) for each in example.entities if each.start is not None}
        tagged = {(each.entity, each.start, each.end) for each in outcome.answer["entities"]}
        for name, label in expected.items():
            labels.setdefault(name, []).append(found.get(name) == label)
        entities["expected"] += len(located)
        entities["found"] += len(tagged)
        entities["right"] += len(located & tagged)
        if tagged != located or any(found.get(name) != label for name, label in expected.items()):
            wrong.append({"sample": example, "answer": parsed(outcome.answer)})
    total.answer = {
        "samples": len(examples),
        "labels": {
            name: {"samples": len(right), "right": sum(right), "accuracy": sum(right) / len(right)}
            for name, right in labels.items()
        },
        "entities": entities | _scores(**entities),
        "wrong": wrong[:WRONG_ROWS],
    }
    return total


def _entity(entity: Entity) -> dict[str, Any]:
    return {
        "entity": entity.entity,
        "value": entity.canonical_value,
        "canonicalValue": entity.canonical_value,
        "start": entity.start,
        "end": entity.end,
        "confidence": entity.confidence,
    }


def _traits(traits: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield traits as entities without offsets: the helpers read no others."""
    for name, trait in traits.items():
        if isinstance(trait["value"], str):
            yield {"entity": name, "value": trait["value"], "confidence": trait["confidence"]}


def _labels_of(example: Example) -> dict[str, str]:
    traits = {each.entity: each.value for each in example.entities if each.start is None and each.value}
    return {INTENT: example.intent} | traits


def _answered(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels of an answer, by name; values that were found in the text count for samples without offsets."""
    entities = {entity.entity: entity.canonical_value for entity in answer["entities"]}
    traits = {name: trait["value"] for name, trait in answer["traits"].items()}
    return entities | traits | {INTENT: answer[INTENT]["name"], LANGUAGE: answer[LANGUAGE]["value"]}


def _add_times(total: Outcome, one: Outcome) -> None:
    for name, milliseconds in one.milliseconds.items():
        total.milliseconds[name] = round(total.milliseconds.get(name, 0.0) + milliseconds, 3)
    total.failed = sorted({*total.failed, *one.failed})
    total.refused = sorted({*total.refused, *one.refused})


def _scores(expected: int, found: int, right: int) -> dict[str, float]:
    """Return precision, recall and F1; 1.0 where there is nothing to find or to get wrong."""
    precision, recall = (right / count if count else 1.0 for count in (found, expected))
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    }
