"""Run a Ludwig model on rows, and add the logits that Ludwig's own predictions lack."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from export.rows import with_affix_columns
from training.evaluation.answers import Predict

if TYPE_CHECKING:
    import pandas as pd
    from ludwig.api import LudwigModel


def predictions_of(model: "LudwigModel") -> Predict:
    """Return a function that runs a model on rows and returns one record per row."""

    def predict(rows: "pd.DataFrame") -> list[dict[str, Any]]:
        rows = with_affix_columns(rows, model.config_obj.to_dict())
        predictions, _ = model.predict(dataset=rows, skip_save_predictions=True)
        if hasattr(predictions, "compute"):  # a model trained on Ray returns a Dask DataFrame
            predictions = predictions.compute()
        records: list[dict[str, Any]] = predictions.to_dict("records")
        return records

    return predict


def with_logits(model: "LudwigModel", outputs: Iterable[str], predict: Predict) -> Predict:
    """Return a predict function that adds the logits of some outputs, which Ludwig's own predictions lack.

    Args:
        model: The model that `predict` runs.
        outputs: Names of the outputs whose logits to add.
        predict: The function to extend.

    Returns:
        The function. Its records have `<output>_logits`, float32, shape (length, labels), for each output.
    """
    import torch

    def ask(rows: "pd.DataFrame") -> list[dict[str, Any]]:
        with _kept_logits(model, outputs) as kept:
            records = predict(rows)
        for name, batches in kept.items():
            for record, logits in zip(records, torch.cat(batches).numpy(), strict=True):
                record[f"{name}_logits"] = logits
        return records

    return ask


@contextmanager
def _kept_logits(model: "LudwigModel", outputs: Iterable[str]) -> Iterator[dict[str, list[Any]]]:
    """Collect the logits of every batch that a model predicts inside the context, by output."""
    kept: dict[str, list[Any]] = {name: [] for name in outputs}
    features = model.model.output_features
    hooks = [
        features.get(name).prediction_module.register_forward_hook(
            lambda _module, _inputs, answer, batches=batches: batches.append(answer["logits"].detach().cpu())
        )
        for name, batches in kept.items()
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()
