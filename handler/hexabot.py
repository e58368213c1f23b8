"""Answer Hexabot's requests in the format that it expects, with fallbacks for models that fail.

Hexabot discards an entire response if `language` is missing or failed, or if `slots` failed. So a failed model gets a
placeholder of the right shape, marked `fallback`, and the other models' answers stay usable.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from handler.alignment import all_outside, hexabot_tags
from handler.answers import ModelReading
from handler.errors import PayloadTooLargeError, RequestError
from handler.logs import log_failure
from handler.messages import Answer
from handler.outputs import Columns, SequenceOutput, merged
from handler.predictor import Predictor, fetched, load_predictors
from handler.settings import Settings
from handler.unsure import LANGUAGE, language_columns, marks, success, unsure_outputs, without_unsure

if TYPE_CHECKING:
    from handler.answer_types import AnswerTable, ModelAnswer, ModelStatus, TableAnswer

TEXT: Final = "text"
Fields = Mapping[str, Any]
"""The values of a request, by field name."""


class Outcome(msgspec.Struct):
    """An answer, and what to log and observe of it.

    Attributes:
        answer: The JSON response, by key.
        milliseconds: The time that each model took, by model name.
        failed: The models that raised an unexpected error. They trigger the deployment's alarm.
        refused: The models that cannot use this request, which is the caller's error.
        status: The HTTP status. 202 has no body.
        rows: The request's values, for each of its rows. They contain what users wrote.
        readings: What each model read and answered. Only observers use it, and `rows`; see `handler/observing.py`.
        response: A response that is not JSON, such as a page, in place of `answer` and `status`.
    """

    answer: dict[str, Any] = msgspec.field(default_factory=dict)
    milliseconds: dict[str, float] = msgspec.field(default_factory=dict)
    failed: list[str] = msgspec.field(default_factory=list)
    refused: list[str] = msgspec.field(default_factory=list)
    status: int = 200
    rows: Sequence[Fields] = ()
    readings: list[ModelReading] = msgspec.field(default_factory=list)
    response: Answer | None = None


class Service:
    """All loaded models, behind Hexabot's two calls.

    Attributes:
        predictors: The loaded models, by name.
    """

    def __init__(self, predictors: Mapping[str, Predictor], settings: Settings) -> None:
        """Keep the models and the limits.

        Args:
            predictors: The loaded models, by name.
            settings: The limits on texts and batches, and the default language.
        """
        self.predictors = predictors
        self._settings = settings

    def predict(self, fields: Fields) -> Outcome:
        """Answer one row with every model, or with those that the field `model` names.

        Args:
            fields: The request's values: `text` or the models' input columns, and optionally `model`.

        Returns:
            One entry for each model and one for each of its outputs, each with a `status`.

        Raises:
            PayloadTooLargeError: A text is over the length limit.
            RequestError: A model name is unknown, or no model can use the fields.
        """
        self.check_lengths(fields.values())
        chosen = self.chosen(fields.get("model"))
        outcome = Outcome(rows=[fields])
        self.ask(chosen, outcome, lambda predictor: self._answer(predictor, fields, outcome))
        self._stand_in(outcome, fields)
        if LANGUAGE not in outcome.answer and fields.get("model") in (None, ""):
            outcome.answer[LANGUAGE] = self._default_language(1.0)
        return outcome

    def batch_predict(self, fields: Fields) -> Outcome:
        """Answer the rows of the field `dataset` with one table for each model.

        Args:
            fields: The request's values: `dataset`, a table in pandas' "split" orientation or the same as a JSON
                string, and optionally `model`.

        Returns:
            A table in "split" orientation under each model's name.

        Raises:
            PayloadTooLargeError: A text or the number of rows is over its limit.
            RequestError: The table is malformed, a model name is unknown, or no model can use the columns.
        """
        from handler.tables import read_table

        table = read_table(fields.get("dataset"), self._settings.max_batch_rows)
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.data]
        for row in rows:
            self.check_lengths(row.values())
        chosen = self.chosen(fields.get("model"))
        index: list[int | str] = list(range(len(rows))) if table.index is None else table.index
        outcome = Outcome(rows=rows)

        def ask(predictor: Predictor) -> "dict[str, TableAnswer]":
            return {predictor.manifest.name: self._answer_table(predictor, rows, index, outcome)}

        self.ask(chosen, outcome, ask)
        return outcome

    def ask(self, chosen: list[str], outcome: Outcome, ask: Callable[[Predictor], Mapping[str, Any]]) -> None:
        """Ask each model. If one fails, its answer is an error and the others are still asked.

        Args:
            chosen: Names of models.
            outcome: Receives the answers of all models. The entry of a model that failed has `status` "failed" and
                `error`.
            ask: Returns the answer of a model, by key.

        Raises:
            RequestError: No model can use the request.
        """
        refusals: list[RequestError] = []
        for name in chosen:
            started = time.perf_counter()
            try:
                outcome.answer |= ask(self.predictors[name])
            except Exception as error:
                message = "The model failed: see the service's log for the details."
                if isinstance(error, RequestError):
                    outcome.refused.append(name)
                    refusals.append(error)
                    message = str(error)
                else:
                    outcome.failed.append(name)
                    log_failure(f"model {name} failed", error)
                failed: ModelStatus = {"error": message, "status": "failed"}
                outcome.answer[name] = failed
            outcome.milliseconds[name] = round((time.perf_counter() - started) * 1000, 3)
        if refusals and len(refusals) == len(chosen):
            raise refusals[0]

    def _answer(self, predictor: Predictor, fields: Fields, outcome: Outcome) -> "dict[str, ModelAnswer]":
        """Answer one row under the model's name and, because Hexabot looks there, under the name of each output."""
        row = self.row(predictor, fields)
        (outputs,) = self._outputs(predictor, [row], outcome)
        unsure, default = unsure_outputs(predictor, row, outputs), self._settings.default_language
        answer = {predictor.manifest.name: without_unsure(outputs, unsure, default)}
        return answer | {
            name: without_unsure({name: columns}, unsure & {name}, default)
            for name, columns in outputs.items()
            if name not in self.predictors
        }

    def _answer_table(
        self, predictor: Predictor, rows: list[dict[str, Any]], index: list[int | str], outcome: Outcome
    ) -> "TableAnswer":
        """Answer several rows as one table in pandas' "split" orientation."""
        complete = [self.row(predictor, row) for row in rows]
        answers = [
            merged(outputs) | marks(predictor, row, outputs)
            for row, outputs in zip(complete, self._outputs(predictor, complete, outcome), strict=True)
        ]
        columns = list(answers[0]) if answers else []
        table: AnswerTable = {"index": index, "columns": columns, "data": [list(answer.values()) for answer in answers]}
        return {"predictions": table, "status": "success"}

    def row(self, predictor: Predictor, fields: Fields) -> dict[str, Any]:
        """Pick the values that a model reads. A model with one input also accepts its value in the field `text`."""
        columns = predictor.columns_read
        row = {column: fields[column] for column in columns if column in fields}
        if not row and len(columns) == 1 and TEXT in fields:
            row = {columns[0]: fields[TEXT]}
        if len(row) < len(columns):
            missing = [column for column in columns if column not in row]
            raise RequestError(
                f"Model {predictor.manifest.name!r} reads {columns}, but the request lacks {missing}. "
                f"Send {missing[0]!r} as a form field or a JSON key."
            )
        return row

    def _outputs(
        self, predictor: Predictor, rows: Sequence[Mapping[str, Any]], outcome: Outcome
    ) -> Iterator[dict[str, Columns]]:
        """Answer rows, with each tagger's output replaced by one tag for each piece of `text.split(" ")`."""
        answers = predictor.answers(rows)
        outcome.readings.append(ModelReading(predictor, rows, answers))
        for row, answer in zip(rows, answers, strict=True):
            outputs = answer.outputs
            for output in predictor.taggers:
                tags, probabilities = hexabot_tags(_text(predictor, output, row), *answer.word_tags(output))
                shaped = {f"{output.name}_predictions": tags, f"{output.name}_probabilities": probabilities}
                outputs = {**outputs, output.name: {**outputs[output.name], **shaped}}
            yield outputs

    def _stand_in(self, outcome: Outcome, fields: Fields) -> None:
        """Fill in what Hexabot requires from the models that failed: a language, and slots of the right length."""
        for name in (*outcome.failed, *outcome.refused):
            error = outcome.answer[name]["error"]
            for output in self.predictors[name].manifest.outputs:
                if outcome.answer.get(output.name, {}).get("status") == "success":
                    continue  # another model answered it
                if LANGUAGE in (name, output.name):
                    language: ModelAnswer = {**self._default_language(0.0), "error": error}
                    outcome.answer[LANGUAGE] = language
                elif isinstance(output, SequenceOutput):
                    tags, probabilities = all_outside(_text(self.predictors[name], output, fields))
                    columns = {f"{output.name}_predictions": tags, f"{output.name}_probabilities": probabilities}
                    outside: ModelAnswer = {**success(columns), "fallback": True, "error": error}
                    outcome.answer[output.name] = outside

    def _default_language(self, probability: float) -> "ModelAnswer":
        """Answer the default language: probability 1 if no language model is loaded, 0 if it failed or refused."""
        return {**success(language_columns(self._settings.default_language, probability)), "fallback": True}

    def chosen(self, names: Any) -> list[str]:
        """Return the names of the models to ask: all of them unless the request names some."""
        available = list(self.predictors)
        if names in (None, ""):
            return available
        asked = names.split(",") if isinstance(names, str) else names
        if not isinstance(asked, list) or not all(isinstance(name, str) for name in asked):
            raise RequestError("'model' must be comma-separated model names or a JSON list of names.")
        asked = list(dict.fromkeys(name.strip() for name in asked))
        unknown = [name for name in asked if name not in self.predictors]
        if unknown or not asked:
            raise RequestError(f"Invalid model names: {unknown}. Available models: {available}.")
        return asked

    def check_lengths(self, values: Iterable[Any]) -> None:
        """Raise PayloadTooLargeError if one of some values is a text over the length limit."""
        limit = self._settings.max_text_characters
        for value in values:
            if isinstance(value, str) and len(value) > limit:
                raise PayloadTooLargeError(f"A text has {len(value)} characters, and the limit is {limit}: shorten it.")


def _text(predictor: Predictor, output: SequenceOutput, fields: Fields) -> str:
    """Return the text that an output tags: the value of its input's column, or else of the field `text`."""
    text = fields.get(predictor.column_tagged(output) or TEXT, fields.get(TEXT))
    return text if isinstance(text, str) else ""


def load_service(settings: Settings) -> Service:
    """Fetch and load every bundle.

    Args:
        settings: Where the bundles are, where to cache them, and how many threads a model may use.

    Returns:
        The service, ready to answer.

    Raises:
        BundleError: A bundle is missing, altered or unreadable.
    """
    return Service(load_predictors(fetched(settings.bundles, settings.cache), settings.threads), settings)
