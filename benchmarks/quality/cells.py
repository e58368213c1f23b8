"""Measure one cell: train a model on a sample of a dataset, test, export and time it, and store the result as JSON.

set, learn, model, rows_per_class (null: all), seed    identify the cell
digest          digest of the data and the configurations; a cell with another digest is measured again
rows            number of rows in the sample
score           accuracy, or F1 of whole slots, on valid.csv
train_seconds   duration of the training, with the choice of a configuration, without the import of Ludwig; null for a
                GPU
bundle_bytes    size of the exported bundle; null for a baseline
warm_milliseconds   median duration of single answers of the bundle, in process, on one thread; null for a baseline and
                after a training on a GPU, because the tables compare times on one machine
chosen          the configuration that `fit` chose, if it chose one
measured_on, machine    date and processors, or the GPU
"""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality.sets import TEST_FILE, TEXT, TRAIN_FILE, Task, sample
from benchmarks.report import machine
from training.config import CONFIGS, read_config, without_search
from training.whole_files import write_whole

if TYPE_CHECKING:
    import pandas as pd

AUTOMATIC, SVM, CRF = "auto", "svm", "crf"
MODELS = {
    "intent": (AUTOMATIC, "intent-light", "intent-light-en", "intent-minilm-frozen", "intent-minilm", "intent-embed",
               "intent-lstm", SVM),
    "slots": (AUTOMATIC, "slots-light", "slots-lstm", "slots-lstm-en", "slots-minilm", CRF),
    "language": (AUTOMATIC, "language-light", "language-cnn", SVM),
}  # fmt: skip
"""Models by column to learn. `auto` is `fit` without --config, which chooses a configuration."""
SHOWN = {AUTOMATIC: "`fit` without --config", SVM: "TF-IDF + linear SVM", CRF: "CRF"}
"""Names in the tables for models that are not configurations."""
ASKED, WARMING = 200, 20
"""Number of timed texts, and of warm-up texts before them."""
PROVEN_ROWS = 200


