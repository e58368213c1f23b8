"""Answer Hexabot's requests in the format that it reads, with fallbacks for models that fail.

Hexabot discards a whole answer if `language` is missing or failed, or if `slots` failed. So a failed model gets a
placeholder answer of the right shape, marked as `fallback`, and the other models' answers stay usable.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from handler.alignment import all_outside, hexabot_tags
from handler.errors import PayloadTooLargeError, RequestError
from handler.logs import log_failure
from handler.outputs import Columns, SequenceOutput, merged
from handler.predictor import Predictor, load_predictors
from handler.settings import Settings
from handler.sources import local_folders
from handler.unsure import LANGUAGE, language_columns, marks, success, unsure_outputs, without_unsure

TEXT = "text"
Fields = Mapping[str, Any]
"""A request's values, by name."""


class Table(msgspec.Struct, frozen=True):
    """Rows of values in pandas' "split" orientation."""

    columns: list[str]
    data: list[list[Any]]
    index: list[int | str] | None = None


@dataclass
class Outcome:
    """An answer, and what the log says of it.

    milliseconds: by model. failed: the models that failed, which calls an alarm. refused: the models that cannot use
    what the caller sent, which is not their fault.
    """

    answer: dict[str, Any] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Service:
    """All loaded models, asked as Hexabot asks."""

    def __init__(self, predictors: Mapping[str, Predictor], settings: Settings) -> None:
        self.predictors = predictors
        self._settings = settings

    def predict(self, fields: Fields) -> Outcome:
        """Answer one row with every model, or with those that the field `model` names.

        Raises RequestError for an unknown model, a text over the limit, or fields that no model can use.
        """
        self._check_lengths(fields.values())
        chosen = self._chosen(fields.get("model"))
        outcome = self._ask(chosen, lambda predictor: self._answer(predictor, fields))
        self._stand_in(outcome, fields)
        if LANGUAGE not in outcome.answer and fields.get("model") in (None, ""):
            outcome.answer[LANGUAGE] = self._default_language(1.0)
        return outcome

    def batch_predict(self, fields: Fields) -> Outcome:
        """Answer the rows of the field `dataset`, a table, with a table for each model.

        Raises RequestError as `predict` does, or if the table is broken or over the limit.
        """
        table = self._table(fields.get("dataset"))
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.data]
        for row in rows:
            self._check_lengths(row.values())
        chosen = self._chosen(fields.get("model"))
        index: list[int | str] = list(range(len(rows))) if table.index is None else table.index
        return self._ask(
            chosen, lambda predictor: {predictor.manifest.name: self._answer_table(predictor, rows, index)}
        )

    def _ask(self, chosen: list[str], ask: Callable[[Predictor], dict[str, Any]]) -> Outcome:
        """Ask each model. A failed model answers with an error, and the others continue."""
        outcome = Outcome()
        refusals: list[RequestError] = []
        for name in chosen:
            started = time.perf_counter()
            try:
                outcome.answer |= ask(self.predictors[name])
            except Exception as error:
                message = "The model failed; the service's log says where."
                if isinstance(error, RequestError):
                    outcome.refused.append(name)
                    refusals.append(error)
                    message = str(error)
                else:
                    outcome.failed.append(name)
                    log_failure(f"model {name} failed", error)
                outcome.answer[name] = {"error": message, "status": "failed"}
            outcome.milliseconds[name] = round((time.perf_counter() - started) * 1000, 3)
        if refusals and len(refusals) == len(chosen):
            raise refusals[0]
        return outcome

    def _answer(self, predictor: Predictor, fields: Fields) -> dict[str, Any]:
        """Answer one row: under the model's name and, since Hexabot looks there, under each output's name too."""
        row = self._row(predictor, fields)
        (outputs,) = self._outputs(predictor, [row])
        unsure, default = unsure_outputs(predictor, row, outputs), self._settings.default_language
        answer = {predictor.manifest.name: without_unsure(outputs, unsure, default)}
        return answer | {
            name: without_unsure({name: columns}, unsure & {name}, default)
            for name, columns in outputs.items()
            if name not in self.predictors
        }

    def _answer_table(self, predictor: Predictor, rows: list[dict[str, Any]], index: list[int | str]) -> dict[str, Any]:
        """Answer many rows, as pandas' "split" orientation has them."""
        complete = [self._row(predictor, row) for row in rows]
        answers = [
            merged(outputs) | marks(predictor, row, outputs)
            for row, outputs in zip(complete, self._outputs(predictor, complete), strict=True)
        ]
        columns = list(answers[0]) if answers else []
        return success({"index": index, "columns": columns, "data": [list(answer.values()) for answer in answers]})

    def _row(self, predictor: Predictor, fields: Fields) -> dict[str, Any]:
        """Pick the values that a model reads. A model with a single input reads the field `text`, whatever its name."""
        columns = list(dict.fromkeys(feature.column for feature in predictor.manifest.inputs))
        row = {column: fields[column] for column in columns if column in fields}
        if not row and len(columns) == 1 and TEXT in fields:
            row = {columns[0]: fields[TEXT]}
        missing = [column for column in columns if column not in row]
        if missing:
            raise RequestError(
                f"Model {predictor.manifest.name!r} reads {columns}; the request lacks {missing}. "
                f"Send {missing[0]!r} as a form field or a JSON key."
            )
        return row

    def _outputs(self, predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Columns]]:
        """Answer rows, with tags where Hexabot looks for them: one for each word between single spaces."""
        if not rows:
            return
        arrays = predictor.run(rows)
        taggers = [
            output
            for output in predictor.manifest.outputs
            if isinstance(output, SequenceOutput) and output.aligned_with is not None
        ]
        for number, (row, outputs) in enumerate(zip(rows, predictor.columns(arrays), strict=True)):
            for output in taggers:
                columns, logits = outputs[output.name], arrays.get(f"{output.name}::logits")
                tagged = predictor.word_tags(output, row, columns, None if logits is None else logits[number])
                shaped = hexabot_tags(_text(predictor, output, row), *tagged)
                columns[f"{output.name}_predictions"], columns[f"{output.name}_probabilities"] = shaped
            yield outputs

    def _stand_in(self, outcome: Outcome, fields: Fields) -> None:
        """Answer for failed models what Hexabot cannot do without: a language, and slots of the right length."""
        for name in (*outcome.failed, *outcome.refused):
            error = outcome.answer[name]["error"]
            for output in self.predictors[name].manifest.outputs:
                if outcome.answer.get(output.name, {}).get("status") == "success":
                    continue  # another model answered it
                if LANGUAGE in (name, output.name):
                    outcome.answer[LANGUAGE] = {**self._default_language(0.0), "error": error}
                elif isinstance(output, SequenceOutput):
                    tags, probabilities = all_outside(_text(self.predictors[name], output, fields))
                    columns = {f"{output.name}_predictions": tags, f"{output.name}_probabilities": probabilities}
                    outcome.answer[output.name] = {**success(columns), "fallback": True, "error": error}

    def _default_language(self, probability: float) -> dict[str, Any]:
        """Answer the default language: with 1 where no model is loaded, with 0 where one failed or refused."""
        return {**success(language_columns(self._settings.default_language, probability)), "fallback": True}

    def _chosen(self, names: Any) -> list[str]:
        """Return the models to ask; all of them where none is named."""
        available = list(self.predictors)
        if names in (None, ""):
            return available
        asked = names.split(",") if isinstance(names, str) else names
        if not isinstance(asked, list) or not all(isinstance(name, str) for name in asked):
            raise RequestError("'model' must be names with commas between them, or a JSON list of names.")
        asked = list(dict.fromkeys(name.strip() for name in asked))
        unknown = [name for name in asked if name not in self.predictors]
        if unknown or not asked:
            raise RequestError(f"Invalid model names: {unknown}. Available models: {available}.")
        return asked

    def _table(self, dataset: Any) -> Table:
        shape = 'a table such as {"columns": ["text"], "data": [["hello"], ["goodbye"]]}'
        if dataset is None:
            raise RequestError(f"The field 'dataset' is missing: send {shape}.")
        try:
            is_text = isinstance(dataset, str)
            table = msgspec.json.decode(dataset, type=Table) if is_text else msgspec.convert(dataset, Table)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise RequestError(f"The field 'dataset' is not {shape}: {error}.") from None
        limit = self._settings.max_batch_rows
        if len(table.data) > limit:
            raise PayloadTooLargeError(
                f"The batch has {len(table.data)} rows, {limit} are allowed: send several batches."
            )
        for number, row in enumerate(table.data):
            if len(row) != len(table.columns):
                raise RequestError(
                    f"Row {number} of the dataset has {len(row)} values for {len(table.columns)} columns."
                )
        if table.index is not None and len(table.index) != len(table.data):
            raise RequestError(f"The dataset has {len(table.data)} rows, but an index of {len(table.index)}.")
        return table

    def _check_lengths(self, values: Iterable[Any]) -> None:
        limit = self._settings.max_text_characters
        for value in values:
            if isinstance(value, str) and len(value) > limit:
                raise PayloadTooLargeError(f"A text has {len(value)} characters, {limit} are allowed: shorten it.")


def _text(predictor: Predictor, output: SequenceOutput, fields: Fields) -> str:
    """Return the text that an output tags; a request without its column has it in the field `text`."""
    columns = {feature.name: feature.column for feature in predictor.manifest.inputs}
    text = fields.get(columns.get(str(output.aligned_with), TEXT), fields.get(TEXT))
    return text if isinstance(text, str) else ""


def load_service(settings: Settings) -> Service:
    """Fetch and load every bundle. Raises BundleError if one cannot be served."""
    return Service(load_predictors(local_folders(settings.bundles, settings.cache), settings.threads), settings)
