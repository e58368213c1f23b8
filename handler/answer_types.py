"""The types of the answers, from which the API's description is generated.

The functions that build an answer return these types, so mypy compares every key with them. They are dictionaries when
the service runs: nothing loads this module before a request asks for the description.

The docstrings become descriptions: the first paragraph that of the type, and each attribute that of its key.
"""

from typing import Any, Literal, NotRequired, TypedDict

from handler.entities import Entity
from handler.explaining import Explanation
from handler.parsing import Sample

Status = Literal["success", "failed"]


class Error(TypedDict):
    """An error.

    Attributes:
        error: What was found, what was expected, and what to do.
        request_id: The id of the request, also in the header x-request-id and in the service's log.
    """

    error: str
    request_id: str


class Health(TypedDict):
    """The service is up.

    Attributes:
        message: The message of Ludwig's own server.
        models: The names of the loaded models.
    """

    message: str
    models: list[str]


class ModelAnswer(TypedDict):
    """The answer of a model, or of one of its outputs.

    Attributes:
        predictions: Ludwig's columns of the answer by name, such as `intent_predictions`; only if it succeeded.
        status: Whether the model answered.
        error: Why the model failed, or why there is a fallback.
        fallback: True for the placeholder of a model that is missing or failed.
        below_threshold: The columns that were withheld because their confidence is below the threshold.
    """

    predictions: NotRequired[dict[str, Any]]
    status: Status
    error: NotRequired[str]
    fallback: NotRequired[bool]
    below_threshold: NotRequired[dict[str, Any]]


class AnswerTable(TypedDict):
    """Rows of answers, in pandas' "split" orientation.

    Attributes:
        index: The label of each row: the request's own, or else its number.
        columns: The names of Ludwig's columns. `<output>_below_threshold`: it is too uncertain.
        data: The values of each row, one for each column.
    """

    index: list[int | str]
    columns: list[str]
    data: list[list[Any]]


class TableAnswer(TypedDict):
    """The answers of a model to several rows.

    Attributes:
        predictions: The answers; only if the model succeeded.
        status: Whether the model answered.
        error: Why the model failed.
    """

    predictions: NotRequired[AnswerTable]
    status: Status
    error: NotRequired[str]


class Language(TypedDict):
    """The language of a message.

    Attributes:
        value: The language, or the default language if no model is sure of one.
        confidence: In [0, 1]; 0.0 if the model is unsure or failed, and 1.0 without a language model.
    """

    value: str
    confidence: float


class RankedIntent(TypedDict):
    """An intent and its probability.

    Attributes:
        name: The intent.
        confidence: In [0, 1].
    """

    name: str
    confidence: float


class Intent(TypedDict):
    """The intent of a message.

    Attributes:
        name: The intent; null if no intent is sure enough.
        confidence: In [0, 1]; 0.0 if `name` is null.
        ranking: The ten most probable intents, most probable first.
    """

    name: str | None
    confidence: float
    ranking: list[RankedIntent]


class Trait(TypedDict):
    """Another value of a whole message.

    Attributes:
        value: A label, a number or a list of labels.
        confidence: In [0, 1]; null for numbers and lists.
    """

    value: str | float | list[str] | None
    confidence: float | None


class ModelStatus(TypedDict):
    """Whether a model answered.

    Attributes:
        status: Whether the model answered.
        error: Why it failed.
    """

    status: Status
    error: NotRequired[str]


class Withheld(TypedDict):
    """An answer that is below its confidence threshold.

    Attributes:
        name: The intent, for an intent.
        value: The label, for any other label.
        confidence: In [0, 1].
    """

    name: NotRequired[str]
    value: NotRequired[str]
    confidence: float


class Understood(TypedDict):
    """The compact answer. All keys but `explanation` are always present.

    Attributes:
        text: The message.
        language: The language.
        intent: The intent.
        entities: The values in the text, in reading order.
        traits: Other labels of the whole message, by name.
        models: Whether each model answered, by name.
        below_threshold: The answers that were withheld, by output.
        explanation: How each category came to its answer; only if the request asks for it.
    """

    text: str
    language: Language
    intent: Intent
    entities: list[Entity]
    traits: dict[str, Trait]
    models: dict[str, ModelStatus]
    below_threshold: dict[str, Withheld]
    explanation: NotRequired[list[Explanation]]


class ParsedEntity(TypedDict):
    """An entity in the format of Hexabot v2's helpers. A trait is an entity without offsets.

    Attributes:
        entity: The kind of the value, such as `city`.
        value: The main value that the text is a synonym of, or else the text itself.
        canonicalValue: The same.
        start: Offset of the first character, in UTF-16 code units.
        end: Offset after the last character, in UTF-16 code units.
        confidence: In [0, 1].
    """

    entity: str
    value: str
    canonicalValue: NotRequired[str]
    start: NotRequired[int]
    end: NotRequired[int]
    confidence: float | None


class SureLabels(TypedDict):
    """The labels that a model is sure of.

    Attributes:
        intent: The intent.
        language: The language.
    """

    intent: NotRequired[RankedIntent]
    language: NotRequired[RankedIntent]


class Parsed(SureLabels):
    """An answer in the format of Hexabot v2's helpers. An unsure intent or language is left out.

    Attributes:
        text: The message.
        intent: The intent.
        language: The language.
        intent_ranking: The ten most probable intents, most probable first.
        entities: Entities in reading order, and then the traits.
    """

    text: str
    intent_ranking: list[RankedIntent]
    entities: list[ParsedEntity]


class LabelScore(TypedDict):
    """How often a label was right.

    Attributes:
        samples: The number of samples with this label.
        right: The number of correct answers.
        accuracy: `right` divided by `samples`.
    """

    samples: int
    right: int
    accuracy: float


class EntityScore(TypedDict):
    """How often the entities of the samples were found.

    Attributes:
        expected: The number of entities in the samples.
        found: The number of entities in the answers.
        right: The number of entities in both, with the same offsets.
        precision: `right` divided by `found`; 1.0 if nothing was found.
        recall: `right` divided by `expected`; 1.0 if nothing was expected.
        f1: The harmonic mean of precision and recall.
    """

    expected: int
    found: int
    right: int
    precision: float
    recall: float
    f1: float


class WrongSample(TypedDict):
    """A sample with a wrong answer.

    Attributes:
        sample: The sample.
        answer: The answer to its text.
    """

    sample: Sample
    answer: Parsed


class Evaluation(TypedDict):
    """The comparison of the answers with a dataset's labels.

    Attributes:
        samples: The number of samples.
        labels: The scores of the intent and of each trait, by name.
        entities: The scores of the entities.
        wrong: The first hundred samples with a wrong answer.
    """

    samples: int
    labels: dict[str, LabelScore]
    entities: EntityScore
    wrong: list[WrongSample]
