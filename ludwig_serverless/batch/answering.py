"""Answer the rows of a table with bundles. All engines run this code, so they write the same rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from handler.errors import LudwigServerlessError
from handler.hexabot import TEXT, Service
from handler.outputs import CategoryOutput, SequenceOutput
from handler.predictor import Predictor, fetched, load_predictors
from handler.settings import DEFAULTS, Settings
from handler.understanding import Understander
from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.plan import Answer

CHUNK_ROWS = 256
"""Rows that are answered together. If one of them cannot be answered, they are answered one by one."""
FAILURES = (LudwigServerlessError, ArithmeticError, RuntimeError)
"""What a row that cannot be answered raises."""
ENTITY = pa.struct(
    [
        ("entity", pa.string()),
        ("value", pa.string()),
        ("canonical_value", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("confidence", pa.float64()),
        ("source", pa.string()),
    ]
)
COMPACT = {
    "predicted_intent": pa.string(),
    "predicted_intent_confidence": pa.float64(),
    "predicted_language": pa.string(),
    "predicted_language_confidence": pa.float64(),
    "predicted_entities": pa.list_(ENTITY),
    "predicted_traits": pa.string(),
    "below_threshold": pa.string(),
}
"""The columns of the compact answer. Traits and answers below their threshold are JSON, because their keys differ."""


class Failure(NamedTuple):
    """A row that cannot be answered.

    Attributes:
        row: Its position in the table.
        reason: What is wrong with it.
    """

    row: int
    reason: str


class Answers(NamedTuple):
    """The answers to a table.

    Attributes:
        table: The kept columns of the rows that were answered, and the columns of the answers.
        failures: The rows that were not answered.
    """

    table: pa.Table
    failures: list[Failure]


class Answerer:
    """Answers tables with loaded bundles.

    Attributes:
        seals: The seal of each bundle's manifest, by the model's name.
        schema: The columns of the answer, by name.
    """

    def __init__(
        self,
        locations: Sequence[str],
        *,
        answer: Answer = "compact",
        columns: Sequence[str] = (),
        kept: Sequence[str] | None = None,
        text_column: str = TEXT,
        default_language: str = DEFAULTS.default_language,
    ) -> None:
        """Load the bundles.

        Args:
            locations: Bundles or folders of bundles, as `serve` accepts them.
            answer: The kind of answer.
            columns: The columns of the answer to return; empty for all.
            kept: The columns of the input to return; None for all.
            text_column: The column that models with one text input read, whatever they call it.
            default_language: The language to answer if no model is sure of one.

        Raises:
            BundleError: A bundle cannot be loaded.
            BatchError: An answer has no column of some name.
        """
        predictors = load_predictors(fetched(locations, DEFAULTS.cache), DEFAULTS.threads)
        settings = Settings(bundles=tuple(locations), open=True, default_language=default_language)
        self.seals = {name: predictor.manifest.seal for name, predictor in predictors.items()}
        self._service = Service(predictors, settings)
        self._kept = kept
        self._is_compact = answer == "compact"
        self._text_column = text_column
        self._read = [*dict.fromkeys([text_column, *_columns_read(predictors.values())])]
        self._answer: Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]
        if answer == "compact":
            self._understander = Understander(self._service, default_language)
            self._answer, schema = self._compact, COMPACT
        else:
            self._answer, schema = self._ludwig, _ludwig_schema(predictors.values())
        unknown = [name for name in columns if name not in schema]
        if unknown:
            raise BatchError(f"The {answer} answer has no column {unknown[0]!r}: choose from {', '.join(schema)}.")
        self.schema = {name: schema[name] for name in columns} if columns else schema

    def check(self, names: Sequence[str]) -> None:
        """Check that a table has the columns that the models read and those to keep.

        Args:
            names: The names of its columns.

        Raises:
            BatchError: A column is missing, or an input column has the name of one of the answer.
        """
        wanted = [*(self._kept or ()), *([self._text_column] if self._needs_text(names) else [])]
        for name in wanted:
            if name not in names:
                raise BatchError(
                    f"The table has no column {name!r}: it has {', '.join(names)}. Name the column with the messages "
                    "with --text-column, and those to keep with --keep."
                )
        both = [name for name in self._kept_names(names) if name in self.schema]
        if both:
            raise BatchError(
                f"The input and the answer both have the column {both[0]!r}: leave it out of the input's columns with "
                "--keep, or out of the answer's with --columns."
            )

    def answers(self, table: pa.Table) -> Answers:
        """Answer the rows of a table.

        Args:
            table: The rows.

        Returns:
            The answers, in the order of the rows.
        """
        names = table.schema.names
        read = [name for name in self._read if name in names]
        fields = table.select(read).to_pylist()
        rows = [self._fields(row) for row in fields]
        failures: list[Failure] = []
        answered: list[int] = []
        pieces = [self._arrow([])]
        for start in range(0, len(rows), CHUNK_ROWS):
            found: list[dict[str, Any]] = []
            for number, answer in self._chunk(rows, start):
                if isinstance(answer, Failure):
                    failures.append(answer)
                else:
                    answered.append(number)
                    found.append(answer)
            pieces.append(self._arrow(found))  # piece by piece, because Python's objects take much more memory
        kept = table.select(self._kept_names(names))
        if failures:
            kept = kept.take(pa.array(answered, pa.int64()))
        columns = {name: kept.column(name) for name in kept.schema.names}
        answers = pa.concat_tables(pieces).combine_chunks()
        columns |= {name: answers.column(name) for name in answers.schema.names}
        return Answers(pa.table(columns), failures)

    def _arrow(self, answers: list[dict[str, Any]]) -> pa.Table:
        return pa.table({name: pa.array([row[name] for row in answers], kind) for name, kind in self.schema.items()})

    def _chunk(self, rows: list[dict[str, Any]], start: int) -> Iterator[tuple[int, "dict[str, Any] | Failure"]]:
        chunk = rows[start : start + CHUNK_ROWS]
        try:
            yield from enumerate(self._checked(chunk), start)
            return
        except FAILURES:
            pass  # one by one, to find the rows that cannot be answered
        for number, row in enumerate(chunk, start):
            try:
                yield number, self._checked([row])[0]
            except FAILURES as error:
                yield number, Failure(number, str(error))

    def _checked(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            self._service.check_lengths(row.values())
        return self._answer(rows)

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

    def _fields(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row with its messages in the field `text`, where models find it whatever they call it."""
        return {**row, TEXT: row[self._text_column]} if self._text_column in row else row

    def _kept_names(self, names: Sequence[str]) -> list[str]:
        return list(names if self._kept is None else self._kept)

    def _needs_text(self, names: Sequence[str]) -> bool:
        """Return whether the answer needs the text column: it is compact, or a model finds its columns only there."""
        models = self._service.predictors.values()
        return self._is_compact or any(not set(predictor.columns_read) <= set(names) for predictor in models)


