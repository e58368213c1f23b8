"""Load bundles and predict Ludwig's output columns for rows of raw values."""

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
from handler.tensor import Tensor, joined
from handler.text import TextEncoder
from handler.vocabulary import read_entities

CHUNK_ROWS = 16
"""Rows in one run of the graph. With more rows, the activations no longer fit into the processor's caches."""


class Predictor:
    """A loaded bundle. It predicts what `LudwigModel.predict` would, without Ludwig.

    Attributes:
        manifest: The bundle's manifest.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Verify and load a bundle.

        Args:
            folder: The bundle's folder.
            threads: How many threads one call may use.

        Raises:
            BundleError: The bundle is missing, altered, inconsistent or cannot be loaded.
        """
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
            raise BundleError(
                f"{folder}: the manifest does not describe {described.file}, which has the tensors {found}. Export the "
                "model again."
            )

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Encode rows as the graph's inputs.

        Args:
            rows: For each row its raw values, by column. None is a missing value.

        Returns:
            An array for each input feature, (batch, ...), by name; `handler/inputs.py` lists dtypes and shapes.

        Raises:
            RequestError: A row lacks a column, or a value is invalid.
        """
        return {
            feature.name: self._encoders[feature.name].encode([self._value(row, feature.column) for row in rows])
            for feature in self.manifest.inputs
        }

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[Columns]:
        """Predict Ludwig's output columns.

        Args:
            rows: For each row its raw values, by column. None is a missing value.

        Returns:
            One dictionary for each row, the same as `LudwigModel.predict(rows)[0].to_dict("records")`.

        Raises:
            RequestError: A row lacks a column, or a value is invalid.
            ArithmeticError: The graph returned NaN or infinity.
        """
        return [merged(outputs) for outputs in self.predict_outputs(rows)]

    def predict_outputs(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Columns]]:
        """Predict as `predict` does, with the columns grouped by output feature.

        Args:
            rows: For each row its raw values, by column.

        Returns:
            For each row the columns of each output feature, by the feature's name.
        """
        return self.columns(self.run(rows)) if rows else []

    def run(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Encode rows and run the graph on them.

        Args:
            rows: For each row its raw values, by column.

        Returns:
            The graph's output arrays, (batch, ...), by name.

        Raises:
            RequestError: A row lacks a column, or a value is invalid.
            ArithmeticError: The graph returned NaN or infinity.
        """
        arrays = self._run(self.encode(rows), len(rows))
        if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f"):
            raise ArithmeticError(f"model {self.manifest.name!r} answered NaN or infinity")
        return arrays

    def columns(self, arrays: Mapping[str, np.ndarray]) -> list[dict[str, Columns]]:
        """Convert output arrays to Ludwig's columns.

        Args:
            arrays: The result of `run`.

        Returns:
            For each row the columns of each output feature, by the feature's name.
        """
        by_output = [output.rows(arrays) for output in self.manifest.outputs]
        names = [output.name for output in self.manifest.outputs]
        return [dict(zip(names, columns, strict=True)) for columns in zip(*by_output, strict=True)]

    def _run(self, inputs: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
        tensors = {
            name: Tensor(str(array.dtype), array.shape, np.ascontiguousarray(array)) for name, array in inputs.items()
        }
        if rows <= CHUNK_ROWS:
            return {name: np.asarray(tensor) for name, tensor in self._graph.run(tensors).items()}
        parts = [
            self._graph.run({name: tensor.rows(start, start + CHUNK_ROWS) for name, tensor in tensors.items()})
            for start in range(0, rows, CHUNK_ROWS)
        ]
        return {name: np.asarray(joined([part[name] for part in parts])) for name in parts[0]}

    def text_encoder(self, input_name: str) -> TextEncoder:
        """Return the encoder of a text input, which knows the positions of its tokens.

        Args:
            input_name: The name of the input feature.

        Returns:
            The encoder.

        Raises:
            TypeError: The input is not a text or sequence feature.
        """
        encoder = self._encoders[input_name]
        if not isinstance(encoder, TextEncoder):
            raise TypeError(f"input {input_name!r} is not a text")
        return encoder

    def word_tags(
        self, output: SequenceOutput, row: Mapping[str, Any], columns: Columns, logits: np.ndarray | None
    ) -> Tagged:
        """Return a tag and a probability for each word of the text that an output tags.

        Args:
            output: An output with `aligned_with`.
            row: The row's raw values, by column.
            columns: Ludwig's columns of this output for this row.
            logits: float32, (length, labels), if the output uses Viterbi decoding; None otherwise.

        Returns:
            Tags and probabilities, one for each word of `text.split()`.
        """
        encoder = self.text_encoder(str(output.aligned_with))
        text = row[encoder.feature.column] or ""
        return self._tags_at(word_positions(text, encoder.placed_spans(text)), output, columns, logits)

    def tagged_spans(
        self, output: SequenceOutput, row: Mapping[str, Any], columns: Columns, logits: np.ndarray | None
    ) -> list[TaggedSpan]:
        """Return the values that an output tags in a text. They are whole words or pieces of words, not trimmed yet.

        Args:
            output: An output with `aligned_with`.
            row: The row's raw values, by column.
            columns: Ludwig's columns of this output for this row.
            logits: float32, (length, labels), if the output uses Viterbi decoding; None otherwise.

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
        """Return the tag and the probability at each position, Viterbi-decoded if the bundle says so."""
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
            raise RequestError(f"Model {self.manifest.name!r} needs the field {column!r}, which is missing.") from None


def bundle_folders(location: Path) -> list[Path]:
    """Find the bundles at a local path.

    Args:
        location: A bundle, or a folder of bundles.

    Returns:
        The folders of the bundles, sorted.

    Raises:
        BundleError: There is no bundle.
    """
    if (location / MANIFEST).exists():
        return [location]
    folders = sorted(path.parent for path in location.glob(f"*/{MANIFEST}"))
    if not folders:
        raise BundleError(
            f"No bundle in {location}: neither the folder nor a folder in it contains {MANIFEST}. "
            "Create one with `ludwig-serverless export MODEL_DIR BUNDLE_DIR`."
        )
    return folders


def load_bundle(location: str | Path, *, threads: int = 1, cache: Path = Settings.cache) -> Predictor:
    """Load one bundle.

    Args:
        location: A folder, `s3://bucket/prefix` or `hf://owner/name@revision`.
        threads: How many threads the model may use.
        cache: The folder that keeps downloaded bundles.

    Returns:
        The loaded bundle: `load_bundle(location).predict([{"text": "hello"}])`.

    Raises:
        BundleError: There is no bundle or more than one, or the bundle cannot be loaded.
    """
    folders = [found for folder in local_folders([str(location)], cache) for found in bundle_folders(folder)]
    if len(folders) > 1:
        names = ", ".join(folder.name for folder in folders)
        raise BundleError(f"{location} contains {len(folders)} bundles: {names}. Give the folder of one bundle.")
    return Predictor(folders[0], threads)


def load_predictors(locations: Iterable[Path], threads: int = 1) -> dict[str, Predictor]:
    """Load every bundle in some local folders.

    Args:
        locations: Bundles, or folders of bundles.
        threads: How many threads one call of a model may use.

    Returns:
        The loaded bundles, by the names in their manifests.

    Raises:
        BundleError: A folder contains no bundle, a bundle cannot be loaded, or two bundles have the same name.
    """
    predictors: dict[str, Predictor] = {}
    for folder in (folder for location in locations for folder in bundle_folders(location)):
        predictor = Predictor(folder, threads)
        name = predictor.manifest.name
        if name in predictors:
            raise BundleError(
                f"Two bundles are named {name!r}; one of them is {folder}. Export one again with another --name."
            )
        predictors[name] = predictor
    return predictors
