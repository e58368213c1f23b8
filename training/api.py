"""The Python API of training: `fit_model`, which does what `ludwig-serverless fit` does."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.config import Config, read_config, with_calibration, with_pretrained
from training.dataset import TRAIN, read_dataset

if TYPE_CHECKING:
    import pandas as pd

    from handler.outputs import Decoding
    from training.evaluation.thresholds import ThresholdOptions
    from training.fit import Fitted


def fit_model(
    config: "str | PathLike[str] | Mapping[str, Any]",
    dataset: "str | PathLike[str] | pd.DataFrame",
    output: "str | PathLike[str]",
    *,
    pretrained: str | None = None,
    epochs: int | None = None,
    calibrate: bool = False,
    thresholds: "ThresholdOptions | None" = None,
    slot_decoding: "Decoding" = "viterbi",
    augment: int = 0,
    seed: int = 42,
    force: bool = False,
) -> "Fitted":
    """Train a model with Ludwig, evaluate it, and write a run.

    Args:
        config: A Ludwig configuration, a YAML file, or the name of a built-in configuration, such as `intent-lstm`.
        dataset: Rows, or a file with rows: CSV, TSV, JSON, JSONL or Parquet, whose vocabulary of entities is taken from
            `NAME.entities.json` beside it. An optional column `split` assigns rows:
            0 train, 1 validation, 2 test.
        output: The run's folder. An interrupted training with the same settings is resumed.
        pretrained: Pretrained model for transformers: a Hugging Face name, a folder, or `minilm`.
        epochs: Number of epochs; overrides the configuration.
        calibrate: Whether to calibrate the probabilities of labels with Ludwig's temperature scaling.
        thresholds: Target of the confidence thresholds; None fits none.
        slot_decoding: How word tags become slots: `viterbi` or `argmax`.
        augment: How many changed copies of each training row to train on as well.
        seed: Seed of the split and of the training.
        force: Whether to replace an existing run.

    Returns:
        The run's folder, and its metrics by output feature.

    Raises:
        ConfigError: The configuration is invalid.
        DatasetError: The rows do not match the configuration.
        TrainingError: The folder exists, or the training fails.
    """
    from training.fit import check_output, fit
    from training.imports.vocabulary import entities_of

    check_output(Path(output), overwrite=force)
    found = dict(config) if isinstance(config, Mapping) else read_config(Path(config))
    rows = read_dataset({TRAIN: Path(dataset)}) if isinstance(dataset, str | PathLike) else dataset
    return fit(
        chosen_config(found, pretrained=pretrained, epochs=epochs, calibrate=calibrate),
        rows,
        Path(output),
        augment=augment,
        seed=seed,
        overwrite=force,
        thresholds=thresholds,
        slot_decoding=slot_decoding,
        entities=entities_of(Path(dataset)) if isinstance(dataset, str | PathLike) else None,
    )


def chosen_config(config: Config, *, pretrained: str | None, epochs: int | None, calibrate: bool) -> Config:
    """Apply the arguments of `fit_model` to a configuration.

    Args:
        config: The configuration.
        pretrained: Pretrained model for transformers, or None.
        epochs: Number of epochs, or None.
        calibrate: Whether to calibrate the probabilities of labels.

    Raises:
        ConfigError: The configuration has no pretrained encoder, or no category to calibrate.
    """
    if pretrained:
        config = with_pretrained(config, pretrained)
    if epochs:
        config = {**config, "trainer": {**config.get("trainer", {}), "epochs": epochs}}
    return with_calibration(config) if calibrate else config
