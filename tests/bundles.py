"""Tiny bundles, written without Ludwig or torch, with answers that follow from a table of words.

Each graph looks up every token in a table of logits: a category sums them over the text, and a tagger keeps them
separate. So "fly" always means `book_flight` and "Paris" is always a city, and a test knows the right answers.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import onnx
import tokenizers
from onnx import TensorProto, helper, numpy_helper

from handler.affixes import Affixes
from handler.bundle import MANIFEST, SCHEMA_VERSION, UNSEALED, Graph, GraphTensor, Manifest, Provenance, describe_file
from handler.certificate import Parity
from handler.context import Context
from handler.outputs import CategoryOutput, Decoding, SequenceOutput, TagUnit
from handler.text import TextInput, Vocabulary
from handler.tokenizers import SpaceTokenizer, SplittingTokenizer, SubwordTokenizer
from handler.vocabulary import FILE, EntityWords

STOP, START, PADDING, UNKNOWN = "<EOS>", "<SOS>", "<PAD>", "<UNK>"
SPECIAL = [STOP, START, PADDING, UNKNOWN]
"""In the order of Ludwig's ids."""

LENGTH = 12
SURE = 6.0
CRASH = "crash"
"""The word that makes a graph of `breaking=True` fail while it runs."""

INTENTS = {"fly": "book_flight", "hotel": "book_hotel", "hello": "greeting", "bonjour": "greeting"}
LANGUAGES = {"fly": "en", "hello": "en", "to": "en", "bonjour": "fr", "vers": "fr", "مرحبا": "ar"}
SLOTS = {"Paris": "B-city", "New": "B-city", "York": "I-city", "tomorrow": "B-date", "عمان": "B-city"}

WORD_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "par", "##is", "new", "york", "fly", "to", ",", "!"]
PIECE_SLOTS = {"par": "B-city", "##is": "B-date", "new": "B-city", "york": "I-city"}
"""The second piece of "paris" carries a wrong tag on purpose: a word has the tag of its first piece."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """One output of a graph.

    Attributes:
        name: The name of the output.
        kind: The type of the output.
        words: The label that each word votes for.
        logits: The weight of each word's vote; SURE for words that are not listed.
        decoding: How to decode the tags of a tagger.
        tag_unit: Whether the tags of a tagger belong to words or to tokens.
    """

    name: str
    kind: Literal["category", "sequence"]
    words: Mapping[str, str]
    logits: Mapping[str, float] = field(default_factory=dict)
    decoding: Decoding = "argmax"
    tag_unit: TagUnit = "word"

    @property
    def labels(self) -> list[str]:
        """All labels in index order, Ludwig's special labels included."""
        special = [UNKNOWN] if self.kind == "category" else [*SPECIAL, "O"]
        return [*special, *dict.fromkeys(self.words.values())]


INTENT = Head(name="intent", kind="category", words=INTENTS)
LANGUAGE = Head(name="language", kind="category", words=LANGUAGES)
TAGGER = Head(name="slots", kind="sequence", words=SLOTS)


