"""The compact answer: one object with the language, the intent, entities and traits, for any chatbot.

`/predict` returns Ludwig's columns, from which every client must build entities itself. The compact answer contains
entities with exact offsets, applies the confidence thresholds, and always has the same keys.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from handler.answers import ModelReading, RowAnswer
from handler.entities import Entity, Source, TaggedSpan, has_slots, marked, utf16_offsets
from handler.errors import RequestError, ServingError
from handler.hexabot import TEXT, Fields, Outcome, Service
from handler.outputs import CategoryOutput, SequenceOutput
from handler.predictor import Predictor
from handler.text_labels import INTENT, Label, label_of, shown_intent, shown_traits, trait_of, withheld_labels
from handler.unsure import LANGUAGE
from handler.values import checked_text
from handler.vocabulary import EntityVocabulary, Match

if TYPE_CHECKING:
    from handler.answer_types import Language, ModelStatus, Trait, Understood

BETWEEN_WORDS = re.compile(
    r'[\s"\u201c-\u201e\u00ab\u00bb()\[\]{}\u2026\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]'
    r"|(?<=\w)[\u2600-\u27bf\U0001f000-\U0001faff]|[\u2600-\u27bf\U0001f000-\U0001faff](?=\w)"
)
"""White space, double quotes, brackets, invisible direction marks, and emoji next to a letter."""


class _Found:
    """What the models found in one text: labels and traits by role, and tagged spans."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.labels: dict[str, Label] = {}
        self.traits: dict[str, Trait] = {}
        self.spans: list[TaggedSpan] = []

    def add(self, predictor: Predictor, answer: RowAnswer, allowed: frozenset[str] | None) -> None:
        """Add a model's answer. The first model wins if two have the same role."""
        for output in predictor.manifest.outputs:
            role, columns = role_of(predictor, output), answer.outputs[output.name]
            if isinstance(output, CategoryOutput):
                of_intent = allowed if role == INTENT else None
                self.labels.setdefault(role, label_of(output, columns, self.text, of_intent))
            elif isinstance(output, SequenceOutput):
                if has_slots(output):
                    self.spans.extend(answer.tagged_spans(output))
            elif trait := trait_of(output, columns):
                self.traits.setdefault(role, trait)


class Located(NamedTuple):
    """An entity with offsets in characters, before they are converted to UTF-16 code units."""

    start: int
    end: int
    entity: str
    canonical_value: str
    confidence: float
    source: Source


