"""Run one trial: train a candidate on all folds except one, and let it answer that fold."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from export.features import column_of
from export.ludwig_library import import_ludwig
from handler.outputs import Decoding
from training.baseline import baseline_answers, labels_of
from training.choice.folds import Fold
from training.config import SPLIT, Config
from training.dataset import TRAIN, VALIDATION, dataset_sha256, prepare
from training.evaluation.answers import Records, answer_rows
from training.evaluation.crossed import INDEX, LOGS
from training.evaluation.predictions import predictions_of, with_logits
from training.evaluation.taggers import taggers_of
from training.evaluation.trained import Training, known_labels, slot_decoders
from training.learning import train_in
from training.progress import interruptible
from training.sizing import sized
from training.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_PROBABILITY = 1e-30
VALIDATION_PART = 10
"""One in this many training rows is a validation row, if there are any."""


class Copies(NamedTuple):
    """How a trial's training rows are augmented.

    Attributes:
        number: Number of changed copies of each row.
        entities: The vocabulary of entities, whose words are values for the copies.
    """

    number: int
    entities: bytes | None


@dataclass(frozen=True)
class Trial:
    """The result for one fold.

    Attributes:
        records: Answers to the fold's rows, as `answer_rows` returns them, with the columns LOGS and INDEX of each
            label output.
        baselines: The baseline's answers to the same rows, by output feature.
        seconds: Duration of the trial.
    """

    records: Records
    baselines: dict[str, list[str]]
    seconds: float


def try_fold(
    config: Config,
    rows: "pd.DataFrame",
    held: Fold,
    folder: Path,
    *,
    seed: int,
    slot_decoding: Decoding,
    augment: int = 0,
    entities: bytes | None = None,
    validated: bool = False,
    with_baseline: bool = True,
) -> Trial:
    """Train a configuration on all rows outside a fold, and answer the fold's rows.

    The result is stored; a trial with the same settings and rows returns the stored result.

    Args:
        config: The configuration to train.
        rows: Rows that `prepare` returned, without test rows.
        held: Positions of the fold's rows, which are held out.
        folder: Where to train; the result is stored next to it, in a JSON file of the same name.
        seed: Seed of the training and of the baseline.
        slot_decoding: How word tags become slots.
        augment: How many changed copies of each training row to train on as well; the fold's rows are not copied.
        entities: The vocabulary of entities, whose words are values for the copies.
        validated: Whether a tenth of the training rows are validation rows, for configurations that stop early.
        with_baseline: Whether the baseline answers, too.

    Returns:
        The answers of the model and of the baseline to the fold's rows.
    """
    copies = Copies(augment, entities if augment else None)
    key = _key(config, rows, held, seed, slot_decoding, copies, validated, with_baseline)
    kept = folder.with_suffix(".json")
    if (found := _read(kept, key)) is not None:
        return found
    import_ludwig()  # before the clock starts: it takes half a minute once, which says nothing about the candidate
    started = time.monotonic()
    is_held = np.isin(np.arange(len(rows)), held)
    train = rows[~is_held].assign(**{SPLIT: TRAIN}).reset_index(drop=True)
    if validated:
        order = np.random.default_rng(seed).permutation(len(train))
        train.loc[order % VALIDATION_PART == 0, SPLIT] = VALIDATION
    asked = rows[is_held].drop(columns=SPLIT, errors="ignore").reset_index(drop=True)
    records, full = _answers(config, train, asked, folder, seed, slot_decoding, copies, validated)
    outputs = labels_of(full) if with_baseline else []
    baselines = {name: baseline_answers(full, name, train, asked, seed) for name in outputs}
    trial = Trial(records, baselines, round(time.monotonic() - started, 1))
    kept.write_text(json.dumps({"key": key, **trial.__dict__}, ensure_ascii=False), encoding="utf-8")
    return trial


def _answers(
    config: Config,
    train: "pd.DataFrame",
    asked: "pd.DataFrame",
    folder: Path,
    seed: int,
    slot_decoding: Decoding,
    copies: Copies,
    validated: bool,
) -> tuple[Records, Config]:
    """Train; return the answers and the configuration with Ludwig's defaults."""
    config, train = prepare(config, train, validated=validated)
    config = sized(config, train, copies.number)
    record = {"config": config, "dataset_sha256": dataset_sha256(train), "rows": len(train), "seed": seed}
    if copies.number:
        record["augment"] = copies.number
    workspace = Workspace.of_run(folder)
    api = import_ludwig()
    with interruptible() as interruption, workspace.held():
        training = train_in(
            workspace,
            api,
            config,
            (train, train.iloc[:0]),
            record,
            interruption,
            overwrite=True,
            validated=validated,
            entities=copies.entities,
        )
        if slot_decoding == "viterbi":
            decoders = slot_decoders(training.config, training.model.training_set_metadata)
            training = replace(training, decoders=decoders)
        records = _asked(training, asked)
        workspace.remove()
    return records, training.config


def _asked(training: Training, rows: "pd.DataFrame") -> Records:
    """Return the answers to rows, with the columns that calibration needs."""
    metadata, raw = training.model.training_set_metadata, []
    predict = with_logits(training.model, training.decoders, predictions_of(training.model))

    def keep(asked: "pd.DataFrame") -> Records:
        raw.extend(predict(asked))
        return raw

    taggers = taggers_of(training.config, metadata, training.decoders)
    records = answer_rows(keep, training.config, rows, taggers=taggers)
    known = known_labels(training.config, metadata)
    for name, labels in known.items():
        column = next(column_of(each) for each in training.config["output_features"] if each["name"] == name)
        for record, answer, right in zip(records, raw, rows[column], strict=True):
            record |= _for_calibration(name, answer, labels, str(right))
    return records


def _for_calibration(name: str, answer: Mapping[str, Any], labels: list[str], right: str) -> dict[str, Any]:
    probabilities = np.maximum(np.asarray(answer[f"{name}_probabilities"], dtype=float), SMALLEST_PROBABILITY)
    return {
        f"{name}_{LOGS}": [round(float(each), 4) for each in np.log(probabilities)],
        f"{name}_{INDEX}": labels.index(right) if right in labels else None,
    }


def _key(config: Config, rows: "pd.DataFrame", held: Fold, *others: object) -> str:
    """Return a digest of everything that determines a trial's result."""
    parts = [json.dumps(config, sort_keys=True, default=str), dataset_sha256(rows), str(held.tolist())]
    return hashlib.sha256("\n".join([*parts, *map(str, others)]).encode()).hexdigest()


def _read(path: Path, key: str) -> Trial | None:
    """Return the stored trial if its key matches, else None."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Trial(found["records"], found["baselines"], found["seconds"]) if found["key"] == key else None
    except (OSError, ValueError, KeyError):
        return None
