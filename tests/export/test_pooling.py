"""The layer that computes the mean over a text's tokens: in the network, after training, and in graphs."""

from typing import Any

import pytest
import torch
from torch.nn.functional import layer_norm
from transformers import AutoModel

from export.encoders_for_graphs import PooledTransformer
from export.padding_id import LUDWIG_PADDING
from export.pooling import is_pooling_layer
from training.config import minilm_folder

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

CLS, SEP = 101, 102
TEXTS = [[CLS, 2735, 2006, 1996, 2422, SEP], [CLS, 7632, SEP], [CLS, SEP], [CLS, 7632, LUDWIG_PADDING, 2748, SEP]]
"""Token ids of four texts, one of which contains the padding token as a word."""


@pytest.fixture(scope="module")
def pooled() -> Any:
    return AutoModel.from_pretrained(minilm_folder({"reduce_output": "mean"})).eval()


def padded(texts: list[list[int]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and Ludwig's mask, with padding on the right."""
    ids = torch.tensor([text + [LUDWIG_PADDING] * (length - len(text)) for text in texts], dtype=torch.int32)
    return ids, ids != LUDWIG_PADDING


def at_positions(network: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the transformer's output as Ludwig computes it, float32, (batch, length, size)."""
    with torch.inference_mode():
        found: torch.Tensor = network(input_ids=ids, attention_mask=mask.int()).last_hidden_state
    return found


def test_every_position_has_the_mean_over_the_words_of_minilm(pooled: Any) -> None:
    minilm = AutoModel.from_pretrained(minilm_folder({})).eval()
    ids, mask = padded(TEXTS, 9)
    found = at_positions(pooled, ids, mask)
    for row, shown, answer in zip(at_positions(minilm, ids, mask), mask, found, strict=True):
        mean = row[shown].mean(dim=0)
        expected = layer_norm(mean, mean.shape, eps=1e-12)
        assert torch.allclose(answer, expected.expand_as(answer), atol=1e-4)


@pytest.mark.parametrize("length", [6, 7, 40])
def test_padding_does_not_change_ludwigs_mean(pooled: Any, length: int) -> None:
    without = at_positions(pooled, *padded(TEXTS, 6)).mean(dim=1)
    assert torch.allclose(at_positions(pooled, *padded(TEXTS, length)).mean(dim=1), without, atol=1e-4)


def test_a_graph_computes_the_same_without_padding(pooled: Any) -> None:
    lengths = []
    layer = pooled.encoder.layer[0]
    hook = layer.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    ids, mask = padded(TEXTS, 40)
    try:
        with torch.inference_mode():
            found = PooledTransformer(pooled)(ids, mask)["encoder_output"]
    finally:
        hook.remove()
    assert lengths == [6]
    assert torch.allclose(found, at_positions(pooled, ids, mask).mean(dim=1), atol=1e-4)


def test_training_keeps_the_layer_what_it_is() -> None:
    """Also with weight decay and dropout; the rest of the layer learns."""
    network = AutoModel.from_pretrained(minilm_folder({"reduce_output": "mean"})).train()
    layer = network.encoder.layer[-1]
    value = layer.attention.self.value.weight.detach().clone()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.001, weight_decay=0.1)
    ids, mask = padded(TEXTS, 9)
    target = torch.randn(len(TEXTS), network.config.hidden_size, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        optimizer.zero_grad()
        hidden = network(input_ids=ids, attention_mask=mask.int()).last_hidden_state
        (hidden.mean(dim=1) - target).square().sum().backward()
        optimizer.step()
    assert is_pooling_layer(layer)
    assert not torch.equal(layer.attention.self.value.weight, value)
    assert not is_pooling_layer(network.encoder.layer[0])
    network.eval()
    with torch.inference_mode():
        found = PooledTransformer(network)(ids, mask)["encoder_output"]
    assert torch.allclose(found, at_positions(network, ids, mask).mean(dim=1), atol=1e-4)
