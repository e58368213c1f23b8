"""Set the number of epochs by the number of steps (batches) that a network needs.

An epoch of 100 rows is only a few steps, too few for a network that starts from random weights. The built-in
configurations set their epochs for thousands of rows; smaller datasets need more epochs for the same number of steps.
"""

import math

from training.config import Config

SMALL_BATCH, FEW_ROWS = 32, 2000
MOST_EPOCHS = 200
"""Each epoch writes a checkpoint: beyond this limit, more epochs cost more time than they improve the model."""


def with_enough_steps(config: Config, rows: int, fewest_steps: int) -> Config:
    """Return a configuration that trains for enough steps.

    Args:
        config: The configuration; its epochs are the minimum.
        rows: Number of training rows.
        fewest_steps: Number of batches that the network needs.

    Returns:
        A configuration with `epochs` and `batch_size`, and without early stopping, which could end the training before
        the network starts to learn.
    """
    trainer = dict(config.get("trainer", {}))
    batch = trainer.get("batch_size", SMALL_BATCH)
    batch = batch if rows >= FEW_ROWS or not isinstance(batch, int) else min(batch, SMALL_BATCH)
    steps_an_epoch = math.ceil(rows / batch) if isinstance(batch, int) else 1
    epochs = max(int(trainer.get("epochs", 1)), min(MOST_EPOCHS, math.ceil(fewest_steps / steps_an_epoch)))
    return {**config, "trainer": {**trainer, "batch_size": batch, "epochs": epochs, "early_stop": -1}}
