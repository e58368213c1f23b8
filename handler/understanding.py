"""The compact answer: one object with the language, the intent, entities and traits, for any chatbot.

`/predict` returns Ludwig's columns, from which every client must build entities itself. The compact answer contains
entities with exact offsets, applies the confidence thresholds, and always has the same keys.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from handler.answers import Reading
from handler.decoding import is_bio
from handler.entities import Entity, Source, TaggedSpan, marked, utf16_offsets
from handler.errors import RequestError
from handler.hexabot import TEXT, Fields, Outcome, Service
from handler.outputs import BinaryOutput, CategoryOutput, Columns, NumberOutput, SequenceOutput, SetOutput
from handler.predictor import Predictor
from handler.unsure import LANGUAGE
from handler.values import checked_text
from handler.vocabulary import EntityVocabulary, Match

if TYPE_CHECKING:
    from handler.answer_types import Intent, Language, ModelStatus, RankedIntent, Trait, Understood, Withheld

INTENT: Final = "intent"
BETWEEN_WORDS = re.compile(
    r'[\s"\u201c-\u201e\u00ab\u00bb()\[\]{}\u2026\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]'
    r"|(?<=\w)[\u2600-\u27bf\U0001f000-\U0001faff]|[\u2600-\u27bf\U0001f000-\U0001faff](?=\w)"
)
"""White space, double quotes, brackets, invisible direction marks, and emoji next to a letter."""
RANKED = 10
"""The number of intents in a ranking."""
UNKNOWN_LABEL = "<UNK>"
"""Ludwig's label for values outside its vocabulary. Clients never see it."""


class Label(NamedTuple):
    """A label of a whole text.

    Attributes:
        value: The label to answer; None if the model is unsure.
        confidence: The probability of `best`, in [0, 1].
        best: The most probable label; None if there is none.
        ranking: All labels with their probabilities, most probable first.
        probabilities: What the threshold is compared with; empty if there is no label.
    """

    value: str | None
    confidence: float
    best: str | None
    ranking: list[tuple[str, float]]
    probabilities: Sequence[float] = ()


class Found(NamedTuple):
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
        text = checked_text(fields[TEXT], TEXT)
        allowed = names_of(fields.get("intents"))
        self._service.check_lengths(fields.values())
        # Tokenizers that split only at spaces would attach these to words, and models do not know such words. Each
        # character becomes one space, so offsets stay the same.
        outcome = Outcome(rows=[fields])
        fields = {**fields, TEXT: BETWEEN_WORDS.sub(" ", text)}
        chosen = self._service.chosen(fields.get("model"))
        labels: dict[str, Label] = {}
        traits: dict[str, Trait] = {}
        spans: list[TaggedSpan] = []

        def ask(predictor: Predictor) -> "dict[str, ModelStatus]":
            for output, columns, tagged in _outputs(predictor, self._service.row(predictor, fields), outcome):
                role = role_of(predictor, output)
                if isinstance(output, CategoryOutput):
                    labels.setdefault(role, label_of(output, columns, text, allowed if role == INTENT else None))
                elif isinstance(output, SequenceOutput):
                    spans.extend(tagged)
                elif trait := _value(output, columns):
                    traits.setdefault(role, trait)
            return {predictor.manifest.name: {"status": "success"}}

        self._service.ask(chosen, outcome, ask)
        answer: Understood = {
            TEXT: text,
            LANGUAGE: self._language(labels.get(LANGUAGE)),
            INTENT: _intent(labels.get(INTENT)),
            "entities": self.entities(text, spans),
            "traits": traits | _traits(labels),
            "models": cast("dict[str, ModelStatus]", outcome.answer),
            "below_threshold": _withheld(labels),
        }
        outcome.answer = cast("dict[str, Any]", answer)
        return outcome

    def entities(self, text: str, spans: Sequence[TaggedSpan]) -> list[Entity]:
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
                found.append(Found(*match, 1.0, "pattern"))
        for match in self._vocabulary.keywords_in(text):
            others = (each for number, each in enumerate(found) if number < of_models or each.entity == match.entity)
            if not any(_overlap(each, match) for each in others):
                found.append(Found(*match, 1.0, "keyword"))
        found = sorted(dict.fromkeys(found))
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

    def _tagged(self, text: str, span: TaggedSpan) -> Found | None:
        """Return the entity in a tagged span, or None if the span is only punctuation."""
        main = self._vocabulary.main_value
        inner = marked(text, (span.start, span.end), lambda value: main(span.name, value) is not None)
        if inner is None:
            return None
        value = text[slice(*inner)]
        return Found(*inner, span.name, main(span.name, value) or " ".join(value.split()), span.confidence, "model")

    def _language(self, label: Label | None) -> "Language":
        if label is not None and label.value is not None:
            return {"value": label.value, "confidence": label.confidence}
        return {"value": self._default_language, "confidence": 0.0 if self._has_language else 1.0}


