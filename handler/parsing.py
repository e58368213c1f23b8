"""Answer the requests of Hexabot v2's TensorFlow helper and its older core helper: /parse, /evaluate and /train.

The helpers use the format of old Rasa versions. They pass on entities unchanged, so exact offsets, main values of
synonyms and additional traits reach Hexabot.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from handler.entities import Entity
from handler.errors import PayloadTooLargeError, RequestError
from handler.hexabot import TEXT, Fields, Outcome
from handler.text_labels import INTENT
from handler.understanding import Understander
from handler.unsure import LANGUAGE

if TYPE_CHECKING:
    from handler.answer_types import (
        EntityScore,
        Evaluation,
        Parsed,
        ParsedEntity,
        SureLabels,
        Trait,
        Understood,
        WrongSample,
    )

NO_TRAINING = (
    "This service does not train models: export the samples from Hexabot, run `ludwig-serverless train nlpsample.json "
    "--output bundles`, and deploy the bundles."
)
"""Sent with an error status, because Hexabot would mark its samples as trained after a success."""
SHAPE = 'a dataset such as {"common_examples": [{"text": "hello", "intent": "greeting", "entities": []}]}'
WRONG_ROWS = 100
"""The most wrong rows that an evaluation lists."""


class ExpectedEntity(msgspec.Struct, frozen=True):
    """An expected entity of an example. Traits, and values that Hexabot did not find in the text, have no offsets.

    Attributes:
        entity: The kind of the value, or the name of the trait.
        value: The value.
        start: Offset of the first character, in UTF-16 code units.
        end: Offset after the last character, in UTF-16 code units.
    """

    entity: str
    value: str
    start: int | None = None
    end: int | None = None


class Sample(msgspec.Struct, frozen=True):
    """A labeled sample in the helpers' format.

    Attributes:
        text: The message.
        intent: Its intent.
        entities: Its entities and traits.
    """

    text: str
    intent: str
    entities: list[ExpectedEntity] = msgspec.field(default_factory=list)


class Dataset(msgspec.Struct, frozen=True):
    """The samples to evaluate.

    Attributes:
        common_examples: The samples.
    """

    common_examples: list[Sample]


def parse(understander: Understander, fields: Fields) -> Outcome:
    """Answer a text in the helpers' format.

    Args:
        understander: Builds the compact answer.
        fields: `q`, the text. `project` and other fields are ignored.

    Returns:
        An outcome with text, intent, language, intent_ranking and entities. An unsure intent or language is left out,
        because the helpers ignore confidences. The value of an entity is its main value.

    Raises:
        RequestError: `q` is missing or not a string.
    """
    if "q" not in fields:
        raise RequestError("The field 'q' is missing: send the message as a JSON key or a form field.")
    outcome = understander.understand({TEXT: fields["q"]})
    answer = parsed(cast("Understood", outcome.answer))
    outcome.answer = cast("dict[str, Any]", answer)
    return outcome


def parsed(found: "Understood") -> "Parsed":
    """Return a compact answer in the helpers' format."""
    intent, language = found[INTENT], found[LANGUAGE]
    sure: SureLabels = {}
    if intent["name"] is not None:
        sure["intent"] = {"name": intent["name"], "confidence": intent["confidence"]}
    if language["confidence"] > 0:
        sure["language"] = {"name": language["value"], "confidence": language["confidence"]}
    return {
        "text": found[TEXT],
        **sure,
        "intent_ranking": intent["ranking"],
        "entities": [*map(_entity, found["entities"]), *_traits(found["traits"])],
    }


def evaluate(understander: Understander, fields: Fields, max_rows: int) -> Outcome:
    """Compare the answers to a dataset with its labels.

    Args:
        understander: Builds the compact answer.
        fields: The dataset, in Rasa's old JSON format.
        max_rows: The largest allowed number of samples.

    Returns:
        An outcome with the number of samples, the number of correct answers and the accuracy of the intent and each
        other label; the precision, recall and F1 of entities; and the samples with a wrong answer.

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
    wrong: list[WrongSample] = []
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
            wrong.append({"sample": example, "answer": parsed(cast("Understood", outcome.answer))})
    answer: Evaluation = {
        "samples": len(examples),
        "labels": {
            name: {"samples": len(right), "right": sum(right), "accuracy": sum(right) / len(right)}
            for name, right in labels.items()
        },
        "entities": _scores(**entities),
        "wrong": wrong[:WRONG_ROWS],
    }
    total.answer = cast("dict[str, Any]", answer)
    return total


def _entity(entity: Entity) -> "ParsedEntity":
    return {
        "entity": entity.entity,
        "value": entity.canonical_value,
        "canonicalValue": entity.canonical_value,
        "start": entity.start,
        "end": entity.end,
        "confidence": entity.confidence,
    }


def _traits(traits: "Mapping[str, Trait]") -> "Iterator[ParsedEntity]":
    """Yield traits as entities without offsets, the only form in which the helpers read them."""
    for name, trait in traits.items():
        if isinstance(trait["value"], str):
            yield {"entity": name, "value": trait["value"], "confidence": trait["confidence"]}


def _labels_of(example: Sample) -> dict[str, str]:
    traits = {each.entity: each.value for each in example.entities if each.start is None and each.value}
    return {INTENT: example.intent} | traits


def _answered(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels of an answer, by name. Entities count too, for samples whose values have no offsets."""
    entities = {entity.entity: entity.canonical_value for entity in answer["entities"]}
    traits = {name: trait["value"] for name, trait in answer["traits"].items()}
    return entities | traits | {INTENT: answer[INTENT]["name"], LANGUAGE: answer[LANGUAGE]["value"]}


def _add_times(total: Outcome, one: Outcome) -> None:
    for name, milliseconds in one.milliseconds.items():
        total.milliseconds[name] = round(total.milliseconds.get(name, 0.0) + milliseconds, 3)
    total.failed = sorted({*total.failed, *one.failed})
    total.refused = sorted({*total.refused, *one.refused})


def _scores(expected: int, found: int, right: int) -> "EntityScore":
    """Return the counts and their scores: precision is 1.0 if nothing was found, and recall if nothing was expected."""
    precision, recall = (right / count if count else 1.0 for count in (found, expected))
    return {
        "expected": expected,
        "found": found,
        "right": right,
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    }
