"""Training from Python: what `ludwig-serverless fit` does, as one function."""

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
    seed: int = 42,
    force: bool = False,
) -> "Fitted":
    """Train a model with Ludwig, measure it, and write a run.

    Args:
        config: A Ludwig configuration, a YAML file, or the name of one that comes along, such as `intent-lstm`.
        dataset: Rows, or a file of them: CSV, TSV, JSON, JSONL or Parquet. A column `split` says 0 for training, 1 for
            validation and 2 for testing.
        output: The folder of the run. An interrupted training of the same resumes.
        pretrained: What transformers start from: a name on the Hugging Face Hub, a folder, or `minilm`.
        epochs: The number of epochs; overrides the configuration.
        calibrate: Whether to scale the probabilities of labels so that they mean what they say.
        thresholds: How to fit confidence thresholds; none by default.
        slot_decoding: How tags become slots: `viterbi` or `argmax`.
        seed: Of everything random.
        force: Replace a run that is there.

    Returns:
        The run's folder, and its metrics by output feature.

    Raises:
        ConfigError: The configuration cannot be used.
        DatasetError: The dataset cannot be used with it.
        TrainingError: The folder is taken, or the training failed.
    """
    from training.fit import check_output, fit

    check_output(Path(output), overwrite=force)
    found = dict(config) if isinstance(config, Mapping) else read_config(Path(config))
    rows = read_dataset({TRAIN: Path(dataset)}) if isinstance(dataset, str | PathLike) else dataset
    return fit(
        chosen_config(found, pretrained=pretrained, epochs=epochs, calibrate=calibrate),
        rows,
        Path(output),
        seed=seed,
        overwrite=force,
        thresholds=thresholds,
        slot_decoding=slot_decoding,
    )


def chosen_config(config: Config, *, pretrained: str | None, epochs: int | None, calibrate: bool) -> Config:
    """Return a configuration with what the caller chose; the arguments are those of `fit_model`. Raises ConfigError."""
    if pretrained:
        config = with_pretrained(config, pretrained)
    if epochs:
        config = {**config, "trainer": {**config.get("trainer", {}), "epochs": epochs}}
    return with_calibration(config) if calibrate else config