def _columns_read(predictors: Any) -> Iterator[str]:
    for predictor in predictors:
        yield from predictor.columns_read


def _ludwig_schema(predictors: Any) -> dict[str, pa.DataType]:
    """Return Ludwig's columns of all models with their types, without one column for each label."""
    schema: dict[str, pa.DataType] = {}
    for predictor in predictors:
        for output in predictor.manifest.outputs:
            for column, kind in _types(predictor, output):
                if column in schema:
                    raise BatchError(
                        f"Two models answer the column {column!r}: give bundles whose outputs have different names, or "
                        "the compact answer."
                    )
                schema[column] = kind
    return schema


def _types(predictor: Predictor, output: Any) -> Iterator[tuple[str, pa.DataType]]:
    name = output.name
    match output:
        case CategoryOutput():
            yield f"{name}_predictions", pa.string()
            yield f"{name}_probability", pa.float64()
            yield f"{name}_probabilities", pa.list_(pa.float64())
        case SequenceOutput():
            yield f"{name}_predictions", pa.list_(pa.string())
            yield f"{name}_probability", pa.float64()
            yield f"{name}_probabilities", pa.list_(pa.float64())
        case _:
            yield f"{name}_predictions", pa.string()


def _plain(value: Any, kind: pa.DataType) -> Any:
    """Return a value in a column's type; values of other types than the column's become JSON."""
    is_text = kind == pa.string() and value is not None and not isinstance(value, str)
    return msgspec.json.encode(value).decode() if is_text else value
