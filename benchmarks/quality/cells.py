"""One cell: one model, trained on one sample of one set, tested, exported and timed. Its result is a JSON file.

set, learn, model, rows_per_class (null: all), seed    which cell it is
digest          of the data and of the configurations: a cell with another digest is measured again
rows            how many rows the sample has
score           accuracy, or F1 of whole slots, on valid.csv
train_seconds   of the whole training, the choice of a configuration included, without the import of Ludwig
bundle_bytes    of the exported bundle's files; null for a baseline
warm_milliseconds   the median of single answers of the bundle, in process, on one thread; null for a baseline
chosen          the configuration that was chosen, where `fit` chose it
measured_on, machine    the day, and the processors
"""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality.sets import TEST_FILE, TEXT, TRAIN_FILE, Task, sample
from benchmarks.report import machine
from training.choice.candidates import CANDIDATES
from training.config import CONFIGS, MINILM, read_config, with_pretrained

if TYPE_CHECKING:
    import pandas as pd

AUTOMATIC, SVM, CRF = "auto", "svm", "crf"
MODELS = {
    "intent": (AUTOMATIC, "intent-light", "intent-light-en", "intent-minilm-frozen", "intent-minilm", "intent-embed",
               "intent-lstm", SVM),
    "slots": (AUTOMATIC, "slots-lstm", CRF),
    "language": (AUTOMATIC, "language-light", "language-cnn", SVM),
}  # fmt: skip
"""By what is learned. `auto` is `fit` without a configuration, which chooses one."""
SHOWN = {AUTOMATIC: "`fit` without --config", SVM: "TF-IDF + linear SVM", CRF: "CRF"}
"""How tables name what is no configuration."""
ASKED, WARMING = 200, 20
"""Texts that are timed, and those asked before."""
PROVEN_ROWS = 200


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Attributes:
        task: The set, and what it teaches.
        model: One of MODELS.
        per_class: Rows of each class; None for all rows.
        seed: Of the sample and of the training.
    """

    task: Task
    model: str
    per_class: int | None
    seed: int

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.task.set_name}.{self.task.learn}.{self.model}.{self.per_class or 'all'}.{self.seed}"

    def digest(self) -> str:
        """Return a digest of what the result depends on: the data, and the configurations."""
        files = [self.task.folder / TRAIN_FILE, self.task.folder / TEST_FILE]
        if self.model == AUTOMATIC:
            files += sorted(CONFIGS.glob("*.yaml"))
        elif self.model not in (SVM, CRF):
            files.append(CONFIGS / f"{self.model}.yaml")
        parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def kept(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """Return the result of a cell that was measured before, or None."""
    try:
        found = json.loads((folder / f"{cell.name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("digest") == cell.digest() else None


def kept_results(tasks: Sequence[Task], folder: Path) -> list[dict[str, Any]]:
    """Return the results that were measured before, of these tasks as their data and the configurations are now.

    Args:
        tasks: What the sets teach.
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
    """Measure a cell, and keep its result in a folder. A training that was interrupted is resumed.

    Args:
        cell: What to measure.
        folder: The folder of the results.
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
        **by(cell, train, test, work),
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{cell.name}.part"
    unfinished.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(folder / f"{cell.name}.json")
    shutil.rmtree(work, ignore_errors=True)
    return found


def _baseline(cell: Cell, train: "pd.DataFrame", test: "pd.DataFrame", work: Path) -> dict[str, Any]:
    """Fit a baseline, and score it."""
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
    """Train, evaluate, export, prove and time a model, with the functions of the commands of those names."""
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
    return {
        "score": metrics["f1" if metrics["type"] == "sequence" else "accuracy"],
        "train_seconds": round(seconds, 1),
        "bundle_bytes": sum(path.stat().st_size for path in bundle.iterdir()),
        "warm_milliseconds": warm_milliseconds(bundle, test[TEXT].tolist()),
        "chosen": chosen,
    }


def _fit(cell: Cell, train: "pd.DataFrame", run: Path) -> str | None:
    """Train as `ludwig-serverless fit` does. Returns the configuration that it chose, if it chose one."""
    from training.choice.choose import ChoiceOptions, choose_and_fit
    from training.fit import fit

    if cell.model == AUTOMATIC:
        choose_and_fit(cell.task.learn, train, run, ChoiceOptions(seed=cell.seed), overwrite=True)
        record = json.loads((run / "training.json").read_bytes())
        return str(record["choice"]["winner"])
    config = read_config(Path(cell.model))
    needs = next((each.pretrained for each in CANDIDATES if each.config == cell.model), "")
    fit(with_pretrained(config, MINILM) if needs else config, train, run, seed=cell.seed, overwrite=True)
    return None


def warm_milliseconds(bundle: Path, texts: list[str]) -> float:
    """Return the median time of a single answer of a bundle, in process, on one thread."""
    from handler.predictor import Predictor

    predictor, taken = Predictor(bundle, 1), []
    for number, text in enumerate((texts * ASKED)[: ASKED + WARMING]):
        started = time.perf_counter()
        predictor.predict([{feature.column: text for feature in predictor.manifest.inputs}])
        if number >= WARMING:
            taken.append((time.perf_counter() - started) * 1000)
    return round(float(np.median(taken)), 3)
