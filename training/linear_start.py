"""Initialize decoders with a linear model: the best layer for the pretrained encoder, before Ludwig trains both.

A decoder with `weights_initializer: linear` starts as a logistic regression on the encoder's outputs for the training
rows. A frozen encoder gets the best layer at once; gradient descent from random weights does not reach it. A trainable
encoder keeps more of its pretrained features: with a random layer, the first steps would pull its weights in random
directions (LP-FT in Kumar et al., Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution,
2022).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from export.console import say
from training.config import Config
from training.errors import ConfigError

INITIALIZER, LINEAR = "weights_initializer", "linear"
COST, SOFT_COST = 300.0, 10.0
"""scikit-learn's C of the logistic regression, for a frozen and for a trainable encoder; features have the variance
1 / their number. Of values from 10 to 1,000, 300 is best on held-out rows. But such a layer makes almost no errors on
the training rows, so a trainable encoder has nothing to learn from; with 10, it does."""
MOST_ITERATIONS = 300
ROWS_AT_ONCE = 64
NEVER = -10.0
"""Difference between the bias of a label without training rows and the lowest bias of the others."""


def asking_outputs(config: Mapping[str, Any]) -> list[str]:
    """Return the outputs whose decoders start as a linear model.

    Args:
        config: A configuration, without Ludwig's defaults.

    Raises:
        ConfigError: One of them is not a category.
    """
    found = []
    for feature in config["output_features"]:
        if (feature.get("decoder") or {}).get(INITIALIZER) == LINEAR:
            if feature["type"] != "category":
                raise ConfigError(
                    f"The output {feature['name']!r} has the type {feature['type']}, but `{INITIALIZER}: {LINEAR}` "
                    "works only for categories: remove that line."
                )
            found.append(feature["name"])
    return found


def without_linear_start(config: Config) -> Config:
    """Return a configuration without `weights_initializer: linear`, which Ludwig does not know."""
    features = []
    for feature in config["output_features"]:
        decoder = feature.get("decoder")
        if isinstance(decoder, dict) and decoder.get(INITIALIZER) == LINEAR:
            decoder = {name: value for name, value in decoder.items() if name != INITIALIZER}
            feature = {**feature, "decoder": decoder}
        features.append(feature)
    return {**config, "output_features": features}


def linear_start(outputs: list[str]) -> Any:
    """Return a Ludwig callback that sets the decoders of outputs before the first step.

    A resumed training loads its checkpoint later, so it does not need this callback.
    """
    from ludwig.callbacks import Callback

    class LinearStart(Callback):  # type: ignore[misc]
        rows: Any = None

        def on_preprocess_end(self, training_set: Any, *args: Any, **kwargs: Any) -> None:
            self.rows = training_set

        def on_trainer_train_setup(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
            for output in outputs:
                _start(trainer, self.rows, output)

    return LinearStart()


def fitted_layer(
    features: np.ndarray, classes: np.ndarray, count: int, cost: float = COST
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a logistic regression, and return it as the weights and the bias of a layer.

    Args:
        features: The encoder's output for each row, float of shape (rows, size).
        classes: The class index of each row, int of shape (rows,). At least two classes occur.
        count: Number of classes.
        cost: The inverse regularization strength (scikit-learn's C).

    Returns:
        Weights, float32, (count, size), and bias, float32, (count,), for features that are not scaled. A class without
        rows has a score below all others.
    """
    from sklearn.linear_model import LogisticRegression

    # Standardize the features, so that one cost suits all encoders, and fold the scaling into the layer afterwards.
    center = features.mean(axis=0)
    scale = (features.std(axis=0) + 1e-6) * np.sqrt(features.shape[1])
    model = LogisticRegression(C=cost, max_iter=MOST_ITERATIONS)
    model.fit((features - center) / scale, classes)
    found, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # one row of weights for two classes
        found, intercept = np.vstack([-found, found]) / 2, np.concatenate([-intercept, intercept]) / 2
    weights, bias = np.zeros((count, features.shape[1])), np.full(count, intercept.min() + NEVER)
    weights[model.classes_] = found / scale
    bias[model.classes_] = intercept
    bias -= weights @ center
    return weights.astype(np.float32), bias.astype(np.float32)


def _start(trainer: Any, rows: Any, output: str) -> None:
    """Set the last layer of an output to a logistic regression on the layer's inputs."""
    import torch

    layer = trainer.model.output_features.get(output).decoder_obj.dense.dense
    features, classes = _before(layer, trainer, rows, output)
    if len(set(classes.tolist())) < 2:
        return
    cost = SOFT_COST if any(weight.requires_grad for weight in _encoders(trainer.model)) else COST
    weights, bias = fitted_layer(features, classes, layer.out_features, cost)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        layer.bias.copy_(torch.from_numpy(bias))
    say(f"{output}: the decoder starts as a logistic regression on {len(classes)} rows.")


def _encoders(model: Any) -> Iterator[Any]:
    """Yield the weights of all encoders."""
    for feature in model.input_features.values():
        yield from feature.encoder_obj.parameters()


def _before(layer: Any, trainer: Any, rows: Any, output: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer's input for each row, and the class index of each row."""
    import torch

    model, features, classes = trainer.model, [], []
    column = model.output_features.get(output).proc_column
    hook = layer.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].float().cpu().numpy()))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), rows.initialize_batcher(batch_size=ROWS_AT_ONCE, should_shuffle=False) as batcher:
            while not batcher.last_batch():
                batch = batcher.next_batch()
                model(_inputs(model, batch, trainer.device))
                classes.append(np.asarray(batch[column]).reshape(-1))
    finally:
        hook.remove()
        model.train(was_training)
    return np.concatenate(features), np.concatenate(classes).astype(np.int64)


def _inputs(model: Any, batch: Mapping[str, Any], device: Any) -> dict[str, Any]:
    import torch

    return {
        feature.feature_name: torch.from_numpy(np.array(batch[feature.proc_column], copy=True)).to(device)
        for feature in model.input_features.values()
    }