class Understander:
    """Build compact answers from a service's models and their vocabularies."""

    def __init__(self, service: Service, default_language: str) -> None:
        """Merge the vocabularies of all models.

        Args:
            service: The loaded models.
            default_language: The language to answer if no model is sure of one.
        """
        self._service = service
        self._default_language = default_language
        models = service.predictors.values()
        self._vocabulary = EntityVocabulary(entity for predictor in models for entity in predictor.entities)
        roles = {role_of(predictor, output) for predictor in models for output in predictor.manifest.outputs}
        self._has_language = LANGUAGE in roles

    def understand(self, fields: Fields) -> Outcome:
        """Answer one text.

        Args:
            fields: `text`, and optionally `intents`, the only intents to answer, and `model`, the only models to ask.

        Returns:
            An outcome whose answer has the keys text, language, intent, entities, traits, models and below_threshold.

        Raises:
            PayloadTooLargeError: The text is over the length limit.
            RequestError: There is no text, a model name is unknown, or `intents` is not a list of names.
        """
        if TEXT not in fields:
            raise RequestError("The field 'text' is missing: send the message as a form field or a JSON key.")
        self._service.check_lengths(fields.values())
        outcome = Outcome(rows=[fields])
        chosen = self._service.chosen(fields.get("model"))
        (answer,) = self._understood([fields], chosen, outcome, names_of(fields.get("intents")))
        outcome.answer = cast("dict[str, Any]", answer)
        return outcome

    def understand_rows(self, rows: Sequence[Fields]) -> "list[Understood]":
        """Answer many texts with all models, each as `understand` does, with fewer runs of the graphs.

        Args:
            rows: For each text the values that the models read: `text`, or their columns.

        Returns:
            For each row the answer of `understand`.

        Raises:
            RequestError: No model can use the rows.
            ServingError: A model failed. Its log line has the reason.
        """
        outcome = Outcome(rows=rows)
        answers = self._understood(rows, list(self._service.predictors), outcome, None)
        if outcome.failed or outcome.refused:
            raise ServingError(f"The models {[*outcome.failed, *outcome.refused]} did not answer.")
        return answers

    def _understood(
        self, rows: Sequence[Fields], chosen: list[str], outcome: Outcome, allowed: frozenset[str] | None
    ) -> "list[Understood]":
        found = [_Found(checked_text(fields[TEXT], TEXT)) for fields in rows]
        # Tokenizers that split only at spaces would attach these to words, and models do not know such words. Each
        # character becomes one space, so offsets stay the same.
        rows = [{**fields, TEXT: BETWEEN_WORDS.sub(" ", each.text)} for fields, each in zip(rows, found, strict=True)]

        def ask(predictor: Predictor) -> "dict[str, ModelStatus]":
            read = [self._service.row(predictor, fields) for fields in rows]
            answers = predictor.answers(read)
            outcome.readings.append(ModelReading(predictor, read, answers))
            for each, answer in zip(found, answers, strict=True):
                each.add(predictor, answer, allowed)
            return {predictor.manifest.name: {"status": "success"}}

        self._service.ask(chosen, outcome, ask)
        models = cast("dict[str, ModelStatus]", outcome.answer)
        return [self._answer(each, models) for each in found]

    def _answer(self, found: _Found, models: "dict[str, ModelStatus]") -> "Understood":
        labels = found.labels
        return {
            TEXT: found.text,
            LANGUAGE: self._language(labels.get(LANGUAGE)),
            INTENT: shown_intent(labels.get(INTENT)),
            "entities": self.entities(found.text, found.spans),
            "traits": found.traits | shown_traits(labels),
            "models": models,
            "below_threshold": withheld_labels(labels),
        }

    def entities(self, text: str, spans: Sequence[TaggedSpan]) -> list[Entity]:
        """Return the entities of a text as clients get them: what `located` returns, with offsets as in JavaScript.

        Args:
            text: The raw text.
            spans: The spans that the models tagged, in characters.

        Returns:
            Entities in reading order.
        """
        found = self.located(text, spans)
        offsets = utf16_offsets(text, [(each.start, each.end) for each in found])
        return [
            Entity(
                entity=each.entity,
                value=text[each.start : each.end],
                canonical_value=each.canonical_value,
                start=start,
                end=end,
                confidence=each.confidence,
                source=each.source,
            )
            for each, (start, end) in zip(found, offsets, strict=True)
        ]

    def located(self, text: str, spans: Sequence[TaggedSpan]) -> list[Located]:
        """Return the entities of a text: those of the models, patterns and keywords.

        Args:
            text: The raw text.
            spans: The spans that the models tagged, in characters.

        Returns:
            Entities in reading order. Models win over patterns, and patterns over keywords: a pattern is left out if
            it overlaps a value of the same entity, and a keyword if it overlaps any value of a model.
        """
        found = [entity for span in spans if (entity := self._tagged(text, span))]
        of_models = len(found)
        for match in self._vocabulary.patterns_in(text):
            if not any(each.entity == match.entity and _overlap(each, match) for each in found):
                found.append(Located(*match, 1.0, "pattern"))
        for match in self._vocabulary.keywords_in(text):
            others = (each for number, each in enumerate(found) if number < of_models or each.entity == match.entity)
            if not any(_overlap(each, match) for each in others):
                found.append(Located(*match, 1.0, "keyword"))
        return sorted(dict.fromkeys(found))

    def _tagged(self, text: str, span: TaggedSpan) -> Located | None:
        """Return the entity in a tagged span, or None if the span is only punctuation."""
        main = self._vocabulary.main_value
        inner = marked(text, (span.start, span.end), lambda value: main(span.name, value) is not None)
        if inner is None:
            return None
        value = text[slice(*inner)]
        return Located(*inner, span.name, main(span.name, value) or " ".join(value.split()), span.confidence, "model")

    def _language(self, label: Label | None) -> "Language":
        if label is not None and label.value is not None:
            return {"value": label.value, "confidence": label.confidence}
        return {"value": self._default_language, "confidence": 0.0 if self._has_language else 1.0}


def _overlap(one: Located, other: Match) -> bool:
    return one.start < other.end and other.start < one.end


def role_of(predictor: Predictor, output: Any) -> str:
    """Return the key of an output in the answer: its name, or `intent` or `language` if the model has that name.

    The model's name counts only if the output is its single category.
    """
    name, model = str(output.name), predictor.manifest.name
    categories = [each for each in predictor.manifest.outputs if isinstance(each, CategoryOutput)]
    return model if categories == [output] and model in (INTENT, LANGUAGE) else name


def names_of(given: Any) -> frozenset[str] | None:
    """Return the names in the field `intents`; None if it is missing or empty. Raises RequestError if it is invalid."""
    if given in (None, ""):
        return None
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError("'intents' must be comma-separated intents or a JSON list of intents.")
    return frozenset(name.strip() for name in names)
