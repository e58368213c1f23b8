"""Convolutions without padding: the same vectors as Ludwig's encoders, from fewer positions."""

from typing import Any

import pytest
import torch
from ludwig.encoders.sequence_encoders import ParallelCNN, SequenceEmbedEncoder, StackedCNN

from export.convolutions import ConvolutionsWithoutPadding, skips_padding
from export.encoders_for_graphs import encoders_for_graphs
from handler.text import TextInput
from handler.tokenizers import SpaceTokenizer

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

PADDING = 2
LENGTH = 24
WORDS = 30
LAYERS: dict[str, list[dict[str, Any]]] = {
    "widths": [{"filter_size": 1}, {"filter_size": 2}, {"filter_size": 5}],
    "dilation": [{"filter_size": 3, "dilation_rate": 2}, {"filter_size": 4}],
    "batch norm": [{"filter_size": 4, "norm": "batch"}, {"filter_size": 3}],
}


def encoder(kind: Any, length: int = LENGTH, **options: Any) -> Any:
    """Return an encoder of Ludwig with random weights."""
    torch.manual_seed(0)
    options = {"num_filters": 6, "fc_layers": [{"output_size": 4}], "activation": "tanh", **options}
    vocabulary = [str(number) for number in range(WORDS)]
    made = kind(vocab=vocabulary, max_sequence_length=length, embedding_size=5, **options).eval()
    for statistic in (each for name, each in made.named_buffers() if "running" in name):
        statistic.uniform_(0.5, 1.5)
    return made


def rows(*sizes: int, length: int = LENGTH) -> torch.Tensor:
    """Return ids of random texts of the given sizes, some words of which are the padding token."""
    torch.manual_seed(1)
    ids = torch.full((len(sizes), length), PADDING, dtype=torch.int32)
    for row, size in zip(ids, sizes, strict=True):
        row[:size] = torch.randint(WORDS, (size,), dtype=torch.int32)
    return ids


def vectors(module: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the vectors of rows."""
    with torch.inference_mode():
        found: torch.Tensor = module(ids)["encoder_output"]
    return found


@pytest.mark.parametrize("reduction", ["sum", "mean", "avg", "max"])
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("kind", [ParallelCNN, StackedCNN])
def test_the_vectors_are_ludwigs(kind: Any, layers: str, reduction: str) -> None:
    options = {"pool_size": None} if kind is StackedCNN else {}
    made = encoder(kind, conv_layers=LAYERS[layers], reduce_output=reduction, **options)
    assert skips_padding(made)
    replaced = ConvolutionsWithoutPadding(made, PADDING)
    for sizes in [(1, 3), (0,), (LENGTH, 2), (LENGTH - 3, LENGTH - 1), (LENGTH - 9, 5, 1), (7,)]:
        ids = rows(*sizes)
        assert torch.allclose(vectors(replaced, ids), vectors(made, ids), atol=1e-5), sizes


def test_only_positions_near_a_text_are_computed() -> None:
    made = encoder(ParallelCNN, conv_layers=LAYERS["widths"], reduce_output="sum")
    replaced = ConvolutionsWithoutPadding(made, PADDING)
    seen = []
    hook = made.embed_sequence.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    try:
        for sizes in [(3, 6), (LENGTH - 2,)]:
            vectors(replaced, rows(*sizes))
    finally:
        hook.remove()
    assert seen == [6 + 5, LENGTH]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ParallelCNN, {"reduce_output": None}),
        (ParallelCNN, {"reduce_output": "last"}),
        (ParallelCNN, {"reduce_output": "sum", "norm": "layer"}),
        (ParallelCNN, {"reduce_output": "sum", "pool_size": 2}),
        (ParallelCNN, {"reduce_output": "sum", "length": 4}),
        (ParallelCNN, {"reduce_output": "sum", "should_embed": False}),
        (StackedCNN, {"reduce_output": "sum", "pool_size": None, "padding": "valid"}),
        (SequenceEmbedEncoder, {}),
    ],
    ids=str,
)
def test_other_encoders_compute_all_positions(kind: Any, options: dict[str, Any]) -> None:
    layers = {"conv_layers": [{"filter_size": 2}, {"filter_size": 5}]} if kind is not SequenceEmbedEncoder else {}
    assert not skips_padding(encoder(kind, **{**layers, **options}))


class Model:
    """The part of Ludwig's model that names the encoders of its inputs."""

    def __init__(self, **encoders: Any) -> None:
        self.input_features = {name: torch.nn.Module() for name in encoders}
        for name, made in encoders.items():
            self.input_features[name].encoder_obj = made


def text(name: str, **options: Any) -> TextInput:
    """Return the description of a text."""
    settings: dict[str, Any] = {
        "padding": "right",
        "padding_id": PADDING,
        "length": LENGTH,
        "lowercase": False,
        **options,
    }
    return TextInput(name=name, column=name, tokenizer=SpaceTokenizer(), **settings)


@pytest.mark.parametrize(
    ("second", "replaced"),
    [({}, True), ({"padding": "left"}, False), ({"padding_id": 0}, False)],
)
def test_texts_with_tied_weights_need_the_same_padding(second: dict[str, Any], replaced: bool) -> None:
    made = encoder(ParallelCNN, reduce_output="sum")
    inputs = [text("first"), text("second", **second)]
    with encoders_for_graphs(Model(first=made, second=made), inputs):  # type: ignore[arg-type]
        assert isinstance(vars(made).get("forward"), ConvolutionsWithoutPadding) is replaced
    assert "forward" not in vars(made)


def test_padding_on_the_left_is_computed() -> None:
    made = encoder(ParallelCNN, reduce_output="sum")
    with encoders_for_graphs(Model(text=made), [text("text", padding="left")]):  # type: ignore[arg-type]
        assert "forward" not in vars(made)
