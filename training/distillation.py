"""Distill a model that predicts labels: a light student learns a strong teacher's answers to texts without labels.

The teacher gives each text a distribution over the labels. The text becomes one training row for each likely label, so
the student learns the main part of the distribution: most texts have one likely label, doubtful ones two or three. The
labeled rows keep their own labels. `fit` trains the student like every model, and the result is an ordinary run.

Until the run is finished, `.NAME-distillation` next to it has the teacher's answers (`answers.json`) and the student
without the teacher, so that an interrupted command resumes.

`distillation.json` in the run:

    teacher   name of the teacher's run
    texts     number of texts: `given`, `known` (also in the dataset, or repeated), `unsampled` (beyond the maximum),
              `unsure` (skipped), and `learned`
    rows      number of rows that the accuracies are measured on
    accuracy  of the teacher, of the student `alone` (trained only on the dataset), and of the student `distilled`
"""

import hashlib
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
from training.evaluation.thresholds import ThresholdOptions
from training.fit import check_output, fit
from training.schema import complete_config
from training.sizing import sized
from training.teacher import Answers, Teacher
from training.workspace import write_json

if TYPE_CHECKING:
    import pandas as pd

DISTILLATION, ANSWERS = "distillation.json", "answers.json"
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
    entities: bytes | None = None,
) -> dict[str, Any]:
    """Train a student on a dataset and on a teacher's answers to texts, and write its run.

    After an interruption, the same call resumes: it asks the teacher only about texts without a stored answer.

    Args:
        teacher: A run of `fit` whose output has the same name as the student's.
        dataset: Labeled rows. Without a column `split`, they are split as for the teacher.
        texts: Texts without labels, such as messages from chat logs.
        folder: The run's folder.
        student: The student and its training.
        overwrite: Whether to replace an existing run.
        entities: The vocabulary of entities that belongs to the rows, which export puts into the bundle.

    Returns:
        The content of `distillation.json`.

    Raises:
        ConfigError: Teacher and student do not have the same output.
        DatasetError: There is nothing to learn from the texts.
        TrainingError: The folder exists, or Ludwig fails.
    """
    import pandas as pd

    check_output(folder, overwrite=overwrite)
    _check_student(student.config)
    model = load_model(teacher)
    name, text, label = _shared(model, student.config)
    config, rows = _split(model, student, dataset)
    new, counts = _new_texts(rows[text].tolist(), texts, student.seed)
    kept = folder.absolute().with_name(f".{folder.name}-distillation")
    kept.mkdir(parents=True, exist_ok=True)
    labeled, unsure = _labeled(Teacher(model, name, kept / ANSWERS).answers(new), student.least_confidence)
    counts |= {"unsure": unsure, "learned": len(new) - unsure}
    part = TEST if (rows[SPLIT] == TEST).any() else VALIDATION
    asked = rows[rows[SPLIT] == part].reset_index(drop=True)
    right = [answer[f"{name}_predictions"] for answer in model.predict(asked[[text]])]
    found: dict[str, Any] = {"teacher": teacher.resolve().name, "texts": counts, "rows": len(asked)}
    found["accuracy"] = {"teacher": float(np.mean(asked[label].to_numpy() == np.array(right, dtype=object)))}
    say("Training the student without the teacher, for comparison ...")
    found["accuracy"]["alone"] = _alone(config, rows, kept, student)[name]["accuracy"]
    taught = pd.DataFrame({text: [each for each, _ in labeled], label: [each for _, each in labeled], SPLIT: TRAIN})
    learned = pd.concat([rows[rows[SPLIT] == TRAIN], taught, rows[rows[SPLIT] != TRAIN]], ignore_index=True)
    say(f"Training the student on the teacher's answers to {counts['learned']} texts ...")
    fitted = fit(
        config,
        learned,
        folder,
        seed=student.seed,
        overwrite=overwrite,
        thresholds=student.thresholds,
        entities=entities,
    )
    found["accuracy"]["distilled"] = fitted.metrics[name]["accuracy"]
    write_json(folder / DISTILLATION, found)
    shutil.rmtree(kept, ignore_errors=True)
    _tell(found, part)
    return found


