"""Real models of each kind, trained with Ludwig for a few epochs on a part of the demo data.

The fixtures train and export each kind at most once in a run of the tests, whichever folders and processes of
pytest-xdist ask for it. What they give is shared: read it only.
"""

import fcntl
import io
import pickle
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handler.bundle import Manifest
from training.config import MINILM, read_config, with_pretrained

if TYPE_CHECKING:
    import pandas as pd

    from export.model import SourceModel
    from training.fit import Fitted

ROOT = Path(__file__).resolve().parent.parent
DEMO_DATASET = ROOT / "examples" / "demo" / "dataset.csv"
PRETRAINED = ("intent-bert", "intent-minilm", "intent-minilm-frozen", "slots-bert", "slots-minilm")
LIGHT = (
    "intent-embed",
    "intent-light",
    "intent-light-en",
    "intent-lstm",
    "language-cnn",
    "language-light",
    "slots-light",
    "slots-lstm",
    "slots-lstm-en",
)
KINDS = (*PRETRAINED, *LIGHT)
EPOCHS = dict.fromkeys(PRETRAINED, 1)
ROWS = dict.fromkeys(PRETRAINED, 100)
PROVING_ROWS = 40


@dataclass(frozen=True)
class Run:
    """A finished training, and its output on stderr."""

    fitted: "Fitted"
    log: str


@dataclass(frozen=True)
class Exported:
    """A proven bundle, and the manifest that export returned."""

    folder: Path
    manifest: Manifest


def demo_rows(count: int, seed: int = 0) -> "pd.DataFrame":
    """Return demo rows of every language and intent, without the split."""
    from training.dataset import TRAIN, read_dataset

    rows = read_dataset({TRAIN: DEMO_DATASET}).drop(columns="split")
    return rows.sample(count, random_state=seed).reset_index(drop=True)


def train(kind: str, folder: Path) -> "Fitted":
    """Train a built-in configuration with fewer epochs."""
    from training.fit import fit

    config = read_config(Path(kind))
    if kind in PRETRAINED:
        config = with_pretrained(config, MINILM)
    config["trainer"]["epochs"] = EPOCHS.get(kind, 2)
    return fit(config, demo_rows(ROWS.get(kind, 300)), folder)


@pytest.fixture(scope="session")
def trained(shared_folder: Path) -> Callable[[str], Run]:
    """Return the run of a kind of model."""
    return lambda kind: _trained(kind, shared_folder)


@pytest.fixture(scope="session")
def loaded(shared_folder: Path) -> Callable[[str], "SourceModel"]:
    """Return the model of a kind, loaded by Ludwig."""
    return lambda kind: _loaded(kind, shared_folder)


@pytest.fixture(scope="session")
def exported(shared_folder: Path) -> Callable[[str], Exported]:
    """Return the bundle of a kind of model."""
    return lambda kind: _exported(kind, shared_folder)


@cache
def _trained(kind: str, base: Path) -> Run:
    def made() -> Run:
        log = io.StringIO()
        with redirect_stderr(log):
            fitted = train(kind, base / "runs" / kind)
        return Run(fitted, log.getvalue())

    return _once(base / f"{kind}.run", made)


@cache
def _loaded(kind: str, base: Path) -> "SourceModel":
    from export.model import load_model

    return load_model(_trained(kind, base).fitted.folder)


@cache
def _exported(kind: str, base: Path) -> Exported:
    from export.build import export_model

    folder = base / "exported" / kind
    model = _loaded(kind, base)
    return _once(
        base / f"{kind}.exported",
        lambda: Exported(folder, export_model(model, folder, dataset=demo_rows(PROVING_ROWS, seed=1))),
    )


def _once[Made](record: Path, make: Callable[[], Made]) -> Made:
    """Make what another process may have made already, and keep it in a file for the others."""
    with record.with_name(f"{record.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            made = make()
            record.write_bytes(pickle.dumps(made))
            return made
        kept: Made = pickle.loads(record.read_bytes())
        return kept
