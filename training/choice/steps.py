"""How long to train: what counts is the number of steps, not of epochs.

An epoch of 100 rows is a few steps, in which a network that starts from nothing learns nothing. The epochs of the
configurations that come along are for thousands of rows; fewer rows get as many more as it takes.
"""

import math

from training.config import Config

SMALL_BATCH, FEW_ROWS = 32, 2000
MOST_EPOCHS = 200
"""Each epoch ends with a checkpoint, so that more of them take longer than they help."""


def with_enough_steps(config: Config, rows: int, fewest_steps: int) -> Config:
    """Return a configuration that trains long enough for any number of rows.

    Args:
        config: Its epochs count as the least.
        rows: How many there are to train on.
        fewest_steps: How many batches the network needs to learn.

    Returns:
        A configuration with `epochs` and `batch_size`, and without early stopping, which would end a training that has
        not begun to learn.
    """
    trainer = dict(config.get("trainer", {}))
    batch = trainer.get("batch_size", SMALL_BATCH)
    batch = batch if rows >= FEW_ROWS or not isinstance(batch, int) else min(batch, SMALL_BATCH)
    steps_an_epoch = math.ceil(rows / batch) if isinstance(batch, int) else 1
    epochs = max(int(trainer.get("epochs", 1)), min(MOST_EPOCHS, math.ceil(fewest_steps / steps_an_epoch)))
    return {**config, "trainer": {**trainer, "batch_size": batch, "epochs": epochs, "early_stop": -1}}
