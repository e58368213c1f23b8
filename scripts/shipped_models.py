"""Train and export the three models that the repository ships, with the configurations of examples/demo/models."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from export.errors import ExportError
from handler.bundle import Manifest
from handler.errors import DeploymentError
from training.config import read_config
from training.dataset import TEST, TRAIN, read_dataset
from training.errors import TrainingError
from training.pipeline import bundle_of

if TYPE_CHECKING:
    import pandas as pd

DEMO = Path("examples/demo")
DATASET = DEMO / "dataset.csv"
MODELS = ("language", "intent", "slots")
SHOWN_METRICS = ("accuracy", "slot_f1")


def main(arguments: Sequence[str]) -> int:
    """Make the bundles, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs", type=Path, default=Path("build/shipped/runs"), help="folder for the models (default: %(default)s)"
    )
    parser.add_argument(
        "--bundles",
        type=Path,
        default=Path("build/shipped/bundles"),
        help="folder for the bundles (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        for name in MODELS:
            train(name, options.runs / name)
        for name in MODELS:
            print(make_bundle(options.runs / name, options.bundles / name))
    except (TrainingError, ExportError, DeploymentError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def train(name: str, run: Path) -> None:
    """Train a model, unless its run exists."""
    from training.fit import fit

    if (run / "training.json").exists():
        say(f"{name}: already trained in {run}; to train it again, run `make clean` first.")
        return
    fitted = fit(read_config(DEMO / "models" / f"{name}.yaml"), read_dataset({TRAIN: DATASET}), run, overwrite=True)
    metrics = {metric: value for metric, value in fitted.metrics[name].items() if metric in SHOWN_METRICS}
    say(f"{name}: on the test split, {', '.join(f'{metric} {value:.3f}' for metric, value in metrics.items())}")


def make_bundle(run: Path, bundle: Path) -> str:
    """Export a model, unless its bundle exists, and return the certificate as text."""
    from export.certificate import certificate

    return certificate(bundle_of(run, bundle) or _export(run, bundle))


def _export(run: Path, bundle: Path) -> Manifest:
    from export.build import export_model
    from export.model import load_model

    return export_model(load_model(run), bundle, dataset=test_rows(), license_name="Apache-2.0", force=True)


def test_rows() -> "pd.DataFrame":
    """Return the test rows of the demo's dataset, which no model was trained on."""
    rows = read_dataset({TRAIN: DATASET})
    return rows[rows["split"] == str(TEST)]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
