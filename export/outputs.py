"""Describe Ludwig's output features as the handler's output features.

To add an output type, add a function here and register it in `DESCRIBERS`.
"""

from collections.abc import Callable, Sequence

from export.errors import UnsupportedError
from export.features import Config, describer, tagged_text
from export.inputs import normalization
from export.model import SourceModel
from export.text import START, STOP, SUBWORDS, UNKNOWN
from handler.inputs import InputFeature
from handler.outputs import (
    BinaryOutput,
    CategoryOutput,
    NumberOutput,
    OutputFeature,
    SequenceOutput,
    SetOutput,
    VectorOutput,
)
from handler.text import TextInput

SPECIAL_LABELS = (START, STOP, "<PAD>", UNKNOWN)


def describe_outputs(model: SourceModel, inputs: Sequence[InputFeature]) -> list[OutputFeature]:
    """Describe every output feature.

    Args:
        model: The model.
        inputs: Its inputs, as the bundle describes them.

    Returns:
        The outputs, in Ludwig's order.

    Raises:
        UnsupportedError: An output cannot be reproduced without Ludwig.
    """
    tagged = tagged_text(model.config)
    text = next((feature for feature in inputs if tagged and feature.name == tagged["name"]), None)
    features = []
    for config in model.config["output_features"]:
        describe = describer(DESCRIBERS, config, "outputs")
        features.append(describe(config, model.metadata[config["name"]], text))
    return features


def is_aligned(text: InputFeature | None, metadata: Config) -> bool:
    """Return whether the tags of an output are at the positions of the tokens of a text.

    Args:
        text: The tagged input, or None.
        metadata: Ludwig's metadata of the output.

    Returns:
        True if both sequences have the same length and the same padding side.
    """
    return (
        isinstance(text, TextInput)
        and text.length // text.stride == int(metadata["max_sequence_length"])
        and text.padding == metadata["preprocessing"].get("padding", text.padding)
    )


def _describe_category(config: Config, metadata: Config, text: InputFeature | None) -> CategoryOutput:
    return CategoryOutput(name=config["name"], labels=list(metadata["idx2str"]))


def _describe_sequence(config: Config, metadata: Config, text: InputFeature | None) -> SequenceOutput:
    decoder = config["decoder"]["type"]
    if decoder != "tagger":
        raise UnsupportedError(
            config["name"],
            f"its decoder {decoder!r} generates a sequence token by token, which takes more than one pass through the "
            "graph",
            "Train with `decoder: {type: tagger}` and an encoder with `reduce_output: null`.",
        )
    if metadata["preprocessing"]["tokenizer"] == SUBWORDS:
        raise UnsupportedError(
            config["name"],
            "its labels are subwords of a Hugging Face tokenizer",
            "Train tags as an output of type `sequence` with `tokenizer: space`.",
        )
    labels = list(metadata["idx2str"])
    return SequenceOutput(
        name=config["name"],
        labels=labels,
        special_labels=[label for label in SPECIAL_LABELS if label in labels],
        aligned_with=text.name if text is not None and is_aligned(text, metadata) else None,
        responds=config["type"] == "text",
    )


def _describe_binary(config: Config, metadata: Config, text: InputFeature | None) -> BinaryOutput:
    words = metadata.get("bool2str")
    return BinaryOutput(name=config["name"], labels=None if words is None else (words[0], words[1]))


def _describe_number(config: Config, metadata: Config, text: InputFeature | None) -> NumberOutput:
    return NumberOutput(name=config["name"], normalization=normalization(metadata))


def _describe_set(config: Config, metadata: Config, text: InputFeature | None) -> SetOutput:
    return SetOutput(name=config["name"], labels=list(metadata["idx2str"]), threshold=float(config["threshold"]))


def _describe_vector(config: Config, metadata: Config, text: InputFeature | None) -> VectorOutput:
    return VectorOutput(name=config["name"])


DESCRIBERS: dict[str, Callable[[Config, Config, InputFeature | None], OutputFeature]] = {
    "category": _describe_category,
    "category_distribution": _describe_category,
    "sequence": _describe_sequence,
    "text": _describe_sequence,
    "binary": _describe_binary,
    "number": _describe_number,
    "set": _describe_set,
    "vector": _describe_vector,
}
