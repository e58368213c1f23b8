"""Answer the rows of a table with bundles. All engines run this code, so they write the same rows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from handler.bulk import BulkAnswerer, ColumnType, Failure, OptionNames
from handler.hexabot import TEXT, Service
from handler.predictor import fetched, load_predictors
from handler.settings import DEFAULTS, Settings
from ludwig_serverless.batch.plan import Answer

OPTIONS = OptionNames("--text-column", "--keep", "--columns")
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
ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.float64()),
    "entities": pa.list_(ENTITY),
}


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
            RequestError: An answer has no column of some name.
        """
        predictors = load_predictors(fetched(locations, DEFAULTS.cache), DEFAULTS.threads)
        settings = Settings(bundles=tuple(locations), open=True, default_language=default_language)
        self.seals = {name: predictor.manifest.seal for name, predictor in predictors.items()}
        self._kept = kept
        self._bulk = BulkAnswerer(
            Service(predictors, settings),
            answer=answer,
            columns=columns,
            text_column=text_column,
            default_language=default_language,
        )
        self.schema = {name: ARROW_TYPES[kind] for name, kind in self._bulk.schema.items()}

    def check(self, names: Sequence[str]) -> None:
        """Check that a table has the columns that the models read and those to keep.

        Args:
            names: The names of its columns.

        Raises:
            RequestError: A column is missing, or an input column has the name of one of the answer.
        """
        self._bulk.check(names, self._kept, OPTIONS)

    def answers(self, table: pa.Table) -> Answers:
        """Answer the rows of a table.

        Args:
            table: The rows.

        Returns:
            The answers, in the order of the rows.
        """
        names = table.schema.names
        rows = table.select([name for name in self._bulk.columns_read if name in names]).to_pylist()
        failures: list[Failure] = []
        pieces = [self._arrow([])]
        for chunk in self._bulk.chunks(rows):
            failures += (each for each in chunk if isinstance(each, Failure))
            # Piece by piece, because Python's objects take much more memory.
            pieces.append(self._arrow([each for each in chunk if not isinstance(each, Failure)]))
        kept = table.select(list(names if self._kept is None else self._kept))
        if failures:
            failed = {failure.row for failure in failures}
            kept = kept.take(pa.array([row for row in range(len(rows)) if row not in failed], pa.int64()))
        columns = {name: kept.column(name) for name in kept.schema.names}
        answers = pa.concat_tables(pieces).combine_chunks()
        columns |= {name: answers.column(name) for name in answers.schema.names}
        return Answers(pa.table(columns), failures)

    def _arrow(self, answers: list[dict[str, Any]]) -> pa.Table:
        return pa.table({name: pa.array([row[name] for row in answers], kind) for name, kind in self.schema.items()})