@dataclass(frozen=True)
class Cell:
    """One measurement.

    Attributes:
        task: The dataset and the column to learn.
        model: One of MODELS.
        per_class: Rows per class; None for all rows.
        seed: Seed of the sample and of the training.
    """

    task: Task
    model: str
    per_class: int | None
    seed: int

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.task.set_name}.{self.task.learn}.{self.model}.{self.per_class or 'all'}.{self.seed}"

    def digest(self) -> str:
        """Return a digest of what the result depends on: the data and the configurations for the same column.

        Comments and search spaces of a configuration do not change the result.
        """
        configs = [Path(self.model)] if self.model not in (AUTOMATIC, SVM, CRF) else []
        if self.model == AUTOMATIC:
            configs = [Path(path.stem) for path in sorted(CONFIGS.glob(f"{self.task.learn}-*.yaml"))]
        parts = [hashlib.sha256((self.task.folder / name).read_bytes()).hexdigest() for name in (TRAIN_FILE, TEST_FILE)]
        parts += [json.dumps(without_search(read_config(name)), sort_keys=True) for name in configs]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def kept(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """Return the stored result of a cell if its digest matches, else None."""
    try:
        found = json.loads((folder / f"{cell.name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("digest") == cell.digest() else None


def kept_results(tasks: Sequence[Task], folder: Path) -> list[dict[str, Any]]:
    """Return all stored results whose data and configurations have not changed.

    Args:
        tasks: The datasets and columns to learn.
        folder: The folder of the results.
    """
    known = {(task.set_name, task.learn): task for task in tasks}
    results = []
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_bytes())
        task = known.get((found["set"], found["learn"]))
        if task and kept(Cell(task, found["model"], found["rows_per_class"], found["seed"]), folder):
            results.append(found)
    return results


def measure(cell: Cell, folder: Path) -> dict[str, Any]:
    """Measure a cell and store its result. An interrupted training is resumed.

    Args:
        cell: The cell.
        folder: The folder of the results.

    Returns:
        The result, as in its file.
    """
    task = cell.task
    train, test = sample(task.train_rows(), task.learn, cell.per_class, cell.seed), task.test_rows()
    work = folder / "work" / cell.name
    by = _baseline if cell.model in (SVM, CRF) else _product
    found = {
        "set": task.set_name,
        "learn": task.learn,
        "model": cell.model,
        "rows_per_class": cell.per_class,
        "seed": cell.seed,
        "digest": cell.digest(),
        "rows": len(train),
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        **by(cell, train, test, work),
    }
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    write_whole(folder / f"{cell.name}.json", content.encode())
    shutil.rmtree(work, ignore_errors=True)
    return found


def _baseline(cell: Cell, train: "pd.DataFrame", test: "pd.DataFrame", work: Path) -> dict[str, Any]:
    """Fit and score a baseline."""
    from benchmarks.quality.crf import answers_of_crf
    from training.baseline import answers_of_svm
    from training.evaluation.metrics import slot_metrics

    learn = cell.task.learn
    answers = answers_of_crf if cell.model == CRF else answers_of_svm
    started = time.perf_counter()
    found = answers(train[TEXT].tolist(), train[learn].tolist(), test[TEXT].tolist())
    seconds = time.perf_counter() - started
    right = test[learn].tolist()
    score = slot_metrics(right, found)["f1"] if cell.model == CRF else float(np.mean(np.array(right) == found))
    return {
        "score": score,
        "train_seconds": round(seconds, 1),
        "bundle_bytes": None,
        "warm_milliseconds": None,
        "chosen": None,
    }


def _product(cell: Cell, train: "pd.DataFrame", test: "pd.DataFrame", work: Path) -> dict[str, Any]:
    """Train, evaluate, export, prove and time a model, with the functions behind the commands."""
    from export.build import export_model
    from export.ludwig_library import import_ludwig
    from export.model import load_model
    from training.evaluation.loaded import evaluate_file

    run, bundle = work / cell.task.learn, work / "bundle"
    import_ludwig()
    started = time.perf_counter()
    chosen = _fit(cell, train, run)
    seconds = time.perf_counter() - started
    metrics = evaluate_file(run, test, work / "evaluation", TEST_FILE)["outputs"][cell.task.learn]
    export_model(load_model(run), bundle, dataset=test.head(PROVEN_ROWS), force=True)
    gpu = _gpu()
    return {
        "score": metrics["f1" if metrics["type"] == "sequence" else "accuracy"],
        "train_seconds": None if gpu else round(seconds, 1),
        "bundle_bytes": sum(path.stat().st_size for path in bundle.iterdir()),
        "warm_milliseconds": None if gpu else warm_milliseconds(bundle, test[TEXT].tolist()),
        "chosen": chosen,
        **({"machine": gpu} if gpu else {}),
    }


def _gpu() -> str | None:
    """Return the name of the GPU that Ludwig trains on, or None if it trains on the CPU."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _fit(cell: Cell, train: "pd.DataFrame", run: Path) -> str | None:
    """Train on all rows, as `ludwig-serverless fit` does without --config; return the name of its choice, or None.

    A configuration by name is not compared with others. The duration includes the trial on a part of the rows.
    """
    from training.choice.choose import ChoiceOptions, choose_and_fit

    only = "" if cell.model == AUTOMATIC else cell.model
    options = ChoiceOptions(seed=cell.seed, only=only)
    if only:
        options = replace(options, budget_minutes=0.0)  # one round is enough where there is nothing to choose
    choose_and_fit(cell.task.learn, train, run, options, overwrite=True)
    record = json.loads((run / "training.json").read_bytes())
    return None if only else str(record["choice"]["winner"])


def warm_milliseconds(bundle: Path, texts: list[str]) -> float:
    """Return the median duration of single answers of a bundle, in process and on one thread, in milliseconds."""
    from handler.predictor import Predictor

    predictor, taken = Predictor(bundle, 1), []
    for number, text in enumerate((texts * ASKED)[: ASKED + WARMING]):
        started = time.perf_counter()
        predictor.predict([{feature.column: text for feature in predictor.manifest.inputs}])
        if number >= WARMING:
            taken.append((time.perf_counter() - started) * 1000)
    return round(float(np.median(taken)), 3)
