"""Answer many rows as flat columns: the code that `ludwig-serverless batch` and Step Functions share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from handler.errors import LudwigServerlessError, RequestError
from handler.hexabot import TEXT, Service
from handler.outputs import CategoryOutput, SequenceOutput
from handler.predictor import Predictor
from handler.understanding import Understander

CHUNK_ROWS = 256
"""Rows that are answered together. If one of them cannot be answered, they are answered one by one."""
FAILURES = (LudwigServerlessError, ArithmeticError, RuntimeError)
"""What a row that cannot be answered raises."""
AnswerKind = Literal["compact", "ludwig"]
ColumnType = Literal["text", "number", "texts", "numbers", "entities"]
COMPACT: dict[str, ColumnType] = {
    "predicted_intent": "text",
    "predicted_intent_confidence": "number",
    "predicted_language": "text",
    "predicted_language_confidence": "number",
    "predicted_entities": "entities",
    "predicted_traits": "text",
    "below_threshold": "text",
}
"""The columns of the compact answer. Traits and answers below their threshold are JSON, because their keys differ."""


class Failure(NamedTuple):
    """A row that cannot be answered.

    Attributes:
        row: Its position among the rows.
        reason: What is wrong with it.
    """

    row: int
    reason: str


class OptionNames(NamedTuple):
    """What the caller calls its options, for error messages.

    Attributes:
        text_column: The option with the name of the text column.
        keep: The option with the names of the input columns to return.
        columns: The option with the names of the answer's columns to return.
    """

    text_column: str
    keep: str
    columns: str


class BulkAnswerer:
    """Answers many rows with a service's models.

    Attributes:
        schema: The type of each column of the answer, by name.
        columns_read: The names of the input columns that the models may read, the text column among them.
    """

    def __init__(
        self, service: Service, *, answer: AnswerKind, columns: Sequence[str], text_column: str, default_language: str
    ) -> None:
        """Find the columns of the answer.

        Args:
            service: The loaded models.
            answer: compact is what `/understand` answers; ludwig is Ludwig's columns.
            columns: The columns of the answer to return; empty for all.
            text_column: The column that models with one text input read, whatever they call it.
            default_language: The language to answer if no model is sure of one.

        Raises:
            RequestError: An answer has no column of some name, or two models answer the same one.
        """
        predictors = service.predictors.values()
        self._service = service
        self._is_compact = answer == "compact"
        self._text_column = text_column
        read = (column for predictor in predictors for column in predictor.columns_read)
        self.columns_read = list(dict.fromkeys([text_column, *read]))
        self._answer: Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]
        if self._is_compact:
            self._understander = Understander(service, default_language)
            self._answer, schema = self._compact, COMPACT
        else:
            self._answer, schema = self._ludwig, _ludwig_schema(predictors)
        unknown = [name for name in columns if name not in schema]
        if unknown:
            raise RequestError(f"The {answer} answer has no column {unknown[0]!r}: choose from {', '.join(schema)}.")
        self.schema: dict[str, ColumnType] = {name: schema[name] for name in columns} if columns else schema

    def check(self, names: Sequence[str], kept: Sequence[str] | None, options: OptionNames) -> None:
        """Check that a table has the columns that the models read and those to keep.

        Args:
            names: The names of its columns.
            kept: The columns of the input to return; None for all.
            options: The names of the options, for the message.

        Raises:
            RequestError: A column is missing, or an input column has the name of one of the answer.
        """
        for name in [*(kept or ()), *([self._text_column] if self._needs_text(names) else [])]:
            if name not in names:
                raise RequestError(
                    f"The table has no column {name!r}: it has {', '.join(names)}. Name the column with the messages "
                    f"with {options.text_column}, and those to keep with {options.keep}."
                )
        both = [name for name in (names if kept is None else kept) if name in self.schema]
        if both:
            raise RequestError(
                f"The input and the answer both have the column {both[0]!r}: leave it out of the input's columns with "
                f"{options.keep}, or out of the answer's with {options.columns}."
            )

    def chunks(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any] | Failure]]:
        """Answer rows, chunk by chunk. A row that fails does not stop the others.

        Args:
            rows: The values of the columns in `columns_read` that the table has, for each row.

        Yields:
            For each row of the next CHUNK_ROWS its answer, by the columns of `schema`, or why it has none.
        """
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = [self._fields(row) for row in rows[start : start + CHUNK_ROWS]]
            try:
                yield list(self._checked(chunk))
            except FAILURES:
                # One by one, to find the rows that cannot be answered.
                yield [self._one(number, row) for number, row in enumerate(chunk, start)]

    def _one(self, number: int, row: Mapping[str, Any]) -> dict[str, Any] | Failure:
        try:
            return self._checked([row])[0]
        except FAILURES as error:
            return Failure(number, str(error))

    def _checked(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            self._service.check_lengths(row.values())
        return [{name: answer[name] for name in self.schema} for answer in self._answer(rows)]

    def _compact(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "predicted_intent": answer["intent"]["name"],
                "predicted_intent_confidence": answer["intent"]["confidence"],
                "predicted_language": answer["language"]["value"],
                "predicted_language_confidence": answer["language"]["confidence"],
                "predicted_entities": [msgspec.structs.asdict(entity) for entity in answer["entities"]],
                "predicted_traits": msgspec.json.encode(answer["traits"]).decode(),
                "below_threshold": msgspec.json.encode(answer["below_threshold"]).decode(),
            }
            for answer in self._understander.understand_rows(rows)
        ]

    def _ludwig(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = [{} for _ in rows]
        for predictor in self._service.predictors.values():
            for row, found in zip(
                answers, predictor.predict([self._service.row(predictor, each) for each in rows]), strict=True
            ):
                row |= found
        return [{name: _plain(row.get(name), kind) for name, kind in self.schema.items()} for row in answers]

    def _fields(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a row with its messages in the field `text`, where models find it whatever they call it."""
        return {**row, TEXT: row[self._text_column]} if self._text_column in row else row

    def _needs_text(self, names: Sequence[str]) -> bool:
        """Return whether the answer needs the text column: it is compact, or a model finds its columns only there."""
        models = self._service.predictors.values()
        return self._is_compact or any(not set(predictor.columns_read) <= set(names) for predictor in models)


def as_text(value: Any) -> str | None:
    """Return a value of a JSON Lines file as text, because the types of such values may change from row to row.

    Args:
        value: Any JSON value.

    Returns:
        A string as it is, None for null, and JSON for anything else.
    """
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _ludwig_schema(predictors: Iterable[Predictor]) -> dict[str, ColumnType]:
    """Return Ludwig's columns of all models with their types, without one column for each label."""
    schema: dict[str, ColumnType] = {}
    for predictor in predictors:
        for output in predictor.manifest.outputs:
            for column, kind in _types(output):
                if column in schema:
                    raise RequestError(
                        f"Two models answer the column {column!r}: give bundles whose outputs have different names, or "
                        "the compact answer."
                    )
                schema[column] = kind
    return schema


def _types(output: Any) -> Iterator[tuple[str, ColumnType]]:
    name = output.name
    if isinstance(output, CategoryOutput | SequenceOutput):
        yield f"{name}_predictions", "text" if isinstance(output, CategoryOutput) else "texts"
        yield f"{name}_probability", "number"
        yield f"{name}_probabilities", "numbers"
    else:
        yield f"{name}_predictions", "text"


def _plain(value: Any, kind: ColumnType) -> Any:
    """Return a value in a column's type; values of other types than the column's become JSON."""
    return as_text(value) if kind == "text" else value
