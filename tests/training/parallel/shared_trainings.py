"""Train each configuration twice, together with the other workers of torchrun and alone: run by torchrun in a process
of its own, it writes the runs NAME-shared and NAME-alone to a folder."""

import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from training.__main__ import main

TEXT = {"name": "text", "type": "text", "preprocessing": {"tokenizer": "space"}}
SGD = {"epochs": 3, "batch_size": 8, "eval_batch_size": 8, "optimizer": {"type": "sgd"}, "learning_rate": 0.5}
CONFIGS: dict[str, dict[str, Any]] = {
    # Regularization and clipping depend on the gradients of the whole batch.
    "category": {
        "input_features": [{**TEXT, "encoder": {"type": "embed"}}],
        "output_features": [{"name": "intent", "type": "category"}],
        "trainer": {**SGD, "regularization_lambda": 0.01, "gradient_clipping": {"clipglobalnorm": 0.5}},
    },
    # Ludwig's loss of a tagger leaves out the first row of each batch, and is a mean over words.
    "tagger": {
        "input_features": [
            {
                **TEXT,
                "preprocessing": {"tokenizer": "space", "sequence_length": 10},
                "encoder": {"type": "rnn", "cell_type": "lstm", "state_size": 8, "reduce_output": None},
            }
        ],
        "output_features": [
            {
                "name": "slots",
                "type": "sequence",
                "preprocessing": {"tokenizer": "space", "sequence_length": 10},
                "decoder": {"type": "tagger"},
            }
        ],
        "trainer": SGD,
    },
    "dropout": {
        "input_features": [{**TEXT, "encoder": {"type": "embed", "dropout": 0.2}}],
        "output_features": [{"name": "intent", "type": "category", "decoder": {"weights_initializer": "linear"}}],
        "trainer": {"epochs": 6, "batch_size": 8, "learning_rate": 0.02},
    },
}
TRAINING_ROWS, VALIDATION_ROWS, ROWS = 67, 17, 124
"""The last batch of 8 training rows has 3 rows, and the last batch of 8 validation rows has one."""


def rows() -> pd.DataFrame:
    """Return rows whose intent follows from their last word."""
    found = []
    for number in range(ROWS):
        words = [f"w{number * 7 % 11}", f"w{number % 5}", f"v{number % 3}"][number % 2 :]
        tags = ["B-place" if word == "w4" else "O" for word in words]
        split = 0 if number < TRAINING_ROWS else 1 if number < TRAINING_ROWS + VALIDATION_ROWS else 2
        found.append((" ".join(words), f"intent{number % 3}", " ".join(tags), split))
    return pd.DataFrame(found, columns=["text", "intent", "slots", "split"])


def train(folder: Path) -> None:
    """Train all configurations in a folder, which gets them and the rows as files."""
    environ = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE")}
    for name, config in CONFIGS.items():
        dataset, written = folder / f"rows-{environ['RANK']}.csv", folder / f"{name}-{environ['RANK']}.yaml"
        rows().to_csv(dataset, index=False)
        written.write_text(yaml.safe_dump(config))
        options = ["fit", "--config", str(written), "--dataset", str(dataset), "--output"]
        assert main([*options, str(folder / f"{name}-shared")]) == 0
        if environ["RANK"] == "0":
            del os.environ["WORLD_SIZE"]
            assert main([*options, str(folder / f"{name}-alone")]) == 0
            os.environ |= environ


if __name__ == "__main__":
    train(Path(sys.argv[1]))
