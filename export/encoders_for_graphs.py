"""Replace Ludwig encoders during tracing by versions with the same results that are suitable for a graph."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from export.convolutions import ConvolutionsWithoutPadding, longest_text, skips_padding
from export.pooling import MEAN, is_pooling_layer
from export.recurrent import RecurrentWithoutPadding, skips_padding_of_layers
from handler.inputs import InputFeature
from handler.text import TextInput

if TYPE_CHECKING:
    from ludwig.encoders.text_encoders import TfIdfEncoder
    from ludwig.models.ecd import ECD
    from transformers import BertModel


class TermFrequencies:
    """A batched version of Ludwig's `tf_idf` encoder.

    Ludwig counts tokens in a loop over rows, which tracing would unroll for the two example rows.
    """

    def __init__(self, encoder: "TfIdfEncoder") -> None:
        self.encoder = encoder

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Encode token ids.

        Args:
            ids: Token ids of shape (batch, sequence).
            mask: Unused, as in Ludwig's encoder.

        Returns:
            `encoder_output` of shape (batch, vocabulary).
        """
        ids = ids.long()
        nothing = torch.zeros(ids.shape[0], self.encoder.vocab_size)
        counts = nothing.scatter_add(1, ids, torch.ones_like(ids, dtype=nothing.dtype))
        return {"encoder_output": counts / counts.sum(dim=1, keepdim=True) * self.encoder.idf}


class PooledTransformer:
    """An encoder whose transformer ends with the layer of `export.pooling`.

    It computes no layer for the padding that all rows have on the right, and the last layer once for each row.
    """

    def __init__(self, transformer: "BertModel") -> None:
        self.transformer = transformer

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Encode token ids.

        Args:
            ids: Token ids, int32, (batch, sequence). Each row has a token that is not padding.
            mask: False for padding, (batch, sequence).

        Returns:
            `encoder_output`, float32, (batch, size).
        """
        longest = longest_text(mask, ids.shape[1])
        ids, mask = ids[:, :longest], mask[:, :longest]
        *layers, pooling = self.transformer.encoder.layer
        hidden = self.transformer.embeddings(input_ids=ids, token_type_ids=torch.zeros_like(ids))
        weights = mask.to(hidden.dtype).unsqueeze(1)
        ignored = (1 - weights).unsqueeze(1) * torch.finfo(hidden.dtype).min
        for layer in layers:
            hidden = layer(hidden, ignored)
        mean = weights @ hidden / weights.sum(dim=-1, keepdim=True)
        attended = pooling.attention.output(pooling.attention.self.value(mean), hidden[:, :1])
        return {"encoder_output": pooling.output.LayerNorm(attended + pooling.output.dense.bias).select(1, 0)}


@contextmanager
def encoders_for_graphs(model: "ECD", inputs: Sequence[InputFeature]) -> Iterator[None]:
    """Replace the encoders of a network inside the block.

    Args:
        model: Ludwig's network.
        inputs: Its inputs, as the bundle describes them.
    """
    paddings: dict[torch.nn.Module, set[int | None]] = {}
    for feature in inputs:
        # Features with tied weights share one encoder.
        paddings.setdefault(model.input_features.get(feature.name).encoder_obj, set()).add(_right_padding(feature))
    replaced = {
        encoder: forward for encoder, ids in paddings.items() if (forward := _for_graphs(encoder, ids)) is not None
    }
    for encoder, forward in replaced.items():
        encoder.forward = forward
    try:
        yield
    finally:
        for encoder in replaced:
            del encoder.forward


def _right_padding(feature: InputFeature) -> int | None:
    """Return the id of the padding on the right of a text; None for other inputs."""
    return feature.padding_id if isinstance(feature, TextInput) and feature.padding == "right" else None


def _for_graphs(encoder: torch.nn.Module, paddings: set[int | None]) -> Callable[..., Any] | None:
    """Return the version of an encoder for graphs, or None if it needs none.

    Args:
        encoder: The encoder.
        paddings: The ids of the padding on the right of the texts that it reads. They contain None if it reads others.
    """
    from ludwig.encoders.text_encoders import HFTextEncoder, TfIdfEncoder
    from transformers import BertModel

    if isinstance(encoder, TfIdfEncoder):
        return TermFrequencies(encoder)
    if isinstance(encoder, HFTextEncoder) and getattr(encoder, "reduce_output", None) == MEAN:
        transformer = encoder.transformer.module
        if isinstance(transformer, BertModel) and is_pooling_layer(transformer.encoder.layer[-1]):
            return PooledTransformer(transformer)
    (padding,) = paddings if len(paddings) == 1 else {None}
    if padding is not None and skips_padding(encoder):
        return ConvolutionsWithoutPadding(encoder, padding)
    if padding is not None and skips_padding_of_layers(encoder):
        return RecurrentWithoutPadding(encoder, padding)
    return None
