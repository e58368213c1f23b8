"""Replace Ludwig encoders during tracing by versions with the same results that are suitable for a graph."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from export.pooling import MEAN, is_pooling_layer

if TYPE_CHECKING:
    from ludwig.encoders.text_encoders import TfIdfEncoder
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
        longest = (mask * torch.arange(1, ids.shape[1] + 1)).max()
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
def encoders_for_graphs(network: torch.nn.Module) -> Iterator[None]:
    """Replace the encoders of a network inside the block.

    Args:
        network: Ludwig's network, or a module that contains it.
    """
    replaced = {module: forward for module in network.modules() if (forward := _for_graphs(module)) is not None}
    for module, forward in replaced.items():
        module.forward = forward
    try:
        yield
    finally:
        for module in replaced:
            del module.forward


def _for_graphs(module: torch.nn.Module) -> Callable[..., Any] | None:
    """Return the version of an encoder for graphs; None for other modules, and for encoders that need none."""
    from ludwig.encoders.text_encoders import HFTextEncoder, TfIdfEncoder
    from transformers import BertModel

    if isinstance(module, TfIdfEncoder):
        return TermFrequencies(module)
    if isinstance(module, HFTextEncoder) and getattr(module, "reduce_output", None) == MEAN:
        transformer = module.transformer.module
        if isinstance(transformer, BertModel) and is_pooling_layer(transformer.encoder.layer[-1]):
            return PooledTransformer(transformer)
    return None
