"""Distill a model that predicts labels: a light student learns a strong teacher's answers to texts without labels.

The teacher gives each text a distribution over the labels. The text becomes three training rows whose labels follow
that distribution, so that the student's cross-entropy approximates the one to the teacher's distribution. Labeled rows
are repeated three times with their own label. `fit` trains the student like every model, and the result is an ordinary
run.

`distillation.json` in the run:

    teacher   name of the teacher's run
    texts     number of texts: `given`, `known` (also in the dataset), `unsure` (skipped), and `learned`
    rows      number of rows that the accuracies are measured on
    accuracy  of the teacher, of the student `alone` (trained only on the dataset), and of the student `distilled`
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.console import say
from export.features import column_of
from export.ludwig_library import import_ludwig
from export.model import TRAINING_RECORD, SourceModel, load_model
from training.config import SPLIT, Config, columns, with_fixed_split
from training.dataset import TEST, TRAIN, VALIDATION, dataset_sha256, prepare, text_key, with_split
from training.errors import ConfigError, DatasetError
from training.evaluation.predictions import predictions_of
from training.evaluation.thresholds import ThresholdOptions
from training.fit import check_output, fit
from training.schema import complete_config
from training.sizing import sized
from training.workspace import write_json

if TYPE_CHECKING:
    import pandas as pd

DISTILLATION = "distillation.json"
COPIES = 3
"""Training rows per text: more rows follow the distribution more closely, but training takes longer."""
MOST_TEXTS = 10_000
"""If there are more texts, a sample is used, so that training takes minutes."""


@dataclass(frozen=True)
class Student:
    """The student and its training.

    Attributes:
        config: The student's configuration, with exactly one input text and one category.
        least_confidence: Minimum probability of the teacher's most likely label; other texts are skipped.
        thresholds: Target of the confidence thresholds, if they are requested.
        seed: Seed of the sample, of the training, and of the split if the teacher's is unknown.
    """

    config: Config
    least_confidence: float = 0.3
    thresholds: ThresholdOptions | None = None
    seed: int = 42


def distill(
    teacher: Path,
    dataset: "pd.DataFrame",
    texts: Sequence[str],
    folder: Path,
    student: Student,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Train a student on a dataset and on a teacher's answers to texts, and write its run.

    Args:
        teacher: A run of `fit` whose output has the same name as the student's.
        dataset: Labeled rows. Without a column `split`, they are split as for the teacher.
        texts: Texts without labels, such as messages from chat logs.
        folder: The run's folder. The student without the teacher is stored in `.NAME-distillation` next to it until the
            run is finished.
        student: The student and its training.
        overwrite: Whether to replace an existing run.

    Returns:
        The content of `distillation.json`.

    Raises:
        ConfigError: Teacher and student do not have the same output.
        DatasetError: There is nothing to learn from the texts.
        TrainingError: The folder exists, or Ludwig fails.
    """
    import pandas as pd

    check_output(folder, overwrite=overwrite)
    model = load_model(teacher)
    name, text, label = _shared(model, student.config)
    config, rows = _split(model, student, dataset)
    part = TEST if (rows[SPLIT] == TEST).any() else VALIDATION
    asked = rows[rows[SPLIT] == part].reset_index(drop=True)
    answers = _ask(model, asked[text].tolist())
    right = [answer[f"{name}_predictions"] for answer in answers]
    found: dict[str, Any] = {"teacher": teacher.resolve().name, "rows": len(asked)}
    found["accuracy"] = {"teacher": float(np.mean(asked[label].to_numpy() == np.array(right, dtype=object)))}
    labeled, found["texts"] = _labeled(model, name, rows[text].tolist(), texts, student)
    trial = folder.absolute().with_name(f".{folder.name}-distillation") / "alone"
    say("Training the student without the teacher, for comparison ...")
    found["accuracy"]["alone"] = _alone(config, rows, trial, student)[name]["accuracy"]
    taught = pd.DataFrame({text: [each for each, _ in labeled], label: [each for _, each in labeled], SPLIT: TRAIN})
    repeated = [rows[rows[SPLIT] == TRAIN]] * COPIES
    learned = pd.concat([*repeated, taught, rows[rows[SPLIT] != TRAIN]], ignore_index=True)
    say(f"Training the student on the teacher's answers to {found['texts']['learned']} texts ...")
    fitted = fit(config, learned, folder, seed=student.seed, overwrite=overwrite, thresholds=student.thresholds)
    found["accuracy"]["distilled"] = fitted.metrics[name]["accuracy"]
    write_json(folder / DISTILLATION, found)
    shutil.rmtree(trial.parent, ignore_errors=True)
    _tell(found, part)
    return found


def dealt(probabilities: np.ndarray, copies: int) -> list[int]:
    """Assign copies of a text to classes in proportion to their probabilities (largest remainder method).

    Args:
        probabilities: Probability of each class, shape (classes,), with a sum of 1.
        copies: Number of copies.

    Returns:
        The class index of each copy.
    """
    shares = probabilities * copies
    counts = np.floor(shares).astype(int)
    most_left = np.argsort(counts - shares, kind="stable")[: max(copies - counts.sum(), 0)]
    counts[most_left] += 1
    return [int(each) for each in np.repeat(np.arange(len(counts)), counts)][:copies]


