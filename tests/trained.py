"""Real models of the five kinds, trained with Ludwig for a few epochs on a part of the demo data."""

from pathlib import Path

import pandas as pd

from training.config import MINILM, read_config, with_pretrained
from training.dataset import TRAIN, read_dataset
from training.fit import Fitted, fit

ROOT = Path(__file__).resolve().parent.parent
DEMO_DATASET = ROOT / "examples" / "demo" / "dataset.csv"
KINDS = ("intent-bert", "intent-lstm", "language-cnn", "slots-bert", "slots-lstm")
EPOCHS = {"intent-bert": 1, "slots-bert": 1}
ROWS = {"intent-bert": 160, "slots-bert": 160}


def demo_rows(count: int) -> pd.DataFrame:
    """Return rows of the demo data, from every language and intent, without its split."""
    rows = read_dataset({TRAIN: DEMO_DATASET}).drop(columns="split")
    return rows.sample(count, random_state=0).reset_index(drop=True)


def train(kind: str, folder: Path) -> Fitted:
    """Train one of the five configurations that the package brings, for less long than it says."""
    config = read_config(Path(kind))
    if kind.endswith("bert"):
        config = with_pretrained(config, MINILM)
    config["trainer"]["epochs"] = EPOCHS.get(kind, 2)
    return fit(config, demo_rows(ROWS.get(kind, 500)), folder)
