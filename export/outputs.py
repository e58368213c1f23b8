"""Describe Ludwig's output features as the handler's.

Adding an output type is adding a function here and naming it in `DESCRIBERS`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from export.errors import UnsupportedError
from export.model import SourceModel
from handler.inputs import InputFeature, TextInput
from handler.outputs import CategoryOutput, OutputFeature, SequenceOutput

SPECIAL_LABELS = ("<SOS>", "<EOS>", "<PAD>", "<UNK>")


def describe_outputs(model: SourceModel, inputs: Sequence[InputFeature]) -> list[OutputFeature]:
    """Describe every output feature. Raises UnsupportedError for one that cannot be reproduced without Ludwig."""
    features = []
    for config in model.config["output_features"]:
        describe = DESCRIBERS.get(config["type"])
        if describe is None:
            raise UnsupportedError(
                config["name"],
                f"outputs of type {config['type']!r} are not supported",
                f"Supported are {', '.join(DESCRIBERS)}.",
            )
        features.append(describe(config, model.metadata[config["name"]], inputs))
    return features


def _describe_category(
    config: Mapping[str, Any], metadata: Mapping[str, Any], inputs: Sequence[InputFeature]
) -> CategoryOutput:
    return CategoryOutput(name=config["name"], labels=list(metadata["idx2str"]))


def _describe_sequence(
    config: Mapping[str, Any], metadata: Mapping[str, Any], inputs: Sequence[InputFeature]
) -> SequenceOutput:
    decoder = config["decoder"]["type"]
    if decoder != "tagger":
        raise UnsupportedError(
            config["name"],
            f"its decoder {decoder!r} writes a new sequence word by word, which is no single pass through the graph",
            "Train with `decoder: {type: tagger}` and an encoder with `reduce_output: null`.",
        )
    length = int(metadata["max_sequence_length"])
    texts = [feature for feature in inputs if isinstance(feature, TextInput) and feature.length == length]
    labels = list(metadata["idx2str"])
    return SequenceOutput(
        name=config["name"],
        labels=labels,
        special_labels=[label for label in SPECIAL_LABELS if label in labels],
        aligned_with=texts[0].name if len(texts) == 1 else None,
    )


DESCRIBERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], Sequence[InputFeature]], OutputFeature]] = {
    "category": _describe_category,
    "sequence": _describe_sequence,
}