def _check_student(config: Config) -> None:
    """Raise ConfigError unless a student has exactly one input text and one category."""
    if [each["type"] for each in config["output_features"]] != ["category"] or len(
        columns(config, "input_features")
    ) != 1:
        raise ConfigError("The student needs exactly one input text and one category: use --config intent-light.")


def _shared(model: SourceModel, config: Config) -> tuple[str, str, str]:
    """Return the name of the output that teacher and student share, and the columns of the text and of the labels."""
    output, (text,) = config["output_features"][0], columns(config, "input_features")
    name = output["name"]
    known = [each["name"] for each in model.config["output_features"] if each["type"] == "category"]
    if name not in known or len(columns(model.config, "input_features")) != 1:
        raise ConfigError(
            f"The teacher answers {', '.join(map(repr, known)) or 'no labels'}, but the student learns {name!r}: use "
            f"a teacher that reads one text and answers {name!r}, or another --config."
        )
    return name, text, column_of(output)


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


def _new_texts(known: Sequence[Any], texts: Sequence[str], seed: int) -> tuple[list[str], dict[str, int]]:
    """Return the texts to ask the teacher about, and the numbers of texts.

    Texts in the dataset have their own label, or are test rows: they must not become training rows.
    """
    seen = {text_key(text) for text in known if isinstance(text, str)} | {""}
    new = list({text_key(text): text for text in texts if text_key(text) not in seen}.values())
    if not new:
        raise DatasetError(
            f"All {len(texts)} texts of --unlabeled are empty or in the dataset: pass texts that have no labels yet."
        )
    counts = {"given": len(texts), "known": len(texts) - len(new), "unsampled": max(len(new) - MOST_TEXTS, 0)}
    if len(new) > MOST_TEXTS:
        say(f"Using {MOST_TEXTS} of {len(new)} texts, chosen at random.")
        new = [new[index] for index in np.random.default_rng(seed).permutation(len(new))[:MOST_TEXTS]]
    return new, counts


def _labeled(answers: Answers, least_confidence: float) -> tuple[list[tuple[str, str]], int]:
    """Return pairs of a text and a likely label, and the number of texts that the teacher is unsure about."""
    sure = {text: labels for text, labels in answers.items() if max(labels.values()) >= least_confidence}
    if not sure:
        raise DatasetError(
            f"The teacher is unsure about all {len(answers)} texts: pass texts about the bot's topics, or lower "
            "--min-confidence."
        )
    return [(text, label) for text, labels in sure.items() for label in labels], len(answers) - len(sure)


def _alone(config: Config, rows: "pd.DataFrame", kept: Path, student: Student) -> Mapping[str, Any]:
    """Return the metrics of the student without the teacher; reuse a finished training with the same settings."""
    settings = json.dumps([config, dataset_sha256(rows), student.seed], sort_keys=True, default=str)
    folder = kept / f"alone-{hashlib.sha256(settings.encode()).hexdigest()[:12]}"
    record = folder / TRAINING_RECORD
    if record.is_file():
        say("Already done.")
        return dict(json.loads(record.read_text(encoding="utf-8"))["metrics"])
    return fit(config, rows, folder, seed=student.seed).metrics


def _tell(found: Mapping[str, Any], part: int) -> None:
    """Print the accuracies to stderr."""
    scores, texts = found["accuracy"], found["texts"]
    where = "the test split" if part == TEST else "the validation split, because there is no test split"
    say(f"Accuracy on {found['rows']} rows of {where}:")
    say(f"  teacher            {scores['teacher']:.1%}")
    say(f"  student alone      {scores['alone']:.1%}")
    say(f"  student distilled  {scores['distilled']:.1%}")
    known, unsure = texts["known"], texts["unsure"]
    say(
        f"Learned from {texts['learned']} of {texts['given']} texts: {known} were repeated or in the dataset, and the "
        f"teacher was unsure about {unsure}."
    )
    if scores["distilled"] <= scores["alone"]:
        say("The teacher did not help: use more texts without labels or a better teacher, or train with `fit` only.")
