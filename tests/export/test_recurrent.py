"""Recurrent layers that compute less in the padding: the same vectors and states as Ludwig's encoders."""

from typing import Any

import pytest
import torch
from ludwig.encoders.sequence_encoders import StackedCNNRNN, StackedRNN

from export.encoders_for_graphs import encoders_for_graphs
from export.recurrent import WORTHWHILE, RecurrentWithoutPadding, skips_padding_of_layers
from tests.export.test_convolutions import LENGTH, PADDING, Model, encoder, rows, text

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]


UNITS = 64
WORDS_OF_THREE = {"filter_size": 3, "strides": 3, "padding": "valid", "pool_size": None}


def recurrent(kind: Any = StackedRNN, length: int = LENGTH, **options: Any) -> Any:
    """Return a recurrent encoder of Ludwig with random weights."""
    return encoder(kind, length, **{"state_size": UNITS, "bidirectional": True, "reduce_output": None, **options})


def check(made: Any, length: int = LENGTH) -> None:
    """Compare the vectors and states of texts of all kinds of lengths with those of Ludwig's encoder."""
    assert skips_padding_of_layers(made)
    replaced = RecurrentWithoutPadding(made, PADDING)
    for sizes in [(1, 3), (0,), (length, 2), (length - 1,), (length - 9, 5, 1), (7,)]:
        ids = rows(*sizes, length=length)
        with torch.inference_mode():
            found, expected = replaced(ids), made(ids)
        assert torch.allclose(found["encoder_output"], expected["encoder_output"], atol=1e-5), sizes
        states = [each["encoder_output_state"] for each in (found, expected)]
        for one, other in zip(*(each if isinstance(each, tuple) else (each,) for each in states), strict=True):
            assert torch.allclose(one, other, atol=1e-5), sizes


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("reduction", [None, "last", "mean", "max"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_vectors_and_the_state_are_ludwigs(cell: str, reduction: str | None, bias: bool) -> None:
    check(recurrent(cell_type=cell, reduce_output=reduction, use_bias=bias))


@pytest.mark.parametrize("length", [61, 62, 63])
@pytest.mark.parametrize(
    "layers",
    [[WORDS_OF_THREE], [{**WORDS_OF_THREE, "norm": "batch"}], [{**WORDS_OF_THREE, "filter_size": 1, "strides": 1}]],
    ids=["three tokens", "batch norm", "one token"],
)
def test_convolutions_over_words_come_first(layers: list[dict[str, Any]], length: int) -> None:
    check(recurrent(StackedCNNRNN, length, conv_layers=layers), length)


def test_convolutions_may_be_stacked() -> None:
    layers = [WORDS_OF_THREE, {**WORDS_OF_THREE, "filter_size": 2, "strides": 2}]
    check(recurrent(StackedCNNRNN, 125, conv_layers=layers), 125)


def test_the_padding_is_not_embedded() -> None:
    made = recurrent()
    replaced = RecurrentWithoutPadding(made, PADDING)
    seen: list[int] = []
    hook = made.embed_sequence.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    try:
        with torch.inference_mode():
            replaced(rows(3, 6))
    finally:
        hook.remove()
    assert seen == [6]


def convolution(**options: Any) -> dict[str, Any]:
    """Return the options of an encoder whose convolution is not one over separate words."""
    return {"kind": StackedCNNRNN, "length": 63, "conv_layers": [{**WORDS_OF_THREE, **options}]}


@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": False},
        {"num_layers": 2},
        {"length": WORTHWHILE // UNITS - 1},
        {"should_embed": False},
        convolution(strides=1),
        convolution(pool_size=2),
        convolution(dilation_rate=2),
        convolution(strides=1, padding="same"),
    ],
    ids=str,
)
def test_other_layers_compute_all_positions(options: dict[str, Any]) -> None:
    assert not skips_padding_of_layers(recurrent(**options))


@pytest.mark.parametrize("padding", ["right", "left"])
def test_only_padding_on_the_right_is_skipped(padding: str) -> None:
    made = recurrent()
    with encoders_for_graphs(Model(text=made), [text("text", padding=padding)]):  # type: ignore[arg-type]
        assert isinstance(vars(made).get("forward"), RecurrentWithoutPadding) is (padding == "right")
    assert "forward" not in vars(made)
