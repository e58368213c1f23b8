"""Compute bidirectional recurrent layers over padded texts with less work in the padding.

The backward direction begins at the end of the row, in the padding. Its states there are the same for all texts. So
they are computed once, here, and a graph continues from the state at the end of the text. The forward direction reaches
the padding last, in a state that depends on the text. A graph computes it, but not the product of the input and its
weights, because the input is the same at all of these positions.
"""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import torch

from export.convolutions import longest_text, reads_only_windows

if TYPE_CHECKING:
    from ludwig.encoders.sequence_encoders import StackedCNNRNN, StackedRNN
    from ludwig.modules.convolutional_modules import Conv1DLayer

CELLS: dict[str, Any] = {"LSTM": torch.lstm, "GRU": torch.gru, "RNN_TANH": torch.rnn_tanh}
"""The function of each recurrent layer of Ludwig, by torch's name of it."""
WORTHWHILE = 20 * 64
"""The least product of positions and units for which skipping is worthwhile. Below it, the additional steps make one
answer slower."""


class RecurrentWithoutPadding:
    """A version of Ludwig's `rnn` or `cnnrnn` that computes less for the padding that all rows have on the right."""

    def __init__(self, encoder: "StackedRNN | StackedCNNRNN", padding_id: int) -> None:
        """Compute what is the same for all texts.

        Args:
            encoder: The encoder, for which `skips_padding_of_layers` is true.
            padding_id: The id of the padding.
        """
        self.encoder, self.padding_id = encoder, padding_id
        self.convolutions = _convolutions(encoder)
        self.tokens, self.stride = int(encoder.max_sequence_length), _stride(self.convolutions)
        self.positions = self.tokens // self.stride
        self.layers: torch.nn.RNNBase = encoder.recurrent_stack.layers
        self.forward, self.backward = self.layers.all_weights
        self.reversed = torch.arange(self.positions - 1, -1, -1)
        with torch.no_grad():
            padding = self._vectors(torch.full((1, self.stride), padding_id, dtype=torch.int32))
            self.forward_in_padding = _without_input(self.forward, padding[0, 0])
            states: list[Sequence[torch.Tensor]] = [self._start(1)]
            for _ in range(self.positions):
                states.append(self._run(self.backward, padding, states[-1])[1])
        # For each part of the backward state its value after 0, 1, ... positions of padding, (positions + 1, 1, size).
        self.in_padding = [torch.cat(parts) for parts in zip(*states, strict=True)]

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, Any]:
        """Encode token ids.

        Args:
            ids: Token ids, int32, (batch, length), with padding on the right.
            mask: Unused, as in Ludwig's encoder.

        Returns:
            `encoder_output`, float32, (batch, size), or (batch, positions, size) without a reduction; and
            `encoder_output_state`, the state of the backward direction at the beginning of the texts.
        """
        # While tracing, these numbers are tensors, and the graph computes with them.
        rows: Any = ids.shape[0]
        text: Any = longest_text(ids != self.padding_id, self.tokens)
        text = text if self.stride == 1 else (text + self.stride - 1) // self.stride
        text = text.clamp(min=1, max=self.positions)
        padding = self.positions - text
        vectors = self._vectors(ids[:, : text * self.stride])
        start = self._start(rows)

        in_text, state = self._run(self.forward, vectors, start)
        # One position too many, because onnxruntime's layers cannot run without any.
        after_text, _ = self._run(self.forward_in_padding, torch.zeros(padding + 1, rows, 1), state)
        forward = torch.cat([in_text, after_text])[: self.positions]

        # The same state for all rows: adding zeros becomes one operation in the graph, expanding becomes eight.
        at_end = [states[padding] + zeros for states, zeros in zip(self.in_padding, start, strict=True)]
        in_text, state = self._run(self.backward, vectors.index_select(0, self.reversed[padding:]), at_end)
        skipped = self.in_padding[0][1 : padding + 1] + start[0]
        backward = torch.cat([skipped, in_text]).index_select(0, self.reversed)

        hidden = torch.cat([forward, backward], dim=-1).transpose(0, 1)
        if self.encoder.reduce_output is not None:
            hidden = self.encoder.fc_stack(self.encoder.reduce_sequence(hidden))
        last = tuple(part[0] for part in state)
        return {"encoder_output": hidden, "encoder_output_state": last if len(last) > 1 else last[0]}

    def _vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the inputs of the recurrent layers, (positions, batch, size)."""
        vectors: torch.Tensor = self.encoder.embed_sequence(ids)
        for layer in self.convolutions:
            vectors = layer(vectors)
        return vectors.transpose(0, 1)

    def _start(self, rows: int) -> list[torch.Tensor]:
        """Return the state before the first position: the hidden state and, for an LSTM, the cell."""
        return [torch.zeros(1, rows, self.layers.hidden_size)] * (2 if self._is_lstm else 1)

    @property
    def _is_lstm(self) -> bool:
        return self.layers.mode == "LSTM"

    def _run(
        self, weights: Sequence[torch.Tensor], inputs: torch.Tensor, state: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        """Run one direction.

        Args:
            weights: Weights and biases of the inputs and of the state.
            inputs: Vectors, (positions, batch, size), in the order in which the direction sees them.
            state: The state before the first of them.

        Returns:
            The hidden states, (positions, batch, size), and the state after the last position.
        """
        before = state if self._is_lstm else state[0]
        hidden, *after = CELLS[self.layers.mode](
            inputs,
            before,
            weights,
            has_biases=len(weights) > 2,
            num_layers=1,
            dropout=0.0,
            train=False,
            bidirectional=False,
            batch_first=False,
        )
        return hidden, after


def _without_input(weights: Sequence[torch.Tensor], vector: torch.Tensor) -> list[torch.Tensor]:
    """Return weights that compute the same with the input 0 as the given ones with a vector."""
    of_inputs, of_state, *biases = weights
    bias, other = biases or [torch.zeros(len(of_inputs))] * 2
    return [torch.zeros(len(of_inputs), 1), of_state, bias + of_inputs @ vector, other]


def skips_padding_of_layers(encoder: Any) -> bool:
    """Return whether `RecurrentWithoutPadding` computes the same as an encoder, in less time.

    Args:
        encoder: Any encoder of Ludwig.
    """
    from ludwig.encoders.sequence_encoders import StackedCNNRNN, StackedRNN

    if not isinstance(encoder, StackedRNN | StackedCNNRNN) or not encoder.should_embed:
        return False
    convolutions = _convolutions(encoder)
    if not all(map(_reads_words, convolutions)):
        return False
    layers = encoder.recurrent_stack.layers
    positions = encoder.max_sequence_length // _stride(convolutions)
    return bool(layers.bidirectional and layers.num_layers == 1 and positions * layers.hidden_size >= WORTHWHILE)


def _reads_words(layer: "Conv1DLayer") -> bool:
    """Return whether the windows of a convolution do not overlap, and each has one output, which depends only on it."""
    return layer.kernel_size == layer.stride and layer.dilation == 1 and reads_only_windows(layer, "valid")


def _convolutions(encoder: "StackedRNN | StackedCNNRNN") -> "list[Conv1DLayer]":
    """Return the convolutions before the recurrent layers: those of `cnnrnn`; `rnn` has none."""
    return [*encoder.conv1d_stack.stack] if hasattr(encoder, "conv1d_stack") else []


def _stride(convolutions: "Sequence[Conv1DLayer]") -> int:
    """Return the number of tokens in a position of the recurrent layers."""
    return prod(layer.stride for layer in convolutions)