def write_bundle(
    folder: Path,
    *heads: Head,
    name: str | None = None,
    column: str = "text",
    tokenizer: SplittingTokenizer | None = None,
    lowercase: bool = False,
    padding: Literal["left", "right"] = "right",
    length: int = LENGTH,
    fill_value: str | None = None,
    breaking: bool = False,
    affixes: Affixes | None = None,
    context: Context | None = None,
) -> Path:
    """Write a bundle whose vocabulary is the words of its heads.

    Args:
        folder: The folder to write.
        *heads: The outputs.
        name: The model's name; None for the names of the outputs.
        column: The column that the model reads.
        tokenizer: The tokenizer; None for one that splits on spaces.
        lowercase: Whether the model lowercases texts.
        padding: The side of the padding.
        length: The length of the input, in words.
        fill_value: Replaces a missing text.
        breaking: Whether the graph fails on a text with the word CRASH.
        affixes: Prefixes and suffixes of the words. The graph reads only the middle token of each word.
        context: Affixes and neighbors of the words. The graph reads only the word itself.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    made = affixes or context
    words = dict.fromkeys(word for head in heads for word in head.words)
    vocabulary = [*SPECIAL, *words, CRASH]
    (folder / "vocabulary.json").write_bytes(msgspec.json.encode(vocabulary))
    feature = TextInput(
        name=column,
        column=column,
        tokenizer=tokenizer or SpaceTokenizer(),
        length=length * (made.tokens_per_word if made else 1),
        lowercase=lowercase,
        padding=padding,
        affixes=affixes,
        context=context,
        padding_id=SPECIAL.index(PADDING),
        vocabulary=Vocabulary(
            file="vocabulary.json",
            unknown_id=SPECIAL.index(UNKNOWN),
            start_id=SPECIAL.index(START),
            stop_id=SPECIAL.index(STOP),
        ),
        fill_value=fill_value,
    )
    return _finish(folder, name or heads[0].name, feature, heads, vocabulary, breaking)


def write_subword_bundle(
    folder: Path, *, padding: Literal["left", "right"] = "right", lowercase: bool = False, max_tokens: int | None = None
) -> Path:
    """Write a tagger of subwords, with a real `tokenizer.json`."""
    folder.mkdir(parents=True)
    word_piece(WORD_PIECES).save(str(folder / "tokenizer.json"))
    feature = TextInput(
        name="text",
        column="text",
        tokenizer=SubwordTokenizer(file="tokenizer.json", max_tokens=max_tokens),
        length=LENGTH,
        lowercase=lowercase,
        padding=padding,
        padding_id=WORD_PIECES.index("[PAD]"),
    )
    head = Head(name="slots", kind="sequence", words=PIECE_SLOTS)
    return _finish(folder, "slots", feature, [head], WORD_PIECES, breaking=False)


def word_piece(pieces: Sequence[str]) -> tokenizers.Tokenizer:
    """Return a BERT tokenizer with a few pieces, which lowercases and strips accents."""
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", pieces.index("[CLS]")), ("[SEP]", pieces.index("[SEP]"))]
    )
    return tokenizer


def write_standard_bundles(folder: Path) -> Path:
    """Write the three models that Hexabot expects, each in its own folder."""
    for head in (LANGUAGE, INTENT, TAGGER):
        write_bundle(folder / head.name, head)
    return folder


def give_entities(folder: Path, *entities: EntityWords) -> Path:
    """Add a vocabulary of entities to a bundle."""
    (folder / FILE).write_bytes(msgspec.json.encode(entities))
    files = msgspec.json.decode((folder / MANIFEST).read_bytes())["files"]
    edit_manifest(folder, entities=FILE, files=files | {FILE: msgspec.to_builtins(describe_file(folder / FILE))})
    return folder


def give_expected(folder: Path, labels: Mapping[str, int], edges: Sequence[float], confidence: Sequence[int]) -> Path:
    """Say what the first output of a bundle answered to rows that it was not trained on."""
    outputs = msgspec.json.decode((folder / MANIFEST).read_bytes())["outputs"]
    outputs[0]["expected"] = {"labels": dict(labels), "edges": list(edges), "confidence": list(confidence)}
    edit_manifest(folder, outputs=outputs)
    return folder


def edit_manifest(folder: Path, **changes: Any) -> None:
    """Change a manifest on disk and seal it again; a value of None removes the key."""
    path = folder / MANIFEST
    content = {**msgspec.json.decode(path.read_bytes()), **changes, "seal": UNSEALED}
    unsealed = msgspec.json.encode({key: value for key, value in content.items() if value is not None})
    head, _, tail = unsealed.rpartition(UNSEALED.encode())
    path.write_bytes(head + hashlib.sha256(unsealed).hexdigest().encode() + tail)


def _finish(
    folder: Path, name: str, feature: TextInput, heads: Sequence[Head], vocabulary: Sequence[str], breaking: bool
) -> Path:
    """Write the graph, and the manifest over all files."""
    model = _graph(feature, heads, vocabulary, breaking)
    onnx.save(model, str(folder / "model.onnx"))
    outputs = [_output(head, feature) for head in heads]
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name=name,
        graph=Graph(
            format="onnx",
            file="model.onnx",
            inputs=[GraphTensor(feature.name, "int32", ["batch", feature.length])],
            outputs=[_tensor(value) for value in model.graph.output],
        ),
        inputs=[feature],
        outputs=outputs,
        files={path.name: describe_file(path) for path in sorted(folder.iterdir())},
        provenance=Provenance(
            ludwig_version="0.17.10", model_sha256="0" * 64, exported_at="2026-01-01T00:00:00Z", exporter_version="test"
        ),
        parity=Parity(
            passed=True, rows=1, odd_rows=0, ids_equal=1, labels_equal=1, max_abs_diff=0.0, tolerance=1e-4, worst=[]
        ),
    )
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return folder


def _output(head: Head, feature: TextInput) -> CategoryOutput | SequenceOutput:
    if head.kind == "category":
        return CategoryOutput(name=head.name, labels=head.labels)
    return SequenceOutput(
        name=head.name,
        labels=head.labels,
        special_labels=SPECIAL,
        aligned_with=feature.name,
        decoding=head.decoding,
        tag_unit=head.tag_unit,
    )


def _tensor(value: onnx.ValueInfoProto) -> GraphTensor:
    kind = value.type.tensor_type
    dtype = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}[kind.elem_type]
    return GraphTensor(value.name, dtype, [axis.dim_param or axis.dim_value for axis in kind.shape.dim])


def _graph(feature: TextInput, heads: Sequence[Head], vocabulary: Sequence[str], breaking: bool) -> onnx.ModelProto:
    """Build the graph: ids -> rows of the table -> logits -> softmax. The row of CRASH is outside the table."""
    rows = np.arange(len(vocabulary), dtype=np.int64)
    if breaking:
        rows[vocabulary.index(CRASH)] = 1_000_000
    constants = [numpy_helper.from_array(rows, "rows"), numpy_helper.from_array(np.array([1]), "sequence_axis")]
    words, source, nodes = feature.length // feature.stride, feature.name, []
    if feature.stride > 1:
        step, source = feature.stride, "words"
        bounds = {"first": step // 2 if feature.affixes else 1, "last": feature.length, "step": step}
        constants += [numpy_helper.from_array(np.array([number]), name) for name, number in bounds.items()]
        nodes.append(helper.make_node("Slice", [feature.name, "first", "last", "sequence_axis", "step"], [source]))
    nodes.append(helper.make_node("Gather", ["rows", source], ["looked_up"]))
    outputs = []
    for head in heads:
        constants.append(numpy_helper.from_array(_logits(head, vocabulary), f"{head.name}.table"))
        nodes.append(helper.make_node("Gather", [f"{head.name}.table", "looked_up"], [f"{head.name}.tokens"]))
        predictions, probabilities = f"{head.name}::predictions", f"{head.name}::probabilities"
        if head.kind == "category":
            summed, softmax, axes = f"{head.name}.logits", probabilities, ["batch"]
            nodes.append(helper.make_node("ReduceSum", [f"{head.name}.tokens", "sequence_axis"], [summed], keepdims=0))
            widths = [len(head.labels)]
        else:
            summed, softmax, axes, widths = f"{head.name}.tokens", f"{head.name}.all", ["batch", words], []
        if head.decoding == "viterbi":
            logits = f"{head.name}::logits"
            nodes.append(helper.make_node("Identity", [summed], [logits]))
            outputs.append(helper.make_tensor_value_info(logits, TensorProto.FLOAT, [*axes, len(head.labels)]))
        nodes.append(helper.make_node("Softmax", [summed], [softmax], axis=-1))
        nodes.append(helper.make_node("ArgMax", [softmax], [predictions], axis=-1, keepdims=0))
        if softmax != probabilities:
            nodes.append(helper.make_node("ReduceMax", [softmax], [probabilities], axes=[-1], keepdims=0))
        outputs.append(helper.make_tensor_value_info(predictions, TensorProto.INT64, axes))
        outputs.append(helper.make_tensor_value_info(probabilities, TensorProto.FLOAT, [*axes, *widths]))
    ids = helper.make_tensor_value_info(feature.name, TensorProto.INT32, ["batch", feature.length])
    graph = helper.make_graph(nodes, "words", [ids], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _logits(head: Head, vocabulary: Sequence[str]) -> np.ndarray:
    """Return the table, (vocabulary, labels). A tagger labels an unknown word as outside."""
    table = np.zeros((len(vocabulary), len(head.labels)), dtype=np.float32)
    for row, word in enumerate(vocabulary):
        label = head.words.get(word)
        if head.kind == "sequence" and label is None:
            label = word if word in (START, STOP, PADDING) else "O"
        if label is not None:
            logit = head.logits.get(word, SURE)
            table[row, head.labels.index(label)] = logit
            if math.isnan(logit):
                table[row] = logit
    return table