def _overlap(one: Found, other: Match) -> bool:
    return one.start < other.end and other.start < one.end


def _outputs(
    predictor: Predictor, row: Mapping[str, Any], outcome: Outcome
) -> Iterator[tuple[Any, Columns, list[TaggedSpan]]]:
    """Run a model on one row. Yield each output with its columns and, for slots, the tagged spans."""
    (answer,) = answers = predictor.answers([row])
    outcome.readings.append(Reading(predictor, [row], answers))
    for output in predictor.manifest.outputs:
        tagged: list[TaggedSpan] = []
        if isinstance(output, SequenceOutput) and has_slots(output):
            tagged = answer.tagged_spans(output)
        yield output, answer.outputs[output.name], tagged


def has_slots(output: SequenceOutput) -> bool:
    """Return whether an output tags a text with slots."""
    return output.aligned_with is not None and is_bio(set(output.labels) - set(output.special_labels))


def role_of(predictor: Predictor, output: Any) -> str:
    """Return the key of an output in the answer: its name, or `intent` or `language` if the model has that name.

    The model's name counts only if the output is its single category.
    """
    name, model = str(output.name), predictor.manifest.name
    categories = [each for each in predictor.manifest.outputs if isinstance(each, CategoryOutput)]
    return model if categories == [output] and model in (INTENT, LANGUAGE) else name


def label_of(output: CategoryOutput, columns: Columns, text: str, allowed: frozenset[str] | None) -> Label:
    """Return the label of a text: the most probable one, or the most probable of the allowed ones.

    Args:
        output: The output.
        columns: Ludwig's columns of its answer.
        text: The raw text.
        allowed: The only labels to answer; None for all.

    Returns:
        The label, its confidence and the ranking.
    """
    probabilities = columns[f"{output.name}_probabilities"]
    labeled = zip(output.labels, probabilities, strict=True)
    ranking = [
        (label, probability)
        for label, probability in sorted(labeled, key=lambda each: -each[1])
        if label != UNKNOWN_LABEL and (allowed is None or label in allowed)
    ]
    is_unknown = allowed is None and columns[f"{output.name}_predictions"] == UNKNOWN_LABEL
    if not text.strip() or not ranking or is_unknown:  # a blank message has no intent, however confident the model is
        return Label(None, 0.0, None, ranking)
    best, confidence = ranking[0]
    if allowed is None:  # keep Ludwig's own choice, which also breaks ties
        best = columns[f"{output.name}_predictions"]
    else:
        # Thresholds look at the largest probability, so limit those of the other labels to the chosen label's.
        probabilities = [min(each, confidence) for each in probabilities]
    asked = {f"{output.name}_predictions": best, f"{output.name}_probabilities": probabilities}
    return Label(None if output.is_unsure(asked, text) else best, confidence, best, ranking, probabilities)


def _intent(label: Label | None) -> "Intent":
    if label is None:
        return {"name": None, "confidence": 0.0, "ranking": []}
    ranking: list[RankedIntent] = [
        {"name": name, "confidence": confidence} for name, confidence in label.ranking[:RANKED]
    ]
    return {"name": label.value, "confidence": 0.0 if label.value is None else label.confidence, "ranking": ranking}


def _traits(labels: Mapping[str, Label]) -> "dict[str, Trait]":
    return {
        name: {"value": label.value, "confidence": label.confidence}
        for name, label in labels.items()
        if name not in (LANGUAGE, INTENT) and label.value is not None
    }


def _withheld(labels: Mapping[str, Label]) -> "dict[str, Withheld]":
    """Return the best labels that are below their threshold, by output."""
    withheld: dict[str, Withheld] = {}
    for name, label in labels.items():
        if label.value is None and label.best is not None:
            best, confidence = label.best, label.confidence
            withheld[name] = (
                {"name": best, "confidence": confidence}
                if name == INTENT
                else {"value": best, "confidence": confidence}
            )
    return withheld


def _value(output: Any, columns: Columns) -> "Trait | None":
    """Return the trait of an output that is neither a category nor slots; None if its type is not a trait."""
    value = columns.get(f"{output.name}_predictions")
    match output:
        case BinaryOutput():
            label = str(value) if output.labels else ("true" if value else "false")
            return {"value": label, "confidence": columns[f"{output.name}_probability"]}
        case NumberOutput() | SetOutput():
            return {"value": value, "confidence": None}
    return None


def names_of(given: Any) -> frozenset[str] | None:
    """Return the names in the field `intents`; None if it is missing or empty. Raises RequestError if it is invalid."""
    if given in (None, ""):
        return None
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError("'intents' must be comma-separated intents or a JSON list of intents.")
    return frozenset(name.strip() for name in names)
