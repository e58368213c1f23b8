"""Load bundles and predict Ludwig's output columns for rows of raw values."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from handler.alignment import PlacedSpan
from handler.answers import RowAnswer, TokenizedText
from handler.bundle import MANIFEST, Manifest, read_bundle
from handler.decoding import SlotDecoder
from handler.errors import BundleError, RequestError
from handler.fasttext import FastTextInput
from handler.files import StrPath
from handler.graph import chunk_rows, load_graph, run_in_chunks
from handler.outputs import CategoryOutput, Columns, SequenceOutput, merged
from handler.settings import DEFAULTS
from handler.tensor import Tensor
from handler.text import TextEncoder, TextInput

if TYPE_CHECKING:
    from handler.vocabulary import EntityWords


class Predictor:
    """A loaded bundle. It predicts what `LudwigModel.predict` would, without Ludwig.

    Attributes:
        manifest: The bundle's manifest.
        columns_read: The columns that the model reads.
        text_column: The first of them with a text; None if the model reads no text.
        taggers: The outputs that tag the words of a text.
        judged: The outputs whose answers can be too uncertain to use.
    """

    def __init__(self, folder: StrPath, threads: int = 1) -> None:
        """Verify and load a bundle.

        Args:
            folder: The bundle's folder.
            threads: How many threads one call may use.

        Raises:
            BundleError: The bundle is missing, altered, inconsistent or cannot be loaded.
        """
        self._folder = folder
        self.manifest: Manifest = read_bundle(folder)
        inputs, outputs = self.manifest.inputs, self.manifest.outputs
        self.columns_read = list(dict.fromkeys(feature.column for feature in inputs))
        texts = (feature.column for feature in inputs if isinstance(feature, TextInput | FastTextInput))
        self.text_column = next(texts, None)
        self.taggers = [output for output in outputs if isinstance(output, SequenceOutput) and output.aligned_with]
        categories = (output for output in outputs if isinstance(output, CategoryOutput))
        self.judged = [output for output in categories if output.thresholds is not None or output.evidence is not None]
        try:
            self._encoders = {feature.name: feature.encoder(folder) for feature in inputs}
            self._decoders = {
                output.name: SlotDecoder(output.labels)
                for output in outputs
                if isinstance(output, SequenceOutput) and output.decoding == "viterbi"
            }
            self._tagged = self._tagged_texts()
        except ValueError as error:
            raise BundleError(f"{folder} cannot be used: {error}. Export the model again.") from None
        # A graph that skips padding computes every row of a chunk up to the end of the longest text in it.
        self._sorted_by = next((e for e in inputs if isinstance(e, TextInput) and e.padding == "right"), None)
        described = self.manifest.graph
        self._graph = load_graph(described, folder, threads)
        self._chunk_rows = chunk_rows(self.manifest.files[described.file].bytes)
        found = sorted([*self._graph.inputs, *self._graph.outputs])
        if found != sorted(tensor.name for tensor in [*described.inputs, *described.outputs]):
            raise BundleError(
                f"{folder}: the manifest does not describe {described.file}, which has the tensors {found}. Export the "
                "model again."
            )

    @cached_property
    def entities(self) -> "list[EntityWords]":
        """The bundle's vocabulary of entities, which is read when it is first needed.

        Raises:
            BundleError: The file is invalid.
        """
        if not self.manifest.entities:
            return []
        from handler.vocabulary import read_entities

        try:
            return read_entities(os.path.join(self._folder, self.manifest.entities))
        except ValueError as error:
            raise BundleError(f"{self._folder} cannot be used: {error}. Export the model again.") from None

    def column_tagged(self, output: SequenceOutput) -> str | None:
        """Return the column whose text an output tags; None if it tags none."""
        inputs = self.manifest.inputs
        return next((feature.column for feature in inputs if feature.name == output.aligned_with), None)

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Encode rows as the graph's inputs.

        Args:
            rows: For each row its raw values, by column. None is a missing value.

        Returns:
            A tensor for each input feature, (batch, ...), by name; `handler/inputs.py` lists dtypes and shapes.

        Raises:
            RequestError: A row lacks a column, or a value is invalid.
        """
        return {
            feature.name: self._encoders[feature.name].encode(self._values(rows, feature.column))
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
        return [merged(outputs) for outputs in self.columns(self.run(rows))] if rows else []

    def answers(self, rows: Sequence[Mapping[str, Any]]) -> list[RowAnswer]:
        """Predict as `predict` does, with the columns grouped by output feature, and the tags of words.

        Args:
            rows: For each row its raw values, by column.

        Returns:
            An answer for each row.

        Raises:
            RequestError: A row lacks a column, or a value is invalid.
            ArithmeticError: The graph returned NaN or infinity.
        """
        if not rows:
            return []
        inputs: dict[str, Tensor] = {}
        tokens: dict[str, list[list[PlacedSpan]]] = {}
        for feature in self.manifest.inputs:
            values, name = self._values(rows, feature.column), feature.name
            if name in self._tagged:
                inputs[name], tokens[name] = self._tagged[name].encode_placed(values)
            else:
                inputs[name] = self._encoders[name].encode(values)
        tensors = self._run(inputs, len(rows))
        return [
            RowAnswer(
                outputs,
                {
                    name: TokenizedText(row[self._tagged[name].feature.column] or "", placed[number])
                    for name, placed in tokens.items()
                },
                {name: tensors[f"{name}::logits"][number] for name in self._decoders},
                self._decoders,
            )
            for number, (row, outputs) in enumerate(zip(rows, self.columns(tensors), strict=True))
        ]

    def run(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Encode rows and run the graph on them.

        Args:
            rows: For each row its raw values, by column.

        Returns:
            The graph's output tensors, (batch, ...), by name.

        Raises:
            RequestError: A row lacks a column, or a value is invalid.
            ArithmeticError: The graph returned NaN or infinity.
        """
        return self._run(self.encode(rows), len(rows))

    def columns(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Columns]]:
        """Convert output tensors to Ludwig's columns.

        Args:
            tensors: The result of `run`.

        Returns:
            For each row the columns of each output feature, by the feature's name.
        """
        outputs = self.manifest.outputs
        if len(outputs) == 1:  # the same, and fast
            return [{outputs[0].name: columns} for columns in outputs[0].rows(tensors)]
        by_output = [output.rows(tensors) for output in outputs]
        names = [output.name for output in outputs]
        return [dict(zip(names, columns, strict=True)) for columns in zip(*by_output, strict=True)]

    def _run(self, inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
        """Run the graph on encoded rows. Raises ArithmeticError if a number is NaN or infinite."""
        text = self._sorted_by
        lengths = text.lengths(inputs[text.name]) if text is not None and rows > self._chunk_rows else None
        return self._finite(run_in_chunks(self._graph, inputs, self._chunk_rows, lengths))

    def _finite(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors unchanged. Raises ArithmeticError if a number is NaN or infinite."""
        for tensor in tensors.values():
            if not tensor.is_finite():
                raise ArithmeticError(f"model {self.manifest.name!r} answered NaN or infinity")
        return tensors

    def _tagged_texts(self) -> dict[str, TextEncoder]:
        """Return the encoders of the texts that outputs tag, by input. Raises ValueError if one is not a text."""
        found: dict[str, TextEncoder] = {}
        for output in self.taggers:
            name = str(output.aligned_with)
            encoder = self._encoders.get(name)
            if not isinstance(encoder, TextEncoder):
                raise ValueError(f"the output {output.name!r} tags the input {name!r}, which is not a text")
            found[name] = encoder
        return found

    def _values(self, rows: Sequence[Mapping[str, Any]], column: str) -> list[Any]:
        try:
            return [row[column] for row in rows]
        except KeyError:
            raise RequestError(f"Model {self.manifest.name!r} needs the field {column!r}, which is missing.") from None


def bundle_folders(location: StrPath) -> list[str]:
    """Find the bundles at a local path.

    Args:
        location: A bundle, or a folder of bundles.

    Returns:
        The folders of the bundles, sorted.

    Raises:
        BundleError: There is no bundle.
    """
    if os.path.exists(os.path.join(location, MANIFEST)):
        return [os.fspath(location)]
    inner = (os.path.join(location, name) for name in sorted(os.listdir(location))) if os.path.isdir(location) else ()
    folders = [folder for folder in inner if os.path.exists(os.path.join(folder, MANIFEST))]
    if not folders:
        raise BundleError(
            f"No bundle in {location}: neither the folder nor a folder in it contains {MANIFEST}. "
            "Create one with `ludwig-serverless export MODEL_DIR BUNDLE_DIR`."
        )
    return folders


def fetched(locations: Sequence[str], cache: StrPath) -> Iterable[StrPath]:
    """Return the local folder of every location; see `handler.sources.local_folders`, which fetches remote ones."""
    if not any("://" in location for location in locations):
        return locations
    from handler.sources import local_folders

    return local_folders(locations, cache)


def load_bundle(location: StrPath, *, threads: int = 1, cache: StrPath = DEFAULTS.cache) -> Predictor:
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
    folders = [found for folder in fetched([os.fspath(location)], cache) for found in bundle_folders(folder)]
    if len(folders) > 1:
        names = ", ".join(map(os.path.basename, folders))
        raise BundleError(f"{location} contains {len(folders)} bundles: {names}. Give the folder of one bundle.")
    return Predictor(folders[0], threads)


def load_predictors(locations: Iterable[StrPath], threads: int = 1) -> dict[str, Predictor]:
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
                f"Two bundles are named {name!r}; one of them is {folder}. Export one again with another --name, or "
                "compare them with `ludwig-serverless serve BUNDLES --compare OTHER_BUNDLES`."
            )
        predictors[name] = predictor
    return predictors
