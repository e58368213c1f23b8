"""Load bundles and answer rows of raw values with Ludwig's columns."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handler.alignment import Tagged, pieces_of_words, word_positions, word_spans, word_tags
from handler.bundle import MANIFEST, Manifest, read_bundle
from handler.decoding import SlotDecoder
from handler.entities import TaggedSpan, tagged_spans
from handler.errors import BundleError, RequestError
from handler.graph import load_graph
from handler.outputs import Columns, SequenceOutput, merged
from handler.settings import Settings
from handler.sources import local_folders
from handler.text import TextEncoder
from handler.vocabulary import read_entities

CHUNK_ROWS = 16
"""Rows that a graph is asked at once: what more rows leave between layers falls out of the processor's caches."""


class Predictor:
    """Answer as `LudwigModel.predict` does, without Ludwig."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Load and verify the bundle in a folder. Raises BundleError if it cannot be served."""
        self.manifest: Manifest = read_bundle(folder)
        try:
            self._encoders = {feature.name: feature.encoder(folder) for feature in self.manifest.inputs}
            self.entities = read_entities(folder / self.manifest.entities) if self.manifest.entities else []
        except ValueError as error:
            raise BundleError(f"{folder} cannot be used: {error}. Export the model again.") from None
        self._decoders = {
            output.name: SlotDecoder(output.labels)
            for output in self.manifest.outputs
            if isinstance(output, SequenceOutput) and output.decoding == "viterbi"
        }
        described = self.manifest.graph
        self._graph = load_graph(described, folder, threads)
        found = sorted([*self._graph.inputs, *self._graph.outputs])
        if found != sorted(tensor.name for tensor in [*described.inputs, *described.outputs]):
            raise BundleError(f"{folder} describes another graph than {described.file}, which has {found}.")

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Preprocess rows of raw values, by column. Returns an array for each input of the graph.

        Raises RequestError if a row lacks a column or holds a value that cannot be used; None is a missing value.
        """
        return {
            feature.name: self._encoders[feature.name].encode([self._value(row, feature.column) for row in rows])
            for feature in self.manifest.inputs
        }

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[Columns]:
        """Answer rows of raw values, by column, with Ludwig's columns: its answer's `to_dict("records")`."""
        return [merged(outputs) for outputs in self.predict_outputs(rows)]

    def predict_outputs(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Columns]]:
        """Answer rows as `predict` does, the columns of each output feature apart, by the feature's name."""
        return self.columns(self.run(rows)) if rows else []

    def run(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Run the graph on rows of raw values. Returns its arrays, (batch, ...), by name.

        Raises RequestError as `encode` does, and ArithmeticError for answers that are not finite numbers.
        """
        arrays = self._run(self.encode(rows), len(rows))
        if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f"):
            raise ArithmeticError(f"model {self.manifest.name!r} answered NaN or infinity")
        return arrays

    def columns(self, arrays: Mapping[str, np.ndarray]) -> list[dict[str, Columns]]:
        """Read what `run` returned as Ludwig's columns, by output feature, for each row."""
        by_output = [output.rows(arrays) for output in self.manifest.outputs]
        names = [output.name for output in self.manifest.outputs]
        return [dict(zip(names, columns, strict=True)) for columns in zip(*by_output, strict=True)]

    def _run(self, inputs: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
        if rows <= CHUNK_ROWS:
            return self._graph.run(inputs)
        parts = [
            self._graph.run({name: array[start : start + CHUNK_ROWS] for name, array in inputs.items()})
            for start in range(0, rows, CHUNK_ROWS)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def text_encoder(self, input_name: str) -> TextEncoder:
        """Return the encoder of a text input, which knows the positions of its tokens."""
        encoder = self._encoders[input_name]
        if not isinstance(encoder, TextEncoder):
            raise TypeError(f"input {input_name!r} holds no text")
        return encoder

    def word_tags(
        self, output: SequenceOutput, row: Mapping[str, Any], columns: Columns, logits: np.ndarray | None
    ) -> Tagged:
        """Return a tag and a probability for each word of the text that an output tags.

        Args:
            output: An output with `aligned_with`.
            row: The raw values that were asked, by column.
            columns: Ludwig's columns of this output, for this row.
            logits: float, (length, labels), of outputs that are decoded; None for others.

        Returns:
            Tags and probabilities, one for each word of `text.split()`; decoded where the bundle asks for it.
        """
        encoder = self.text_encoder(str(output.aligned_with))
        text = row[encoder.feature.column] or ""
        return self._tags_at(word_positions(text, encoder.placed_spans(text)), output, columns, logits)

    def tagged_spans(
        self, output: SequenceOutput, row: Mapping[str, Any], columns: Columns, logits: np.ndarray | None
    ) -> list[TaggedSpan]:
        """Return the tagged values of the text that an output tags, as the tags have them: not yet trimmed.

        Args:
            output: An output with `aligned_with`.
            row: The raw values that were asked, by column.
            columns: Ludwig's columns of this output, for this row.
            logits: float, (length, labels), of outputs that are decoded; None for others.

        Returns:
            Spans in characters, in reading order.
        """
        encoder = self.text_encoder(str(output.aligned_with))
        text = row[encoder.feature.column] or ""
        tokens = encoder.placed_spans(text)
        if output.tag_unit == "word":
            spans, positions = word_spans(text), word_positions(text, tokens)
        else:
            spans, positions = pieces_of_words(text, tokens)
        return tagged_spans(spans, *self._tags_at(positions, output, columns, logits))

    def _tags_at(
        self,
        positions: Sequence[int | None],
        output: SequenceOutput,
        columns: Columns,
        logits: np.ndarray | None,
    ) -> Tagged:
        """Return the tag and the probability at each position; decoded where the bundle asks for it."""
        return word_tags(
            positions,
            columns[f"{output.name}_predictions"],
            columns[f"{output.name}_probabilities"],
            output.special_labels,
            self._decoders.get(output.name),
            logits,
        )

    def _value(self, row: Mapping[str, Any], column: str) -> Any:
        try:
            return row[column]
        except KeyError:
            raise RequestError(f"The field {column!r} is missing, which model {self.manifest.name!r} reads.") from None


def bundle_folders(place: Path) -> list[Path]:
    """Return the bundles in a place, which is one or a folder of them. Raises BundleError if there is none."""
    folders = [place] if (place / MANIFEST).exists() else sorted(path.parent for path in place.glob(f"*/{MANIFEST}"))
    if not folders:
        raise BundleError(
            f"No bundle in {place}: neither it nor a folder in it holds {MANIFEST}. "
            "Make one with `ludwig-serverless export MODEL_DIR BUNDLE_DIR`."
        )
    return folders


def load_bundle(place: str | Path, *, threads: int = 1, cache: Path = Settings.cache) -> Predictor:
    """Load one bundle.

    Args:
        place: Its folder, `s3://bucket/prefix` or `hf://owner/name@revision`.
        threads: How many the model may use.
        cache: The folder that a remote bundle is fetched into, and found in again.

    Returns:
        What answers rows of raw values with Ludwig's columns: `load_bundle(place).predict([{"text": "hello"}])`.

    Raises:
        BundleError: If there is no bundle, more than one, or one that cannot be served.
    """
    folders = [found for folder in local_folders([str(place)], cache) for found in bundle_folders(folder)]
    if len(folders) > 1:
        names = ", ".join(folder.name for folder in folders)
        raise BundleError(f"{place} holds {len(folders)} bundles: {names}. Give the folder of one.")
    return Predictor(folders[0], threads)


def load_predictors(places: Iterable[Path], threads: int = 1) -> dict[str, Predictor]:
    """Load every bundle in some places, by name.

    Raises BundleError if a place holds none, one cannot be served, or two have the same name.
    """
    predictors: dict[str, Predictor] = {}
    for folder in (folder for place in places for folder in bundle_folders(place)):
        predictor = Predictor(folder, threads)
        name = predictor.manifest.name
        if name in predictors:
            raise BundleError(f"Two bundles are named {name!r}, one of them {folder}. Export one with another --name.")
        predictors[name] = predictor
    return predictors
