"""Compute convolutions over padded texts without the padding.

Ludwig's networks see padding, so it cannot just be cut off. But all positions that see nothing but padding have the
same vector. So a graph computes the text, the positions around its end and the last positions of the row, whose
windows reach beyond it. The number of positions in between is known, and so is their vector.
"""

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from ludwig.encoders.sequence_encoders import ParallelCNN, StackedCNN
    from ludwig.modules.convolutional_modules import Conv1DLayer

REDUCTIONS = ("sum", "mean", "avg", "max")
"""Values of `reduce_output` that do not need every position. Without a reduction, joining the positions again takes as
long as computing them."""


class ConvolutionsWithoutPadding:
    """A version of Ludwig's `parallel_cnn` or `stacked_cnn` that skips the padding that all rows have on the right."""

    def __init__(self, encoder: "ParallelCNN | StackedCNN", padding_id: int) -> None:
        """Compute the vector of a position that sees nothing but padding.

        Args:
            encoder: The encoder, for which `skips_padding` is true.
            padding_id: The id of the padding.
        """
        self.encoder, self.padding_id = encoder, padding_id
        self.left, self.right = _reach(encoder)
        self.length = int(encoder.max_sequence_length)
        with torch.no_grad():
            padding = self._convolved(torch.full((1, self.length), padding_id, dtype=torch.int32))
        self.between = padding[:, self.left]

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Encode token ids.

        Args:
            ids: Token ids, int32, (batch, length), with padding on the right.
            mask: Unused, as in Ludwig's encoder.

        Returns:
            `encoder_output`, float32, (batch, size).
        """
        longest = longest_text(ids != self.padding_id, self.length)
        # The last position before the right edge sees nothing but padding, so that `max` sees such a position, too.
        computed = torch.clamp(longest + self.left + 1 + self.right, max=self.length)
        hidden = self._convolved(ids[:, :computed])
        reduction = self.encoder.reduce_output
        if reduction == "max":
            reduced = hidden.amax(dim=1)
        else:
            reduced = hidden.sum(dim=1) + (self.length - computed) * self.between
            reduced = reduced if reduction == "sum" else reduced / self.length
        return {"encoder_output": self.encoder.fc_stack(reduced)}

    def _convolved(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors before the reduction, (batch, length, size)."""
        convolutions = self.encoder.parallel_conv1d if _is_parallel(self.encoder) else self.encoder.conv1d_stack
        hidden: torch.Tensor = convolutions(self.encoder.embed_sequence(ids))
        return hidden


def longest_text(shown: torch.Tensor, length: int) -> torch.Tensor:
    """Return the number of tokens of the longest text in a batch, padding before its end included.

    Args:
        shown: False for padding, (batch, length).
        length: The number of positions.

    Returns:
        A scalar, int64.
    """
    return (shown * torch.arange(1, length + 1)).max()


def skips_padding(encoder: Any) -> bool:
    """Return whether `ConvolutionsWithoutPadding` computes the same as an encoder.

    Args:
        encoder: Any encoder of Ludwig.
    """
    from ludwig.encoders.sequence_encoders import ParallelCNN, StackedCNN

    if not isinstance(encoder, ParallelCNN | StackedCNN) or not encoder.should_embed:
        return False
    left, right = _reach(encoder)
    return (
        encoder.reduce_output in REDUCTIONS
        and all(reads_only_windows(layer, "same") for layer in _layers(encoder))
        and encoder.max_sequence_length > left + right
    )


def reads_only_windows(layer: "Conv1DLayer", padding: str) -> bool:
    """Return whether a convolution has one output for each window, which depends on nothing else.

    Args:
        layer: The layer.
        padding: "same" for a window around each position, "valid" for windows inside the text.
    """
    pools = layer.pool_size is not None
    normalizes = any(isinstance(step, torch.nn.LayerNorm) for step in layer.layers)  # over all positions
    return layer.padding == padding and not pools and not normalizes


def _reach(encoder: "ParallelCNN | StackedCNN") -> tuple[int, int]:
    """Return how many positions to its left and to its right a position sees."""
    combined = max if _is_parallel(encoder) else sum
    widths = [layer.dilation * (layer.kernel_size - 1) for layer in _layers(encoder)]
    return combined(width // 2 for width in widths), combined(width - width // 2 for width in widths)


def _layers(encoder: "ParallelCNN | StackedCNN") -> "list[Conv1DLayer]":
    return [*(encoder.parallel_conv1d.parallel_layers if _is_parallel(encoder) else encoder.conv1d_stack.stack)]


def _is_parallel(encoder: "ParallelCNN | StackedCNN") -> bool:
    return hasattr(encoder, "parallel_conv1d")