def _shared(model: SourceModel, config: Config) -> tuple[str, str, str]:
    """Return the name of the output that teacher and student share, and the columns of the text and of the labels."""
    outputs = config["output_features"]
    texts = columns(config, "input_features")
    if [output["type"] for output in outputs] != ["category"] or len(texts) != 1:
        raise ConfigError("The student needs exactly one input text and one category: use --config intent-light.")
    name = outputs[0]["name"]
    known = [each["name"] for each in model.config["output_features"] if each["type"] == "category"]
    if name not in known or len(columns(model.config, "input_features")) != 1:
        raise ConfigError(
            f"The teacher answers {', '.join(map(repr, known)) or 'no labels'}, but the student learns {name!r}: use "
            f"a teacher that reads one text and answers {name!r}, or another --config."
        )
    return name, texts[0], column_of(outputs[0])


def _split(model: SourceModel, student: Student, dataset: "pd.DataFrame") -> tuple[Config, "pd.DataFrame"]:
    """Return the student's configuration, and the rows with their own split or the teacher's."""
    record = model.training or {}
    config = student.config
    split = record.get("config", {}).get("preprocessing", {}).get(SPLIT, {})
    if split.get("type", "fixed") != "fixed":
        config = {**config, "preprocessing": {**config.get("preprocessing", {}), SPLIT: split}}
    config, rows = prepare(config, dataset)
    if dataset_sha256(rows) != record.get("dataset_sha256"):
        say("The teacher was trained on other rows: if these include test rows, its accuracy is too high.")
    if SPLIT not in rows:
        full = complete_config(import_ludwig(), sized(config, rows))
        rows = with_split(full, rows, record.get("seed", student.seed))
    return with_fixed_split(config), rows


def _ask(model: SourceModel, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the teacher's answers to texts."""
    import pandas as pd

    column = columns(model.config, "input_features")[0]
    return list(predictions_of(model.ludwig_model)(pd.DataFrame({column: texts}, dtype=object)))


def _labeled(
    model: SourceModel, name: str, known: Sequence[str], texts: Sequence[str], student: Student
) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Return pairs of a text and the teacher's label, COPIES per text, and the numbers of texts."""
    seen = {text_key(text) for text in known if isinstance(text, str)}
    # Texts in the dataset have their own label, or are test rows: they must not become training rows.
    new = list({text_key(text): text for text in texts if text_key(text) not in seen | {""}}.values())
    counts = {"given": len(texts), "known": len(texts) - len(new)}
    if len(new) > MOST_TEXTS:
        say(f"Sampled {MOST_TEXTS} of {len(new)} texts.")
        new = [new[index] for index in np.random.default_rng(student.seed).permutation(len(new))[:MOST_TEXTS]]
    if not new:
        raise DatasetError("All texts of --unlabeled are empty or in the dataset: pass texts that have no labels yet.")
    say(f"The teacher answers {len(new)} texts ...")
    labels, rows, unsure = model.metadata[name]["idx2str"], [], 0
    for text, answer in zip(new, _ask(model, new), strict=True):
        probabilities = np.asarray(answer[f"{name}_probabilities"], dtype=float)
        if probabilities.max() < student.least_confidence:
            unsure += 1
            continue
        rows += [(text, str(labels[index])) for index in dealt(probabilities, COPIES)]
    if not rows:
        raise DatasetError(
            f"The teacher is unsure about all {len(new)} texts: pass texts about the bot's topics, or lower "
            "--min-confidence."
        )
    return rows, {**counts, "unsure": unsure, "learned": len(new) - unsure}


def _alone(config: Config, rows: "pd.DataFrame", folder: Path, student: Student) -> Mapping[str, Any]:
    """Return the metrics of the student without the teacher; reuse a finished training on the same rows."""
    kept = folder / TRAINING_RECORD
    if kept.is_file():
        record = json.loads(kept.read_text(encoding="utf-8"))
        if record["dataset_sha256"] == dataset_sha256(rows) and record["seed"] == student.seed:
            return dict(record["metrics"])
    return fit(config, rows, folder, seed=student.seed, overwrite=True).metrics


def _tell(found: Mapping[str, Any], part: int) -> None:
    """Print the accuracies to stderr."""
    scores, texts = found["accuracy"], found["texts"]
    where = "the test split" if part == TEST else "the validation split, because there is no test split"
    say(f"Accuracy on {found['rows']} rows of {where}:")
    say(f"  teacher            {scores['teacher']:.1%}")
    say(f"  student alone      {scores['alone']:.1%}")
    say(f"  student distilled  {scores['distilled']:.1%}")
    known, unsure = texts["known"], texts["unsure"]
    say(f"Learned from {texts['learned']} of {texts['given']} texts: {known} were in the dataset, {unsure} unsure.")
    if scores["distilled"] <= scores["alone"]:
        say("The teacher did not help: use more texts without labels or a better teacher, or train with `fit` only.")
