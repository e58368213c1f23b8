"""Add a last layer to a BERT model that computes the mean over a text's tokens.

Ludwig's `reduce_output: mean` is the mean over all positions, and padding is among them. With this layer, every
position already holds the mean over the text's tokens, scaled to the same length for all texts. So Ludwig's mean is
that mean, however much padding there is. This is the mean that sentence transformers such as MiniLM were trained for.

The layer is an ordinary one of BERT. Its attention has the same weight for all tokens, because its queries and keys are
zero. It multiplies their mean by a large number, so that the position's own vector, which BERT adds, does not matter.
Training changes what is not zero, and cannot change the rest: the gradient of each of these zeros is a product with
another one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MEAN = "mean"
"""The `reduce_output` of an encoder that needs the layer."""
LAYERS = "num_hidden_layers"
STRENGTH = 1e6
"""Factor of the mean, relative to the position's own vector. Both have values of about 1; float32 has seven digits."""
ONES = ("attention.output.LayerNorm.weight", "output.LayerNorm.weight")
VALUE, SUM = "attention.self.value.weight", "attention.output.dense.weight"


def with_pooling_layer(
    weights: "dict[str, np.ndarray]", config: dict[str, Any]
) -> "tuple[dict[str, np.ndarray], dict[str, Any]]":
    """Return the weights and the configuration of a BERT model with the additional layer.

    Args:
        weights: The weights by name, as Hugging Face names them.
        config: The content of its `config.json`.
    """
    import numpy as np

    count = config[LAYERS]
    last, added = f"encoder.layer.{count - 1}.", f"encoder.layer.{count}."
    layer = {name.removeprefix(last): np.zeros_like(array) for name, array in weights.items() if name.startswith(last)}
    for name in ONES:
        layer[name] += 1
    layer[VALUE] += np.eye(len(layer[VALUE]), dtype=layer[VALUE].dtype)
    layer[SUM] += np.eye(len(layer[SUM]), dtype=layer[SUM].dtype) * STRENGTH
    return {**weights, **{added + name: array for name, array in layer.items()}}, {**config, LAYERS: count + 1}


def is_pooling_layer(layer: Any) -> bool:
    """Return whether a layer of BERT, also after training, is one that `with_pooling_layer` adds.

    Args:
        layer: A `transformers.models.bert.modeling_bert.BertLayer`.
    """
    attention = layer.attention.self
    zero = (attention.query, attention.key, layer.intermediate.dense)
    weights = [layer.output.dense.weight, *(weight for dense in zero for weight in (dense.weight, dense.bias))]
    return not any(bool(weight.any()) for weight in weights)
